import sys, time, importlib
from simnet.fuzz.campaign import search
for name in sys.argv[1:]:
    m = importlib.import_module(f"tests.zoo.programs.{name}")
    from simnet import Network
    m.bad(Network()); m.good(Network())
    firsts = []
    t=time.time()
    f = search(m.bad, seconds_max=60)
    if f is None: print(name, "NOT FOUND"); continue
    print(f"{name}: seed {f.seed} {f.outcome.fingerprint}: {f.outcome.error!s:.100} {time.time()-t:.2f}s before {f.shrunk.before} runs {f.shrunk.runs} needed {f.shrunk.each_needed}")
    print("   ", "\n    ".join(f.script.sentences()))
    t=time.time()
    for start in range(10):
        g = search(m.bad, seeds=range(start*100000, start*100000+100000), shrink=False, seconds_max=20)
        firsts.append(g and (g.progress.runs, g.outcome.fingerprint[:40]))
    print("   ", [x and x[0] for x in firsts], sorted({x and x[1] for x in firsts}, key=str), f"{time.time()-t:.1f}s")
    t=time.time()
    g = search(m.good, runs_max=3000, seconds_max=30)
    print("    good:", f"{time.time()-t:.1f}s", g and (g.seed, g.script.sentences(), repr(g.outcome.error)[:300]))

"""The command line says in one line what is wrong, and by its exit status whose fault it is."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from simnet.cli import main
from simnet.fence import Fence, default
from simnet.scenario import Expect, HostSpec, Scenario, load, save
from simnet.script import Deviation, Script

ROOT = Path(__file__).parent.parent.parent
ANSWER = "examples.stories:answer"
CAREFUL = {"is_careful": True}


@pytest.fixture(autouse=True)
def _in_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])


def simnet(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def keep(folder, name="a.toml", **changes):
    path = folder / name
    save(Scenario(**{"title": "t", "call": ANSWER, **changes}), path)
    return path


def complaint(*arguments):
    """The one line on stderr of a command that makes no sense."""
    result = simnet(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


# --- what makes no sense -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Missing command"),
        (("fuz",), "No such command 'fuz'"),
        (("run",), "Missing argument 'PATH...'"),
        (("run", "docs"), "no scenario (*.toml) is in the directory docs"),
        (("replay", "scenarios"), "scenarios: cannot be read: Is a directory"),
        (("replay", "no.toml"), "no.toml: cannot be read: No such file or directory"),
        (("fuzz", "answer"), "'module:callable' or 'file.py::callable', not 'answer'"),
        (("fuzz", "scenarios"), "scenarios: cannot be read: Is a directory"),
        (("fuzz", "no_such_module:f"), "cannot be imported: No module named 'no_such_module'"),
        (("fuzz", "examples.stories:f"), "there is no 'f' in examples.stories"),
        (("fuzz", "examples.stories:patience"), "missing a required argument: 'attempts'"),
        (("fuzz", ANSWER, "--seed", "one"), "a whole number from 0 on is wanted, not 'one'"),
        (("fuzz", ANSWER, "--seed", "-1"), "a whole number from 0 on is wanted, not '-1'"),
        (("fuzz", ANSWER, "--runs", "0"), "a whole number from 1 on is wanted, not '0'"),
        (("fuzz", ANSWER, "--time", "soon"), "'soon' is no duration"),
        (("fuzz", ANSWER, "--out", "README.md"), "the directory README.md cannot be made: File exists"),
        (("fuzz", ANSWER, "--resume", "--seed", "1"), "give --seed or --resume, not both"),
        (("fuzz", ANSWER, "--search", "luck"), "no search is called 'luck'; there are mixed, storm, "),
        (("fuzz", ANSWER, "--search", "sweep", "--seed", "1"), "the search 'sweep' has no seeds"),
    ],
)
def test_a_command_that_makes_no_sense_is_told_in_one_line(arguments, words):
    assert words in complaint(*arguments)


def test_a_file_with_several_mistakes_names_all_of_them(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text('format = 2\ntitle = 7\nseed = "x"\nfaults = []\n[program]\n')
    result = simnet("replay", path)
    assert result.exit_code == 2
    head, *lines = result.stderr.splitlines()
    assert head == f"simnet: {path}: 5 mistakes"
    assert len(lines) == 5


def test_there_is_nothing_to_resume_before_the_first_search(tmp_path):
    assert "there is nothing to resume" in complaint("fuzz", ANSWER, "--resume", "--out", tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seven", "holds no state of a search"),
        ("[7]", "holds no state of a search"),
        ('{"search": "guess", "at": 7}', "no search is called 'guess'; there are mixed, storm, "),
        ('{"search": "storm", "at": "x"}', "'x' is no place in the search 'storm'"),
        ('{"search": "sweep", "at": [3, 2]}', "[3, 2] is no place in the search 'sweep'"),
        ('{"search": "sweep", "at": [1, 2]}', "there were 2 runs to make, and now there are"),
    ],
)
def test_a_state_file_that_cannot_be_resumed_is_told(tmp_path, text, words):
    (tmp_path / "examples-stories-answer.search").write_text(text)
    assert words in complaint("fuzz", ANSWER, "--resume", "--out", tmp_path)


def test_a_search_is_not_resumed_as_another(tmp_path):
    (tmp_path / "examples-stories-answer.search").write_text('{"search": "storm", "at": 7}')
    words = complaint("fuzz", ANSWER, "--search", "sweep", "--resume", "--out", tmp_path)
    assert "the last search was 'storm', not 'sweep'" in words


def test_the_version_is_told():
    assert simnet("--version").output == "simnet, version 0.1.0\n"


# --- run -----------------------------------------------------------------------------------------


def test_run_prints_a_line_for_each_scenario_and_a_summary(tmp_path):
    good = keep(tmp_path, "good.toml", title="All is well")
    (tmp_path / "deeper").mkdir()
    bad = keep(tmp_path / "deeper", "bad.toml", expect=Expect("fails", "OSError"))
    result = simnet("run", tmp_path)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"NOT   {bad}: not as expected",
        "  it passes, and OSError is expected",
        f"ok    {good}: All is well (passes)",
        "2 scenarios: 1 as expected, 1 not",
    ]


def test_run_goes_on_after_a_file_that_is_wrong(tmp_path):
    (tmp_path / "a.toml").write_text("")
    (tmp_path / "b.toml").write_text('format = 1\ntitle = "t"\n[program]\ncall = "no_such_module:f"')
    keep(tmp_path, "c.toml")
    result = simnet("run", tmp_path)
    assert result.exit_code == 2
    assert result.stdout.splitlines()[-1] == "3 scenarios: 1 as expected, 0 not, 2 that cannot be run"
    assert "3 mistakes" in result.stderr
    assert "No module named 'no_such_module'" in result.stderr


def test_the_scenarios_of_this_project_run():
    result = simnet("run", "scenarios")
    assert result.exit_code == 0, result.output


# --- replay --------------------------------------------------------------------------------------


def test_record_then_replay_then_verify(tmp_path):
    path = keep(tmp_path)
    before = simnet("replay", path)
    assert before.exit_code == 0
    assert f"not recorded; `simnet run --record {path}` does it" in before.output
    assert simnet("run", "--record", path).exit_code == 0
    digest = load(path).record.digest
    replayed = simnet("replay", path, "--verify")
    assert replayed.exit_code == 0, replayed.output
    assert replayed.output.splitlines() == [
        f"{path}: passes, as expected",
        f"digest {digest}, as recorded",
        f"also in a new process under PYTHONHASHSEED={other_hash_seed()}",
    ]
    assert simnet("replay", "-q", path).output == f"{digest}\n"


def other_hash_seed():
    return "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"


def test_a_replay_of_a_failure_reports_it(tmp_path):
    path = keep(tmp_path, call="examples.stories:restart", arguments={"reuse": False}, expect=Expect("fails"))
    result = simnet("replay", path)
    assert result.exit_code == 0
    assert result.output.startswith("OSError: [Errno 98] Address already in use")
    assert f"{path}: fails, as expected" in result.output


def test_a_replay_shows_where_the_nearest_passing_run_goes_another_way_and_prints_once(tmp_path):
    (tmp_path / "prints.py").write_text(
        "from tests.unit.planted_bugs import one_recv_is_one_line\n"
        "def program(net):\n    print('here I am')\n    one_recv_is_one_line(net)\n"
    )
    faults = Script([Deviation("client:1 -> server:80", "segment", 1, "cut", 4)])
    path = keep(tmp_path, call=f"{tmp_path / 'prints.py'}::program", script=faults, expect=Expect("fails"))
    output = simnet("replay", path).output
    assert "the nearest passing run is the same until t=0.002" in output
    assert "  with 1 " in output
    assert output.count("here I am") == 1


def test_a_replay_that_leaves_its_record_says_where(tmp_path):
    path = keep(tmp_path)
    simnet("run", "--record", path)
    path.write_text(path.read_text().replace("[program]", "latency = '2ms'\n[program]"))
    result = simnet("replay", path)
    assert result.exit_code == 1
    assert f"simnet: {path}: diverged at event " in result.stderr
    assert "Traceback" not in result.output


def test_verify_finds_a_program_that_depends_on_the_hash_seed(tmp_path):
    program = tmp_path / "unruly.py"
    program.write_text("def run(net):\n    for name in set('abcdefghijkl'):\n        net.host(name)\n")
    path = keep(tmp_path, call=f"{program}::run")
    result = simnet("replay", "--verify", path)
    assert result.exit_code == 1
    assert "a new process under PYTHONHASHSEED=" in result.stderr


# --- fuzz ----------------------------------------------------------------------------------------


def test_a_search_that_finds_nothing_says_how_far_it_was(tmp_path):
    calm = "def run(net):\n    net.host('a')\n    net.run()\n"
    (tmp_path / "calm.py").write_text(calm)
    target, out = f"{tmp_path / 'calm.py'}::run", tmp_path / "out"
    result = simnet("fuzz", target, "--search", "storm", "--runs", 5, "--seed", 7, "--out", out)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("5 runs in ")
    assert result.output.endswith("1 behaviour, 0 failures, seed 11\n")
    assert [file.suffix for file in (tmp_path / "out").iterdir()] == [".search"]


def test_a_failure_is_shrunk_kept_and_replayed_from_its_file(tmp_path):
    result = simnet("fuzz", ANSWER, "--runs", 500, "--out", tmp_path)
    assert result.exit_code == 1, result.output
    (path,) = tmp_path.glob("examples-stories-answer-*/scenario.toml")
    kept = load(path)
    assert len(kept.script) == 1
    assert kept.expect == Expect("fails", "AssertionError")
    assert f"simnet replay {path}" in result.output
    assert f"replayed from its file: digest {kept.record.digest}, as recorded" in result.output
    again = simnet("replay", path)
    assert again.exit_code == 0, again.output


def test_a_search_without_shrinking_keeps_what_happened(tmp_path):
    result = simnet("fuzz", ANSWER, "--runs", 500, "--no-shrink", "--out", tmp_path)
    assert result.exit_code == 1, result.output
    (path,) = tmp_path.glob("*/scenario.toml")
    assert simnet("run", path).exit_code == 0


def test_a_scenario_is_searched_on_its_own_network(tmp_path):
    path = keep(tmp_path, hosts=(HostSpec("server", 16), HostSpec("client")), latency="7ms")
    result = simnet("fuzz", path, "--runs", 500, "--out", tmp_path / "out")
    assert result.exit_code == 1, result.output
    (found,) = (tmp_path / "out").glob("*/scenario.toml")
    kept = load(found)
    assert (kept.hosts[0].descriptors_max, kept.latency) == (16, "7ms")


def test_hosts_that_the_program_makes_itself_are_kept_by_name(tmp_path):
    path = keep(tmp_path, hosts=(HostSpec("router"),))
    result = simnet("fuzz", path, "--runs", 500, "--out", tmp_path / "out")
    assert result.exit_code == 1, result.output
    (found,) = (tmp_path / "out").glob("*/scenario.toml")
    assert [host.name for host in load(found).hosts] == ["router", "server", "client"]


TWO_MISTAKES = """
from tests.unit.planted_bugs import one_recv_is_one_line, short_sends_are_ignored
def program(net):
    one_recv_is_one_line(net)
    short_sends_are_ignored(net)
"""


def test_a_search_that_keeps_going_keeps_one_file_of_each_kind_of_failure(tmp_path):
    (tmp_path / "wrong.py").write_text(TWO_MISTAKES)
    result = simnet(
        "fuzz", f"{tmp_path / 'wrong.py'}::program", "--search", "sweep", "--keep-going", "--out", tmp_path
    )
    assert result.exit_code == 1
    kept = [load(path) for path in tmp_path.glob("*/scenario.toml")]
    assert len(kept) == 2
    summary, *kinds = result.output.splitlines()[-3:]
    assert " of 2 kinds, " in summary
    done, _, total = summary.split(", ")[-1].split()
    assert done == total, "the sweep was not over"
    assert [line.rpartition(":")[0].strip() for line in sorted(kinds)] == [
        "AssertionError in handle_read",
        "AssertionError in short_sends_are_ignored",
    ]


def test_a_test_is_searched_by_pytest(tmp_path):
    path = keep(tmp_path, call=None, test="tests/test_x.py::test_y")
    assert "is a test; pytest --simnet-runs=" in complaint("fuzz", path)


ENDLESS = """
import threading
def dying(net):
    if net.recording.inner.seed == 12:
        print("at seed 12", flush=True)
        threading.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_search_that_is_cut_off_goes_on_where_it_was(tmp_path, number):
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("this process ignores the signal, and so do those that it starts")
    program = tmp_path / "dying.py"
    program.write_text(ENDLESS)
    command = [
        sys.executable,
        "-m",
        "simnet.cli",
        "fuzz",
        f"{program}::dying",
        "--search",
        "storm",
        "--seed",
        "5",
        "--out",
        tmp_path,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "at seed 12\n"
            process.send_signal(number)
            _, stderr = process.communicate(timeout=60)
        finally:
            process.kill()  # else a failure would wait for it
    assert "Traceback" not in stderr
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert stderr.splitlines()[0] == "stopped at seed 12; --resume continues there"
    (state_file,) = tmp_path.glob("*.search")
    assert json.loads(state_file.read_text()) == {"search": "storm", "at": 12}
    program.write_text(ENDLESS.replace("== 12", "== -1"))
    resumed = simnet("fuzz", f"{program}::dying", "--resume", "--runs", 3, "--out", tmp_path)
    assert resumed.output.endswith("seed 14\n")


def test_nothing_heavy_is_imported_before_a_command_runs():
    heavy = ("hypothesis", "pytest", "rich", "tomllib", "simnet.scenario", "simnet.fuzz", "simnet.report")
    code = f"import sys, simnet.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- the fence -----------------------------------------------------------------------------------


@pytest.fixture
def past_its_host(tmp_path):
    """A scenario whose program asks this computer what time it is."""
    (tmp_path / "watch.py").write_text(
        "import time\n"
        "def program(net):\n"
        "    with net.host('server'):\n"
        "        assert time.time()\n"
        "    net.run()\n"
    )
    return keep(tmp_path, call=f"{tmp_path}/watch.py::program")


def test_a_program_that_goes_past_its_host_does_not_pass(past_its_host):
    result = simnet("run", past_its_host)
    assert result.exit_code == 1
    assert "Escaped: time.time reads a clock of this computer" in result.stdout
    assert "watch.py:4, host server, t=0.000" in result.stdout


@pytest.mark.parametrize("options", [["--fence=off"], ["--allow=clocks"], ["--allow", "time.*"]])
def test_a_program_may_go_past_its_host_if_it_is_allowed_to(past_its_host, options):
    assert simnet(*options, "run", "--record", past_its_host).exit_code == 0
    assert simnet(*options, "replay", "--verify", past_its_host).exit_code == 0
    assert default() == Fence()  # of this process, which only borrowed the command

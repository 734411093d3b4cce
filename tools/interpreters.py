#!/usr/bin/env python3
"""Find the Python interpreters on this machine that can carry a test environment.

Runs on any Python from 3.8 with the standard library alone: it decides which interpreter the rest uses.

    interpreters.py list            the supported versions found here, oldest first
    interpreters.py default         the version of `python3` if it is supported, else the oldest found
    interpreters.py newest          the newest version found
    interpreters.py path VERSION    the executable of one version

A name on PATH proves nothing: a version manager leaves names there that only say that nothing is installed.
So each candidate is executed, and must be a CPython of the version asked for with `venv`, `ensurepip` and
`ssl`. Answers go to stdout, the reasons for skipping a version to stderr.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SUPPORTED = ("3.11", "3.12", "3.13")
NEEDED_MODULES = ("ensurepip", "ssl", "venv")
ANSWER_SECONDS_MAX = 60

# Says who it is and what it lacks. An environment is built from the base executable, not from another one.
PROBE = """
import importlib.util, json, sys
print(json.dumps({
    "version": "%d.%d" % sys.version_info[:2],
    "implementation": sys.implementation.name,
    "executable": getattr(sys, "_base_executable", None) or sys.executable,
    "lacks": [name for name in sys.argv[1:] if importlib.util.find_spec(name) is None],
}))
"""


class Unusable(Exception):
    """Why a candidate cannot be used."""


def main(arguments):
    if arguments == ["list"]:
        print(*find_all())
    elif arguments == ["default"]:
        print(default())
    elif arguments == ["newest"]:
        print(find_all()[-1])
    elif len(arguments) == 2 and arguments[0] == "path" and arguments[1] in SUPPORTED:
        print(require(arguments[1]))
    else:
        sys.exit(f"{__doc__}\nVERSION is one of {', '.join(SUPPORTED)}")


def find_all():
    """The supported versions found, oldest first. Exits if there is none."""
    found = [version for version in SUPPORTED if find(version)]
    if not found:
        sys.exit(f"no usable Python found: one of {', '.join(SUPPORTED)} is needed")
    return found


def require(version):
    """The executable of this version. Exits if there is none."""
    executable = find(version)
    if executable is None:
        sys.exit(f"no usable Python {version} found")
    return executable


def default():
    """The version of `python3` if it is supported and usable, else the oldest found."""
    for candidate in on_path("python3"):
        try:
            return inspect(candidate)["version"]
        except Unusable:
            continue
    return find_all()[0]


def find(version):
    """The executable of a usable interpreter of this version, or None after saying what was tried."""
    reasons = []
    for candidate in candidates(version):
        try:
            return inspect(candidate, version)["executable"]
        except Unusable as reason:
            reasons.append(f"{candidate}: {reason}")
    say(f"Python {version} skipped: " + ("; ".join(reasons) or "not installed"))
    return None


def candidates(version):
    """Executables that may be this version: by full name on PATH, from pyenv, by plain name on PATH."""
    plain = [*on_path("python3"), *on_path("python")]
    return dict.fromkeys([*on_path(f"python{version}"), *in_pyenv(version), *plain])


def on_path(name):
    """Every executable of this name on PATH, since the first may be only a shim or lack venv."""
    directories = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = (shutil.which(name, path=directory) for directory in directories if directory)
    return [executable for executable in found if executable]


def in_pyenv(version):
    """Executables of this version installed by pyenv, newest patch first. Empty where there is no pyenv."""
    pyenv = shutil.which("pyenv")
    if pyenv is None:
        return []
    try:
        root = Path(run([pyenv, "root"]).strip())
        installed = run([pyenv, "versions", "--bare"]).split()
    except Unusable as reason:
        say(f"pyenv skipped: {reason}")
        return []
    plain_release = re.compile(re.escape(version) + r"\.(\d+)")
    releases = [match for match in map(plain_release.fullmatch, installed) if match]
    releases.sort(key=lambda match: int(match[1]), reverse=True)
    return [str(root / "versions" / match[0] / "bin" / "python") for match in releases]


def inspect(candidate, version=None):
    """What a candidate says of itself; Unusable if it is not a complete CPython of the version."""
    try:
        answer = json.loads(run([candidate, "-c", PROBE, *NEEDED_MODULES]))
    except ValueError:
        raise Unusable("gives no sensible answer") from None
    if answer["version"] not in ([version] if version else SUPPORTED):
        raise Unusable("is Python " + answer["version"])
    if answer["implementation"] != "cpython":
        raise Unusable("is " + answer["implementation"])
    if answer["lacks"]:
        raise Unusable("lacks " + ", ".join(answer["lacks"]))
    return answer


def run(command):
    """The command's output; Unusable if it does not run, fails or hangs."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=ANSWER_SECONDS_MAX,
            check=True,
        ).stdout.decode()
    except subprocess.CalledProcessError as failure:
        raise Unusable(f"does not run (exit status {failure.returncode})") from None
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise Unusable(f"does not run ({type(failure).__name__})") from None


def say(message):
    print(message, file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])

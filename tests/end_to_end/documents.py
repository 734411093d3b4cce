"""Run the examples of a document, so that nothing in it is only claimed.

The convention, which a reader can see on the page:

* A block of ``python`` or ``toml`` begins with a comment that names its file, ``# test_echo.py``, and is
  that file; ``# echo.py, at the end`` is added to it.
* A block of ``console`` has commands, each after ``$ ``, and what they print.  A line ``...`` stands for
  lines that are left out.
* A test module that no command of the page runs is run at the end, and passes.
* Blocks of any other language (``sh``, ``text``) are not run.

All of a page happens in one folder that is empty at first.  What differs from one run to the next is not
compared: times, numbers of runs, digests, versions.  In a command, ``DIRECTORY`` stands for the only
directory that fits.

``python -m tests.end_to_end.documents README.md`` prints what every command of a page really prints.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parent.parent.parent

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"# (\S+\.(?:py|toml))(, at the end)?\n")
_RUN_IN_THIS_PYTHON = {
    # Hypothesis's own profile for unattended runs: the same examples every time, and no deadline.
    "pytest": ("-m", "pytest", "-p", "no:cacheprovider", "--hypothesis-profile=ci"),
    "simnet": ("-m", "simnet.cli"),
    "python": (),
}
_VARIES = (
    (r"\b[0-9a-f]{32}\b", "<digest>"),
    (r"(?<=-)[0-9a-f]{4}(?:[0-9a-f]{4})?(?=[/. ])", "<digest>"),
    (r"Python 3\.\d+\.\d+", "Python 3"),
    (r"simnet \d+\.\d+\.\d+", "simnet"),
    (r"\bseed \d+", "seed <number>"),
    (r"from \d+, in \d+ runs?, [^)]*", "<search>"),
    (r"^[\d,]+ runs? in .*", "<search>"),
    (r"^comparing the virtual kernel with .*", "comparing"),
    (r"^(\S+) +\d+ +\d+ +\d+ +\d+ +(\d+)$", r"\1 <figures> \2"),
    (r"^[\d,]+ calls, [\d,]+/s, \d+ kinds", "<figures>"),
    (r" in \d+\.\d+s", ""),
    (r" +$", ""),
    (r"=====*", "====="),
    (r"-----*", "-----"),
)


@attrs.frozen
class Block:
    """A fenced block of a document, and the line on which its text begins."""

    language: str
    text: str
    line: int


@attrs.frozen
class Shown:
    """A command as the document shows it, with what it should print."""

    command: str
    expected: str
    line: int


class Untrue(AssertionError):
    """A command did not print what the document shows."""


def blocks(document: Path) -> list[Block]:
    """The fenced blocks of a document, in order."""
    text = document.read_text(encoding="utf-8")
    return [
        Block(match[1], match[2], text.count("\n", 0, match.start(2)) + 1) for match in _BLOCK.finditer(text)
    ]


def run(document: Path, folder: Path) -> None:
    """Run every example of a document in `folder`.  Raises Untrue at the first that fails, with its line."""
    commands = []
    for block in blocks(document):
        if block.language in ("python", "toml"):
            write(document, block, folder)
        if block.language == "console":
            for shown in commands_of(block):
                commands.append(shown.command)
                check(document, shown, execute(shown.command, folder))
    modules = sorted(path.name for path in folder.glob("test_*.py"))
    not_run = [name for name in modules if not any(_runs(command, name) for command in commands)]
    if not_run:
        output, status = execute(f"pytest -q {' '.join(not_run)}", folder)
        if status:
            raise Untrue(f"{document}: one of {', '.join(not_run)} fails\n{output}")


def write(document: Path, block: Block, folder: Path) -> None:
    """Write a block to the file that its first line names."""
    named = _NAMED.match(block.text)
    if named is None:
        raise Untrue(f"{document}:{block.line}: the block does not name its file")
    path = folder / named[1]
    path.parent.mkdir(exist_ok=True)
    if named[2]:
        path.write_text(path.read_text(encoding="utf-8") + "\n\n" + block.text, encoding="utf-8")
    else:
        path.write_text(block.text, encoding="utf-8")


def commands_of(block: Block) -> Iterator[Shown]:
    """The commands of a block of console, each with the lines up to the next."""
    line = block.line
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield Shown(command, expected, line)
        line += part.count("\n")


# An empty CI, if there is one, keeps pytest from saying more than it says to people; Hypothesis still takes
# it for one, and draws the same each time.
_AS_FOR_A_READER = {
    "COLUMNS": "80",
    "PYTHONUTF8": "1",
    # pytest-asyncio asks for a setting, and it is one of few pages that has to do with it.
    "PYTHONWARNINGS": 'ignore:The configuration option "asyncio_default_fixture_loop_scope" is unset',
} | ({"CI": ""} if "CI" in os.environ else {})


def execute(command: str, folder: Path) -> tuple[str, int]:
    """What a command prints, and its exit status."""
    name, *arguments = (_found(word, folder) for word in shlex.split(command, comments=True))
    if name in _RUN_IN_THIS_PYTHON:
        arguments = [*_RUN_IN_THIS_PYTHON[name], *arguments]
        name = sys.executable
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
    done = subprocess.run(
        [name, *arguments],
        cwd=folder,
        env={**kept, **_AS_FOR_A_READER},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return done.stdout, done.returncode


def _found(word: str, folder: Path) -> str:
    """A word of a command with the name of a directory that depends on a digest."""
    head, mark, tail = word.partition("DIRECTORY")
    if not mark:
        return word
    option, equals, pattern = head.rpartition("=")
    (found,) = folder.glob(f"{pattern}*{tail}")
    return f"{option}{equals}{found.relative_to(folder)}"


def check(document: Path, shown: Shown, ended: tuple[str, int]) -> None:
    """Raise Untrue unless a command printed what the document shows; silent commands must succeed."""
    output, status = ended
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n" for line in stable(shown.expected)
    )
    if (status and not shown.expected) or not re.fullmatch(pattern, "\n".join([*stable(output), ""])):
        raise Untrue(f"{document}:{shown.line}: $ {shown.command}\nprints (exit status {status})\n{output}")


def stable(text: str) -> list[str]:
    """The lines of an output without what differs from one run to the next."""
    for varies, instead in _VARIES:
        text = re.sub(varies, instead, text, flags=re.MULTILINE)
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _runs(command: str, module: str) -> bool:
    """Whether a command is a pytest that runs a module: by its name, or as one of all."""
    name, *words = shlex.split(command)
    files = [word.partition("::")[0] for word in words if word.partition("::")[0].endswith(".py")]
    return name == "pytest" and (not files or module in files)


def main(documents: list[str]) -> None:
    """Print what every command of these documents really prints."""
    for name in documents:
        with tempfile.TemporaryDirectory() as folder:
            for block in blocks(ROOT / name):
                if block.language in ("python", "toml"):
                    write(ROOT / name, block, Path(folder))
                for shown in commands_of(block) if block.language == "console" else ():
                    print(f"{name}:{shown.line}: $ {shown.command}")
                    print(execute(shown.command, Path(folder))[0])


if __name__ == "__main__":
    main(sys.argv[1:])

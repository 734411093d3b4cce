"""What every command has in common: its errors are one line, and its exit status tells whose fault it is.

Owns the group of commands, and how errors are said.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from ..errors import Diverged, ScenarioError, UsageError

INTERRUPTED = 130


class Commands(click.Group):
    """A group of commands whose errors are one line, and whose exit status tells whose fault it is."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        try:
            result = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            status = result if isinstance(result, int) else 0
        except click.ClickException as error:
            status = _complain(_click_words(error), error.exit_code)
        except ScenarioError as error:
            status = _complain(scenario_words(error), 2)
        except UsageError as error:
            status = _complain(str(error), 2)
        except Diverged as error:
            status = _complain(str(error), 1)
        except click.Abort:
            status = _complain("interrupted", INTERRUPTED)
        if not standalone_mode:
            return status
        sys.exit(status)


def _complain(words: str, status: int) -> int:
    click.echo(f"simnet: {words}", err=True)
    return status


def _click_words(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f" (see '{context.command_path} --help')" if context is not None else ""
    return f"{error.format_message().rstrip('.')}{hint}"


def scenario_words(error: ScenarioError) -> str:
    if len(error.mistakes) > 1:
        return str(error)
    place, text = error.mistakes[0]
    return f"{error.path}: {text}" if place == "file" else f"{error.path}: {place}: {text}"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False)
@click.version_option(package_name="simnet-harness", prog_name="simnet")
@click.option(
    "--fence",
    "level",
    type=click.Choice(["error", "warn", "off"]),
    default="error",
    show_default=True,
    help="What is made of programs that go past their virtual hosts.",
)
@click.option("--allow", multiple=True, metavar="NAME", help="A function, family or module to let through.")
@click.option(
    "--check",
    "words",
    default="",
    metavar="NAMES",
    help="Properties to look for: all, -all, a name, or one behind a '-'; several in quotes.",
)
def main(level: str, allow: tuple[str, ...], words: str) -> None:
    """Deterministic simulation and testing of network code."""
    from .. import checks, fence

    context = click.get_current_context()
    context.call_on_close(partial(fence.set_default, fence.default()))
    fence.set_default(fence.Fence(level, allow))
    context.call_on_close(partial(checks.set_default, checks.default()))
    checks.set_default(checks.Checks.of(words))
    # As `python -m` does it: programs are found from where the command is given.
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())

"""The table of asyncore's faults in the documentation: a row each, whose test and whose switch exist."""

import re
from pathlib import Path

from simnet import async_chat, dispatcher, dispatcher_with_send
from tests.unit import test_faults_of_asyncore as shown

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "asyncore.md"
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and "---" not in line
][1:]


def test_every_fault_is_a_row_and_every_row_names_its_test():
    tests = [name for name in vars(shown) if name.startswith("test_")]
    assert len(tests) == 13
    assert sorted(row[-1].strip("`") for row in ROWS) == sorted(tests)


def test_every_switch_exists_with_the_default_that_the_table_shows():
    switches = dict(re.fullmatch(r"`(\w+) = (.+)`", row[3]).groups() for row in ROWS if row[3] != "none")
    assert switches == {
        "accept_pause": repr(dispatcher.accept_pause).replace("'", '"'),
        "close_once": repr(dispatcher.close_once),
        "half_close": repr(dispatcher_with_send.half_close),
    }
    assert async_chat.half_close is dispatcher_with_send.half_close


def test_every_handler_that_the_table_names_exists():
    named = set(re.findall(r"`(handle_\w+)", " ".join(" ".join(row[:3]) for row in ROWS)))
    assert named
    assert [name for name in sorted(named) if not callable(getattr(dispatcher, name, None))] == []

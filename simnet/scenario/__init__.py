"""Scenarios: a program, its network and its script as a file, and how a run of them ends."""

from .as_test import as_test
from .load import load, loads
from .model import Expect, HostSpec, LinkSpec, Record, Scenario
from .program import check_arguments, find_program
from .replay import record_of, replay
from .run import Outcome, Verdict, execute, judge, make_network, run_scenario
from .save import dumps, save, save_record

__all__ = [
    "Expect",
    "HostSpec",
    "LinkSpec",
    "Outcome",
    "Record",
    "Scenario",
    "Verdict",
    "as_test",
    "check_arguments",
    "dumps",
    "execute",
    "find_program",
    "judge",
    "load",
    "loads",
    "make_network",
    "record_of",
    "replay",
    "run_scenario",
    "save",
    "save_record",
]

"""Scenarios: a program, its network and its script as a file, and how a run of them ends."""

from .as_test import as_test
from .load import load, loads
from .model import Expect, HostSpec, LinkSpec, Record, Scenario
from .nearby import Near, carried_in, look_near
from .program import check_arguments, find_program
from .replay import record_of, replay
from .reproduce import Reproduction, reproduce
from .run import Outcome, Verdict, execute, judge, make_network, program_of, run_scenario
from .save import dumps, save, save_record
from .update import update

__all__ = [
    "Expect",
    "HostSpec",
    "LinkSpec",
    "Near",
    "Outcome",
    "Record",
    "Reproduction",
    "Scenario",
    "Verdict",
    "as_test",
    "carried_in",
    "check_arguments",
    "dumps",
    "execute",
    "find_program",
    "judge",
    "load",
    "loads",
    "look_near",
    "make_network",
    "program_of",
    "record_of",
    "replay",
    "reproduce",
    "run_scenario",
    "save",
    "save_record",
    "update",
]

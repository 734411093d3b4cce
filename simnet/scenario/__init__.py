"""Scenarios: a program, its network and its script as a file, and how a run of them ends."""

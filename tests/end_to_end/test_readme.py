"""The README: every example in it runs, and prints what it shows."""

from __future__ import annotations

import re

import pytest

from tests.end_to_end import documents
from tests.end_to_end.documents import ROOT, Untrue

pytestmark = pytest.mark.once

README = ROOT / "README.md"


def test_every_example_of_the_readme_runs_and_prints_what_it_shows(tmp_path):
    documents.run(README, tmp_path)


def test_every_command_for_developers_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)", README.read_text(encoding="utf-8")))
    assert named
    assert named <= targets


def test_every_file_that_the_readme_links_exists():
    links = re.findall(r"\]\((?!http|#)([^)#]+)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def document(tmp_path, text):
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("```python\nassert True\n```\n", r"page.md:2: the block does not name its file"),
        ("```python\n# test_x.py\ndef test_x(): assert 0\n```\n", "test_x.py fails"),
        ("```console\n$ echo one\ntwo\n```\n", r"page.md:2: \$ echo one\nprints \(exit status 0\)\none"),
        ("\n```console\n$ echo one\none\n$ false\n```\n", r"page.md:5: \$ false"),
        ("```console\n$ simnet run missing.toml\n```\n", "missing.toml"),
    ],
)
def test_an_example_that_does_not_do_what_it_shows_is_found(tmp_path, page, complaint):
    with pytest.raises(Untrue, match=complaint):
        documents.run(document(tmp_path, page), tmp_path)


def test_lines_may_be_left_out_of_an_output_and_times_may_differ(tmp_path):
    page = "```console\n$ printf 'one\\ntwo in 0.12s\\nthree\\n'\n...\ntwo in 3.45s\n...\n```\n"
    documents.run(document(tmp_path, page), tmp_path)

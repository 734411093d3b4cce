"""The documentation: every example in it runs, and every name in it exists."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.end_to_end import documents
from tests.end_to_end.documents import ROOT

pytestmark = pytest.mark.once

DOCS = ROOT / "docs"
TUTORIAL = DOCS / "tutorial.md"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md") if "_build" not in path.parts)
RUN = [page for page in PAGES if page.startswith(("tutorial", "how-to", "explanation"))]


@pytest.fixture
def folder(tmp_path):
    """An empty folder for the tutorial; the other pages have the tutorial's `lines.py`."""
    for block in documents.blocks(TUTORIAL):
        if block.text.startswith("# lines.py"):
            documents.write(TUTORIAL, block, tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", RUN)
def test_every_example_of_a_page_runs_and_prints_what_it_shows(page, folder):
    if page == "tutorial.md":
        (folder / "lines.py").unlink()
    documents.run(DOCS / page, folder)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_another_page_leads_to_one(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!http|#)([^)#]+)", text)
    assert [link for link in links if not (DOCS / page).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.endswith("index.md")])
def test_every_page_is_in_a_table_of_contents(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    listed = re.search(r"```\{toctree\}.*?\n\n(.*?)```", text, re.DOTALL)
    assert listed
    here = (DOCS / page).parent
    assert [name for name in listed[1].split() if not (here / f"{name}.md").exists()] == []
    assert {path.stem for path in here.glob("*.md")} - {"index"} <= set(listed[1].split())


def test_the_documentation_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx", reason="the docs extra is not installed")
    pytest.importorskip("myst_parser")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "--quiet", "-b", "html"]
    done = subprocess.run([*command, DOCS, tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "index.html").exists()

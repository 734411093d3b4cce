"""How the documentation is built; ``make docs`` does it, and a warning is an error."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

from simnet import __version__  # noqa: E402

project = "simnet"
author = "the simnet authors"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "from_code"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"simnet {version}"

myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
default_role = "code"
smartquotes = False
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

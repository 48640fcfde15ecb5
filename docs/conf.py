"""How Sphinx builds these pages: `nox -s docs`. Nothing is fetched, at the build or by the pages."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from qoder_async import __version__

project = "qoder-async"
author = "The qoder-async authors"
copyright = f"2026, {author}"  # noqa: A001  Sphinx's own name
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "docstrings", "references"]
exclude_patterns = ["_build"]

# Pages
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_in_temp = True
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120

# The reference
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
default_role = "code"  # the models' docstrings quote names as Markdown does
maximum_signature_line_length = 150  # counted with the full names of types
napoleon_numpy_docstring = False
toc_object_entries_show_parents = "hide"

# The look
html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = f"qoder-async {version}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#3557b7",
        "color-brand-content": "#3557b7",
    },
    "dark_css_variables": {
        "color-brand-primary": "#9db4ff",
        "color-brand-content": "#9db4ff",
    },
}

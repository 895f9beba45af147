"""HTML pages from Jinja templates with one style sheet: every word that is put into them is cleaned, cut and escaped."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from finetrieve.core.html import clean

if TYPE_CHECKING:
    from jinja2 import Environment

WORDS_LIMIT = 2_000
"""Characters of a text that nothing shorter was asked for."""


def render_page(template: str, **values: Any) -> str:
    """Returns a page; values that are markup stay as they are."""
    return _environment().get_template(template).render(values)


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, finalize=_cleaned, trim_blocks=True, lstrip_blocks=True
    )


def _cleaned(value: object) -> object:
    return value if isinstance(value, Markup) else clean(value, WORDS_LIMIT)

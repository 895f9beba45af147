"""Text that others wrote, made safe to show, and the elements that pictures are built of."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

ELLIPSIS = "…"

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
_BIDI_OVERRIDES = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
"""They would turn around what stands after them; right-to-left scripts need none of them."""
_COMBINING_PILE = re.compile(r"([\u0300-\u036f\u0483-\u0489\u20d0-\u20f0]{4})[\u0300-\u036f\u0483-\u0489\u20d0-\u20f0]+")
"""Marks stacked so high that they cover the lines above."""


def clean(text: object, limit: int | None = None) -> str:
    """Returns the text without what a page cannot show or what would disturb its neighbours, cut to `limit` characters.

    Control characters and lone surrogates become the replacement character; bidirectional overrides go. Nothing is escaped yet.
    """
    raw = str(text)
    if limit is not None and len(raw) > limit:
        raw = raw[: limit - 1].rstrip() + ELLIPSIS
    raw = raw.replace("\r\n", "\n").encode("utf-8", "replace").decode("utf-8")
    raw = _COMBINING_PILE.sub(r"\1", _BIDI_OVERRIDES.sub("", raw))
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", raw)


def one_line(text: object, limit: int) -> str:
    """Returns cleaned text with its white space collapsed."""
    return clean(" ".join(str(text)[: 4 * limit].split()), limit)


def with_code(text: str) -> Markup:
    """Returns a text escaped, with what stands between backticks as code."""
    parts = clean(text).split("`")
    last = len(parts) - 1
    return Markup("").join(
        element("code", part) if number % 2 and number < last else escape(f"`{part}" if number % 2 else part)
        for number, part in enumerate(parts)
    )


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """Returns an element; children and attribute values are escaped unless they are markup.

    Attribute names are written as Python can: `class_` for `class`, `stroke_width` for `stroke-width`.
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _safe(value)) for key, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, Markup("").join(_safe(child) for child in children))


def _safe(value: object) -> Markup:
    return value if isinstance(value, Markup) else escape(clean(value))

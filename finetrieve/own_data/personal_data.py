"""Personal data and secrets in what people typed: e-mail addresses, long numbers, keys; found by their form."""

from __future__ import annotations

import re
from collections.abc import Iterable

KINDS = {
    "e-mail address": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "key": re.compile(
        r"\b(?:(?:sk|pk|rk|hf|gh[pousr]|glpat|xox[abprs])[-_]|AKIA|ASIA|AIza|eyJ)[A-Za-z0-9_\-./+=]{11,}[A-Za-z0-9=]"
        r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
        r"|\b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9+]{32,}={0,2}"
        r"|(?i:\b(?:password|passwd|api[_ -]?key|secret|token)\s*[:=]\s*\S+)"
    ),
    "number": re.compile(
        r"(?<![\w.-])(?!\d{4}-\d\d-\d\d\b)\+?(?:\d[ ()/.-]{0,2}){6,}\d(?!\w)|\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,}\b"
    ),
}
"""What is found -> how it looks: addresses; keys of well-known services and long random words; phone, card and account numbers,
which have at least seven digits."""


def personal_data_in(text: str) -> str | None:
    """Returns what a text holds, as `KINDS` names it, or None."""
    return next((kind for kind, form in KINDS.items() if form.search(text)), None)


def masked(text: str, kinds: Iterable[str] = KINDS) -> str:
    """Returns the text with what is personal in it replaced by its kind."""
    for kind in kinds:
        text = KINDS[kind].sub(f"[{kind}]", text)
    return text

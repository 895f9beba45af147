"""Leaves out of a query what its sentence needed and nobody types: asides, thanks, the start of the next sentence."""

from __future__ import annotations

import re

_NOW = re.compile(r"\b(?<!right )(?<!for )(?<!until )(?<!from )(?:now|also|just|simply) (?=\w)", re.I)
_NEXT_SENTENCE = re.compile(r"(?<=[a-z\d]) (?:See|Note|Refer to) [^?]*")
_CREDIT = re.compile(r",? \(?(?:contributed|reported|submitted|suggested) by (?:[A-Z@]|the )[^?]*")
_ASIDE = re.compile(r",? (?:for example|for instance|of course|in particular)\b,?(?= \w)")
_RELATIVE_ALONE = re.compile(
    r" (?:that|which) (?:allow|let|enable|make|cause|provide|contain|include|need|require|use)s?(?=\??$)"
)
_NOT_NEEDED = (_CREDIT, _NEXT_SENTENCE, _ASIDE, _NOW, _RELATIVE_ALONE)
_TELLS = re.compile(r"^(?:looking|trying|unable|can't|I (?:need|want|can't))\b")


def mended(query: str) -> str:
    """Returns a query without asides, thanks, the start of a next sentence, and a question mark where nothing is asked."""
    for pattern in _NOT_NEEDED:
        query = pattern.sub("", query)
    if query.endswith("?") and _TELLS.match(query) and ". " not in query:
        query = query[:-1]
    return query

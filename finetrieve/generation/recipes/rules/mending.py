"""Mends a query in words that the sentence needed and the query does not."""

from __future__ import annotations

import re

_NOW = re.compile(r"\b(?<!right )(?<!for )(?<!until )(?<!from )(?:now|also|just|simply) (?=\w)", re.I)
_NEXT_SENTENCE = re.compile(r"(?<=[a-z\d]) (?:See|Note|Refer to) [^?]*")
_CREDIT = re.compile(r",? \(?(?:contributed|reported|submitted|suggested) by (?:[A-Z@]|the )[^?]*")
_TELLS = re.compile(r"^(?:looking|trying|unable|can't|I (?:need|want|can't))\b")


def mended(query: str) -> str:
    """Returns a query without `now`, without who is thanked, and without a question mark where nothing is asked."""
    query = _NOW.sub("", _NEXT_SENTENCE.sub("", _CREDIT.sub("", query)))
    if query.endswith("?") and _TELLS.match(query) and ". " not in query:
        query = query[:-1]
    return query

"""Comparison of query texts: when two are the same query, and the name of an API object."""

from __future__ import annotations

import re
import unicodedata

DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
"""The title of an API object, such as `sklearn.metrics.log_loss`."""
FRAME_WORDS = frozenset(
    word
    for words in (
        "a an the of to in on for with from by at and or",
        "is are was be do does did can could should would will",
        "i you we my our your it its this that there",
        "how what which when where why who",
    )
    for word in words.split()
)
"""Words that change how a question is put but not what it asks for."""
_WORD = re.compile(r"\w+(?:['’.+#-]\w+|[+#]+)*")


def query_words(text: str) -> list[str]:
    """Returns the words of a text in comparable form: Unicode-normalised, without case and punctuation."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def normalise_query(text: str) -> str:
    """Returns the form in which two queries are the same query: words alone, without case and punctuation.

    A text without any word stands for itself. Two places compare otherwise, and say so: people's responses, where a sign more is
    an edit, and what recipes write, where case alone is ignored until the filters compare in this form.
    """
    return " ".join(query_words(text)) or text

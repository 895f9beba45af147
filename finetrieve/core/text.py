"""Comparison of query texts: when two are the same query, and the name of an API object."""

from __future__ import annotations

import re
import unicodedata

import regex

DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
"""The title of an API object, such as `sklearn.metrics.log_loss`."""


def word_set(text: str) -> frozenset[str]:
    """Returns the words of a text, with blanks between them."""
    return frozenset(text.split())


FRAME_WORDS = word_set(
    "a an the of to in on for with from by at and or is are was be do does did can could should would will "
    "i you we my our your it its this that there how what which when where why who"
)
"""Words that change how a question is put but not what it asks for."""
_WORD = r"\w+(?:['’.+#-]\w+|[+#]+)*"
_ASCII_WORD, _ANY_WORD = re.compile(_WORD), regex.compile(_WORD)  # `re` breaks Thai and Hindi words at their vowel signs
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*")
"""A character of a script that is written without spaces between words."""
CHARACTERS_PER_WORD = 2
"""About so many characters of such a script say as much as a word of another."""


def query_words(text: str) -> list[str]:
    """Returns the words of a text in comparable form: Unicode-normalised, without case and punctuation.

    Of scripts without spaces, such as Japanese or Thai, each character is one; `count_words` says how long a text is.
    """
    if text.isascii():
        return _ASCII_WORD.findall(text.casefold())
    words: list[str] = _ANY_WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return [part for word in words for part in (_parted(word) if _UNSPACED.search(word) else (word,))]


def _parted(word: str) -> list[str]:
    """Returns the characters of a script without spaces one by one, and what stands between them whole."""
    return [part for part in regex.split(f"({_UNSPACED.pattern})", word) if part]


def count_words(text: str) -> int:
    """Returns how many words long a text is; of scripts without spaces, `CHARACTERS_PER_WORD` characters count as one."""
    words = query_words(text)
    unspaced = 0 if text.isascii() else sum(_UNSPACED.fullmatch(word) is not None for word in words)
    return len(words) - unspaced + -(-unspaced // CHARACTERS_PER_WORD)


def normalise_query(text: str) -> str:
    """Returns the form in which two queries are the same query: words alone, without case and punctuation.

    A text without any word stands for itself. Two places compare otherwise, and say so: people's responses, where a sign more is
    an edit, and what recipes write, where case alone is ignored until the filters compare in this form.
    """
    return " ".join(query_words(text)) or text

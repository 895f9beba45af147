"""Words of texts as BM25 counts them: cut by script, parts of identifiers beside the whole, stemmed in the text's language.

What Lucene's analyzers do, without dictionaries: words of one character count (`C#`, `error 5`); Chinese, Japanese, Korean and
Thai are cut into pairs of characters (CJKAnalyzer); `reset_timeout` and `resetTimeout` are themselves, `reset` and `timeout`
(WordDelimiterGraphFilter); a version is itself and what it is a version of: `3.11.2`, `3.11`, `3`.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import regex
import Stemmer

from finetrieve.core.languages import stop_words

STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fr": "french", "ga": "irish",
    "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian",
    "ne": "nepali", "nl": "dutch", "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
"""Language -> the Snowball algorithm that stems it; words of others stay as they are."""
_ENGLISH = """a an and are as at be but by for i if in into is it no not of on or such that the their then there these they this
to was will with"""
ENGLISH_STOP_WORDS = frozenset(_ENGLISH.split())
"""Lucene's, and the pronoun, which its tokens of two characters or more need not name."""
ELIDED = frozenset({"ca", "fr", "it", "oc"})
"""Languages in which an apostrophe parts two words: `l'installation`."""
_WORD = regex.compile(r"\w+(?:(?<=\d)[.,](?=\d)\w+|['’]\w+)*(?:\+\+|#(?!\w))?")
_PAIRED = regex.compile(r"((?:[\p{Han}\p{Hiragana}\p{Katakana}ー\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*)+)")
"""Scripts that are written without spaces, and Korean, whose words end in particles."""
_CHARACTER = regex.compile(r"\X")
_PART = regex.compile(r"\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{Lo}\p{M}]+|\p{Lu}|\d+")
_GROUPED = regex.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_KNOWN_WORDS = 1 << 18


class Analyzer:
    """Cuts texts of one language into terms.

    Args:
        language: An ISO 639-1 code; of an unknown one the words are neither stemmed nor left out.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        algorithm = STEMMERS.get(language)
        self._stem = Stemmer.Stemmer(algorithm).stemWord if algorithm else str
        self.stop_words = ENGLISH_STOP_WORDS if language == "en" else stop_words(language)
        # Texts repeat their words: each is taken apart once.
        self._terms_of = lru_cache(maxsize=_KNOWN_WORDS)(self._word_terms)

    def terms(self, text: str, left_out: frozenset[str] = frozenset()) -> list[str]:
        """Returns the terms of a text in their order, repeated ones included.

        Args:
            text: What is read.
            left_out: Words, without case, that count as little here as the language's own function words.
        """
        words = words_of(text)
        if left_out:
            words = [word for word in words if word.casefold() not in left_out]
        return list(itertools.chain.from_iterable(map(self._terms_of, words)))

    def count_stop_words(self, text: str) -> int:
        """Returns how many words of a text are function words of the language."""
        return sum(word.casefold() in self.stop_words for word in words_of(text))

    def _word_terms(self, word: str) -> tuple[str, ...]:
        forms = (form for part in _PAIRED.split(word) if part for form in self._forms(part))
        return tuple(self._stem(form) for form in forms if form and form not in self.stop_words)

    def _forms(self, word: str) -> Iterator[str]:
        if _PAIRED.fullmatch(word):
            yield from _pairs(word)
        elif word[-1] in "+#":
            yield word.casefold()
            yield from self._forms(word.rstrip("+#"))
        elif "." in word or "," in word:
            yield from _number_forms(word)
        elif "'" in word or "’" in word:
            yield from self._without_apostrophe(word)
        else:
            yield from _identifier_forms(word)

    def _without_apostrophe(self, word: str) -> Iterator[str]:
        first, *others = regex.split("['’]", word)
        if self.language in ELIDED:
            yield from (form for part in (first, *others) if len(part) > 1 for form in _identifier_forms(part))
        elif self.language == "en" and "".join(others).casefold() == "s":
            yield from _identifier_forms(first)
        else:
            yield "'".join((first, *others)).casefold()


def words_of(text: str) -> list[str]:
    """Returns the words of a text as it writes them, identifiers and versions whole."""
    return list(_WORD.findall(text if text.isascii() else unicodedata.normalize("NFKC", text)))


@lru_cache(maxsize=64)
def analyzer(language: str) -> Analyzer:
    """Returns the analyzer of a language, which remembers the words that it has seen."""
    return Analyzer(language)


def _pairs(word: str) -> Iterator[str]:
    """Yields neighbouring characters two by two; a Chinese character has a meaning of its own and is a term besides."""
    characters = _CHARACTER.findall(word.casefold())
    if len(characters) == 1:
        yield characters[0]
        return
    yield from ("".join(pair) for pair in itertools.pairwise(characters))
    yield from (character for character in characters if regex.fullmatch(r"\p{Han}", character))


def _number_forms(word: str) -> Iterator[str]:
    """Yields `10,000` as one number, `3.11.2` with what it is a version of, and else what the commas part."""
    if _GROUPED.fullmatch(word):
        yield word.replace(",", "")
        return
    for number in word.casefold().split(","):
        parts = number.split(".")
        yield from (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        if parts[0][:1] == "v" and parts[0][1:].isdigit():
            yield from (".".join(parts[:length])[1:] for length in range(len(parts), 0, -1))


def _identifier_forms(word: str) -> Iterator[str]:
    """Yields a word as it is, and each of its parts where it is made of several: `reset_timeout`, `resetTimeout`, `python3`."""
    whole = word.casefold()
    if word.isalpha() and (word[1:].islower() or word.isupper() or len(word) == 1):
        yield whole
        return
    yield whole.replace("_", "")
    parts = [part.casefold() for part in _PART.findall(word)]
    if len(parts) > 1:
        yield from parts

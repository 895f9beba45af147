"""Languages of texts: which one a document is in, told by its script and its function words, and what people call it."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import regex

UNKNOWN = "und"
"""ISO 639's code for a language that cannot be told; an empty string means that there is hardly any prose to tell it from."""
NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish", "fr": "French",
    "ga": "Irish", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian",
    "it": "Italian", "ja": "Japanese", "ka": "Georgian", "km": "Khmer", "ko": "Korean", "lo": "Lao", "lt": "Lithuanian",
    "lv": "Latvian", "ms": "Malay", "my": "Burmese", "ne": "Nepali", "nl": "Dutch", "no": "Norwegian", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish",
    "ta": "Tamil", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
    UNKNOWN: "a language that was not recognised",
}  # fmt: skip
READ_CHARACTERS = 4_000
"""Of a text, so much is looked at: from its beginning, its middle and its end."""
SCRIPTS = {
    "ko": r"\p{Hangul}", "ja": r"[\p{Hiragana}\p{Katakana}]", "zh": r"\p{Han}", "th": r"\p{Thai}", "lo": r"\p{Lao}",
    "km": r"\p{Khmer}", "my": r"\p{Myanmar}", "el": r"\p{Greek}", "he": r"\p{Hebrew}", "hy": r"\p{Armenian}",
    "ka": r"\p{Georgian}", "ta": r"\p{Tamil}",
}  # fmt: skip
"""Scripts that one language has to itself; Japanese is told before Chinese, whose characters it shares."""
_OWN_SCRIPTS = regex.compile("|".join(SCRIPTS.values()))
SCRIPT_SHARE = 0.15
"""Of the letters, from which a script decides: documentation in any language is full of English names."""
FEWEST_WORDS, FEWEST_FOR_GUESS = 5, 15
FEWEST_DISTINCT = 3
WORD_SHARE = {"en": 0.08}
LEAST_WORD_SHARE = 0.12
"""Function words among a text's words, each divided by the number of languages that have it, from which they decide."""
GUESS_CERTAINTY = 0.9
_ENGLISH = """a about after all also an and any are as at be been before but by can could did do does each for from get had
has have he how i if in into is it its just like may more most must my no not of on one only or other our out
over set should so some such than that the their them then there these they this those to up use used using
was we were what when where which while who will with would you your"""
_CODE_AND_TAGS = regex.compile(
    r"^[ \t]*(`{3,}|~{3,}).*?(?:^[ \t]*\1[`~]*[ \t]*$|\Z)|<(script|style|pre|code)\b.*?</\2\s*>|<[^<>]{0,2000}>|`[^`\n]*`|&\w+;",
    regex.MULTILINE | regex.DOTALL | regex.IGNORECASE,
)
_NO_WORD = frozenset("_/\\=(){}[]@$#+*<>|~^0123456789")
"""What stands inside of code, addresses and identifiers, which are the same in every language; around a word it is markup."""
_WORDS = regex.compile(r"[\p{L}\p{M}]+")
_AROUND = "".join(_NO_WORD) + ".,;:!?\"'“”„«»’‘-–—"


def language_name(code: str) -> str:
    """Returns what people call a language: `German`."""
    return NAMES.get(code, f"the language '{code}'")


def language_of(text: str, *, guess: bool = True) -> str:
    """Returns the language of a text's prose as an ISO 639-1 code.

    Args:
        text: As its file has it, or as Markdown.
        guess: Whether a classifier, which takes seconds to load, is asked where script and function words do not decide.

    Returns:
        The code; "" where there is hardly any prose; `UNKNOWN` where there is prose that nothing recognised.
    """
    prose = _prose(_sampled(text))
    letters = sum(map(str.isalpha, prose))
    if not letters:
        return ""
    for code, pattern in SCRIPTS.items() if _OWN_SCRIPTS.search(prose) else ():
        if len(regex.findall(pattern, prose)) > SCRIPT_SHARE * letters:
            return code
    words = _WORDS.findall(prose.casefold())
    if len(words) < FEWEST_WORDS:
        return ""
    best, share = _by_function_words(words)
    if share >= WORD_SHARE.get(best, LEAST_WORD_SHARE):
        return best
    if not guess or len(set(words)) < FEWEST_FOR_GUESS:
        return ""
    code, certainty = _classifier().classify(prose.casefold())
    return _known(str(code)) if certainty >= GUESS_CERTAINTY else UNKNOWN


def document_languages(texts: Iterable[str], *, guess: bool = True) -> list[str]:
    """Returns the language of each document; one with hardly any prose is taken to be in the language of most others.

    So is a list of names or a table of figures, which is in no language that could be recognised, unless most documents are so.

    Args:
        texts: The documents.
        guess: As in `language_of`.
    """
    texts = list(texts)
    found = [language_of(text, guess=False) for text in texts]
    counts = Counter(code for code in found if code)
    if guess and 2 * counts.total() < len(texts):
        found = [code or language_of(text) for code, text in zip(found, texts, strict=True)]
        counts = Counter(code for code in found if code)
    most = counts.most_common(1)[0][0] if counts else ""
    return [code or most for code in found]


def language_shares(codes: Sequence[str]) -> dict[str, int]:
    """Returns language -> how often, the most frequent first."""
    return dict(Counter(codes).most_common())


def stop_words(code: str) -> frozenset[str]:
    """Returns the function words of a language, of which there are none for those without a list."""
    return _stop_words().get(code, frozenset())


def _sampled(text: str) -> str:
    if len(text) <= READ_CHARACTERS:
        return text
    part, middle = READ_CHARACTERS // 3, len(text) // 2
    return "\n".join((text[:part], text[middle : middle + part], text[-part:]))


def _prose(text: str) -> str:
    """Returns the words of a text without code, tags, addresses and identifiers, which are the same in every language."""
    words = (word.strip(_AROUND) for word in _CODE_AND_TAGS.sub(" ", text).split())
    return " ".join(word for word in words if _NO_WORD.isdisjoint(word) and "." not in word and ":" not in word)


def _by_function_words(words: Sequence[str]) -> tuple[str, float]:
    """Returns the language whose function words make up most of the words, and their share as `LEAST_WORD_SHARE` counts it."""
    scores = dict[str, float]()
    weights = _weights()
    for word, count in Counter(words).items():
        for code, weight in weights.get(word, ()):
            scores[code] = scores.get(code, 0.0) + count * weight
    if not scores:
        return "", 0.0
    best = max(sorted(scores), key=lambda code: scores[code])
    distinct = len(_stop_words()[best].intersection(words))
    return best, scores[best] / len(words) if distinct >= FEWEST_DISTINCT else 0.0


@functools.cache
def _stop_words() -> dict[str, frozenset[str]]:
    from stop_words import LANGUAGE_MAPPING, get_stop_words

    words = {_known(code): frozenset(word.casefold() for word in get_stop_words(code)) for code in LANGUAGE_MAPPING}
    # The English list is of a thousand words, most of which are what documentation is about; the Vietnamese one likewise.
    return {**words, "en": frozenset(_ENGLISH.split())}


@functools.cache
def _weights() -> dict[str, list[tuple[str, float]]]:
    owners: dict[str, list[str]] = {}
    for code, words in _stop_words().items():
        for word in words:
            owners.setdefault(word, []).append(code)
    return {word: [(code, 1 / len(codes)) for code in codes] for word, codes in owners.items()}


def _known(code: str) -> str:
    return {"nb": "no", "nn": "no", "yue": "zh", "wuu": "zh", "arz": "ar", "ary": "ar"}.get(code, code)


@functools.cache
def _classifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

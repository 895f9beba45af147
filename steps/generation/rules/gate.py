"""The quality gate: why a query does not read as if a person had asked it."""

from __future__ import annotations

import re
from functools import lru_cache

from steps.generation.rules.grammar import is_base_verb, is_code, lemmas, verb_base
from steps.generation.rules.lexicon import ADVERBS, CONJUNCTIONS, FUNCTION_WORDS, GENERIC_NOUNS, PREPOSITIONS
from steps.generation.rules.phrasing import content_words

LONGEST, SHORTEST = 17, 2
"""Words."""
_POINTS_OUT = re.compile(
    r"\b(?:the following|this (?:section|page|guide|chapter|document|article|tutorial|example|case|way)|these (?:steps|"
    r"sections|options|instructions)|"
    r"as follows|see also|above|below|aforementioned|listed|shown here|table \d|figure \d|e\.g|i\.e|etc)\b",
    re.I,
)
_MARKDOWN = re.compile(r"\*\*|__|`|\]\(|!\[|\||#{2,}|<[^>]*>|\{|\}|\\|https?:|\x1f|→|•|…")
_CUT_SHORT = re.compile(
    r"\b(?:to|and) (?:find out|ensure|make sure|see|allow|show|add|include|specify|determine|know)\?$|\b(?:and|or) \w{3,}ed\?$",
    re.I,
)
_REPEATED = re.compile(r"\b([\w']+) \1\b", re.I)
_STARTS = re.compile(
    r"^(?:How (?:do|can|should) I|How to|Can I|Is it possible to|Is there a way to|What is the way to|What's the best way to|"
    r"Why should I|Do I need to) (\S+)",
    re.I,
)
_ENDS = re.compile(
    r"\b(?:the|an?|my|your|of|and|or|to|that|which|with|for|from|by|at|into|if|when|is|are|be|as|than|very|more|its|their|not|"
    r"only|can|will)\s*[?.]?$",
    re.I,
)
_TO_ENDS = re.compile(r"\b(?:for|to|set \S+ to|from|with|by|on|about|in)\?$")


def reject_reason(query: str, sentences: frozenset[str]) -> str | None:
    """Returns why a query is dropped, or None if it reads well; `sentences` are the passage's own, normalised."""
    words = query.rstrip("?").split()
    if not SHORTEST <= len(words) <= LONGEST:
        return f"{len(words)} words, {SHORTEST} to {LONGEST} are wanted"
    if match := _MARKDOWN.search(query):
        return f"left-over markup {match[0]!r}"
    if query.count('"') % 2 or query.count("(") != query.count(")") or query.count("[") != query.count("]"):
        return "unbalanced quotes or brackets"
    if match := _POINTS_OUT.search(query):
        return f"points at something outside: {match[0]!r}"
    if words[0].lower() in CONJUNCTIONS - {"when", "where", "which", "who", "why", "whose", "whom", "how", "that"}:
        return f"starts with {words[0]!r}"
    if _ENDS.search(query) and not query.endswith("do that?") and not _is_stranded_on_purpose(query):
        return f"ends on {words[-1]!r}"
    if match := _CUT_SHORT.search(query):
        return f"is cut short after {match[0].strip('?')!r}"
    if match := _REPEATED.search(query):
        return f"repeats {match[1]!r}"
    if verb := _STARTS.match(query):
        first = verb[1].lower().strip(",")
        if not is_base_verb(first) and first not in ADVERBS and first not in {"be", "have", "do"} and not first.endswith("ly"):
            return f"{first!r} is no verb"
    return _content_reason(query, words, sentences)


def _is_stranded_on_purpose(query: str) -> bool:
    return bool(re.match(r"^(?:What (?:is|are|do|does|should|can)|Which)\b.*\b(?:for|to|from|with|by|on|about|in)\?$", query))


def _content_reason(query: str, words: list[str], sentences: frozenset[str]) -> str | None:
    content = content_words(query)
    if not content:
        return "no content word"
    plain_words = [word.lower().strip("?,") for word in words]
    if all(
        word in GENERIC_NOUNS
        or word in FUNCTION_WORDS
        or (is_base_verb(word) and word in {"use", "set", "change", "find", "get", "do", "choose", "enable", "disable"})
        for word in plain_words
    ):
        return "says nothing in particular"
    if sum(is_code(word) for word in words) > len(words) / 2:
        return "code, not a question"
    if len(plain_words) >= 4 and normalised(query) in sentences:
        return "a sentence of the chunk"
    if sum(len(word) for word in words) > 120:
        return "too long to type"
    if len([word for word in plain_words if re.search(r"[^\x00-\x7f]", word)]) > 2:
        return "not English"
    if re.search(r"\d{5,}|\d+,\d{3},\d{3}|\w{35,}", query) or any(_runs_together(word) for word in words):
        return "long numbers or run-together words"
    if plain_words[-1] in PREPOSITIONS - {
        "on",
        "off",
        "up",
        "out",
        "in",
        "for",
        "to",
        "from",
        "with",
        "down",
        "over",
        "about",
        "by",
        "through",
        "like",
    }:
        return f"ends on {plain_words[-1]!r}"
    return None


@lru_cache(maxsize=20_000)
def _runs_together(word: str) -> bool:
    """`theCompany`, `changingenvironment`: two words whose space was lost on the way from a page."""
    word = re.sub(r"'s$|[?,.]", "", word)
    if re.match(r"^(?:the|of|and|our|to|in|for|with)[A-Z][a-z]+$|^[A-Z]?[a-z]{3,}(?:The|Our|In|We|This|If)$", word):
        return True
    if not re.fullmatch(r"[a-z]{11,}", word) or lemmas(word) or verb_base(word):
        return False
    halves = ((word[:place], word[place:]) for place in range(3, len(word) - 2))
    return any((first in FUNCTION_WORDS or lemmas(first)) and lemmas(second) for first, second in halves)


def normalised(text: str) -> str:
    """Returns text as lower-case words, for comparison."""
    return " ".join(re.findall(r"[\w'-]+", text.lower()))

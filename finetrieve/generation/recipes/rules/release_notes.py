"""What release notes say was done: `Fix the crash on start`. Nobody asks how to do that, but which version did it."""

from __future__ import annotations

import re

from finetrieve.core.text import word_set
from finetrieve.generation.recipes.rules.grammar import (
    inflect,
    is_only_adjective,
    is_plural,
    is_word,
    lemmas,
    starts_imperative,
    verb_base,
    words_of,
)
from finetrieve.generation.recipes.rules.headings import names_version
from finetrieve.generation.recipes.rules.lexicon import DETERMINERS, GENERIC_NOUNS, MICRO_STEPS
from finetrieve.generation.recipes.rules.phrases import lower_first, noun_phrase, verb_phrase
from finetrieve.generation.recipes.rules.phrasing import Candidate, content_words, searched
from finetrieve.generation.recipes.rules.sentence_context import Context

_REFERENCE = re.compile(r"^(?:\W*(?:#|GH-|issue |bug )\d+\W+|\[[^\]]*\]\s*)+", re.I)
_TITLE = re.compile(r"[\w.]+(?:[ -]\w+)?[ -]v?\d+\.\d[\w.]*")
"""`Mill 2.6`: a page about one version."""
_THANKS = re.compile(r"^(?:pull request|patch|thanks|courtesy|kudos|reported|contributed)\b", re.I)
_CLAUSE = re.compile(
    r",|\s(?:where|when(?! \w+ing\b)|that|which|if|because|while|whose)\s|\sand (?:add|fix|remove|improve|update|use|make)\b"
)
_CREDIT = re.compile(
    r"\s*[,.;(]?\s*\b(?:contributed|reported|submitted|suggested|thanks) (?:by|to) .*$|\s*\((?:issue|bug|#).*$", re.I
)
_CHANGES = word_set(
    "fix add remove deprecate rename drop introduce improve update upgrade change replace move refactor rework revert restore "
    "correct resolve implement extend simplify"
)
_COUNTS = DETERMINERS | word_set("many several few")
_TO_WHAT, _PURPOSE = re.compile(r"\s(?:to|with|by|from|so)\s"), re.compile(r"\s(?:to|so|by)\s")
_TO = re.compile(r"^(?:rename|change|move|update|upgrade|replace)\b")


def is_release_notes(title: str, section: str) -> bool:
    """Returns whether a chunk tells what a version changed, by its title and its headings."""
    return bool(_TITLE.fullmatch(title)) or any(map(names_version, (title, *section.split(" > "))))


def change_candidates(sentence: str, context: Context) -> list[Candidate] | None:
    """Returns what an entry of release notes is asked about, or None for a sentence that tells of no change."""
    words = words_of(_REFERENCE.sub("", sentence))
    if _THANKS.match(sentence):
        return []
    base = _changed(words)
    if base is None:
        return None
    rest = _CREDIT.sub("", _REFERENCE.sub("", sentence)).partition(" ")[2]
    if base == "support":
        base, rest = "add", f"support for {rest}"
    named = _CLAUSE.split((_TO_WHAT if _TO.match(base) else _PURPOSE).split(rest)[0])[0]
    thing = noun_phrase(named, "", 9) if base in _CHANGES else None
    if not thing or not _says_which(thing) or _tells_what_to_do(thing):
        phrase = verb_phrase(f"{base} {named if base in _CHANGES else rest}", "") if base not in MICRO_STEPS else None
        return (
            [context.ready([("keywords", searched(phrase), 8)], phrase, 0.6)] if phrase and len(content_words(phrase)) > 2 else []
        )
    thing = lower_first(thing)
    done = inflect(base, "VBN")
    many = is_plural(thing)
    told = thing if many or thing.split()[0].lower() in _COUNTS or not is_word(thing.split()[0]) else f"the {thing}"
    keywords = searched(thing) if base in {"fix", "correct", "resolve", "add", "introduce"} else f"{searched(thing)} {done}"
    return [
        context.ready(
            [
                ("which", f"Which version {inflect(base, 'VBD')} {told}?", 6),
                ("yes_no", f"{'Have' if many else 'Has'} {told} been {done}?", 6),
                ("keywords", keywords, 8),
            ],
            thing,
            0.78,
        )
    ]


def _says_which(thing: str) -> bool:
    """`a simple but critical issue` could be any, `the crash on start` could not."""
    content = content_words(thing)
    general = content_words(" ".join(word for word in thing.split() if word.lower() in GENERIC_NOUNS or is_only_adjective(word)))
    return len(content) > 1 and bool(content - general)


def _tells_what_to_do(thing: str) -> bool:
    """`Fix: prevent tasks from hanging` names no thing, `Fix crash when the disk is full` does."""
    first, *after = thing.lower().split()
    return starts_imperative([first, *after]) and (after[0] in DETERMINERS or "NOUN" not in lemmas(first))


def _changed(words: list[str]) -> str | None:
    """Returns the base of the verb with which an entry starts (`Fix`, `Fixed`, `Fixes`), or None."""
    if len(words) < 2 or not is_word(words[0]):
        return None
    first = words[0].lower()
    base = verb_base(first)
    if base in _CHANGES or base == "support":
        return base if first in {base, inflect(base, "VBD"), inflect(base, "VBZ")} else None
    return first if starts_imperative(words) else None

"""Turns what can be asked about into the words people use: weighted templates and synonyms, chosen by a stable hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from finetrieve.core.text import word_set
from finetrieve.generation.recipes.rules.grammar import be_for, do_for
from finetrieve.generation.recipes.rules.lexicon import FORMS, GENERIC_NOUNS, MODALS, NOUN_SYNONYMS, PARTICLES, SYNONYMS
from finetrieve.generation.recipes.rules.phrases import core, lower_first, without_determiners

Form = tuple[str, str, int]
"""(style, template, weight)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that a chunk answers."""

    kind: str
    """`action` (a verb phrase), `thing` (a noun phrase) or `ready` (whole questions)."""
    phrase: str
    score: float
    """How sure it is that the chunk answers it and that people ask it, 0..1."""
    unit: int
    """Which unit of the chunk it came from; -1 for the title, -2 for the heading."""
    forms: tuple[Form, ...] = ()
    """Templates instead of the kind's own; in `ready` they hold the questions."""
    context: str = ""
    """What the thing belongs to, when its name alone says little."""
    tags: frozenset[str] = field(default_factory=frozenset)


ACTION_FORMS = FORMS["action"]
ACTION_SEARCHES = FORMS["action_search"]
"""What people type without asking: searches, needs and what does not work. Only beside a question about the same."""
THING_SEARCHES = FORMS["thing_search"]
PLACE_FORMS = FORMS["place"]
_PLACE_VERBS = word_set(
    "view see find change set enable disable choose select check turn adjust manage configure customize edit add show hide "
    "access review"
)
THING_FORMS = FORMS["thing"]
FACT_FORMS = FORMS["fact"]
OPTION_FORMS = FORMS["option"]
PREFERENCE_FORMS = FORMS["preference"]
_SYNONYM_SHARE = 38
"""Percent of verbs that are said with another word than the text's."""
_NOUN_SYNONYM_SHARE = 22
_CORE_SHARE = 35
_CONTEXT_SHARE = 18


def stable(*parts: object) -> int:
    """Returns a number that depends on the parts only, the same in every process."""
    return int.from_bytes(hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=6).digest(), "big")


def weighted_order(forms: Sequence[Form], *key: object) -> list[Form]:
    """Returns the forms in an order drawn without replacement by weight, fixed by the key (Efraimidis-Spirakis)."""

    def draw(form: Form) -> float:
        uniform = (stable(*key, form[1]) % 1_000_003 + 1) / 1_000_004
        return float(uniform ** (1.0 / max(form[2], 1)))

    return sorted(forms, key=draw, reverse=True)


def renderings(candidate: Candidate, *key: object) -> Iterator[tuple[str, str]]:
    """Yields (query, style) for every form of a candidate, in the order drawn for the key."""
    forms = candidate.forms or _forms(candidate)
    if candidate.context and candidate.kind == "thing":
        # `the Print in Gallery option` is no English: what belongs somewhere takes templates that end on its name.
        forms = tuple(form for form in forms if not re.search(r"\{p\} (?:option|setting|feature|on)", form[1]))
    drawn = weighted_order(forms, *key, candidate.phrase)
    if candidate.kind != "ready":
        searches = ACTION_SEARCHES if candidate.kind == "action" else THING_SEARCHES
        drawn += weighted_order(searches, *key, candidate.phrase, "searches")
    for form in drawn:
        yield _render(candidate, form, *key), form[0]


FAMILIES = {"keywords": "keywords", "need": "need", "problem": "problem"}
"""Style -> the family that it is of; all others are questions. A phrase is said once in each family."""


_UNSEARCHED = word_set("i i'm that which is are be been")
_RELATIVE = re.compile(r"^(\S+ (?:\S+ )*?(?!sure|certain|so|such|not)\S+) (?:that|which) \S")


def searched(phrase: str) -> str:
    """Returns a phrase as people type it into a search box, in small letters where it has no names."""
    if relative := _RELATIVE.match(phrase):
        phrase = relative[1]
    said = without_determiners(phrase).split()
    words = [
        word
        for word, before in zip(said, ["", *said], strict=False)
        if word.lower() not in _UNSEARCHED or (word == "be" and before.lower() in MODALS | {"to"})
    ]
    return lower_first(" ".join(words)) if words else ""


def _forms(candidate: Candidate) -> tuple[Form, ...]:
    if candidate.kind == "action":
        place = candidate.phrase.split()[0] in _PLACE_VERBS and "ui" in candidate.tags
        return ACTION_FORMS + PLACE_FORMS if place else ACTION_FORMS
    return THING_FORMS


def _render(candidate: Candidate, form: Form, *key: object) -> str:
    style, template, _ = form
    if candidate.kind == "ready":
        return template
    phrase = candidate.phrase
    if candidate.kind == "action":
        phrase = varied_action(phrase, *key, template)
    else:
        phrase = _nouns_varied(phrase, *key, template) if "keep" not in candidate.tags else phrase
    named = (
        candidate.kind == "thing"
        or "own" in candidate.tags
        or stable("context", *key, candidate.phrase, template) % 100 < _CONTEXT_SHARE
    )
    context = candidate.context if named else ""
    if context and style != "keywords":
        phrase = f"{phrase} {context}"
    keywords = searched(f"{candidate.phrase} {context}".strip())
    query = template.format(p=phrase, k=keywords, be=be_for(phrase), do=do_for(phrase))
    return (
        query[:1].upper() + query[1:] if style != "keywords" and not query.startswith(("looking", "unable", "trying")) else query
    )


def varied_action(phrase: str, *key: object) -> str:
    """Returns a verb phrase that is now and then shorter than the text's, and says its verb or noun in other words."""
    shorter = core(phrase)
    if shorter and stable("core", *key, phrase) % 100 < _CORE_SHARE:
        phrase = shorter
    words = phrase.split()
    verb = " ".join(words[:2]) if len(words) > 2 and words[1] in PARTICLES else words[0]
    choices = SYNONYMS.get(verb, ())
    if choices and stable("synonym", *key, phrase) % 100 < _SYNONYM_SHARE:
        other = choices[stable("which", *key, phrase) % len(choices)]
        phrase = _with_verb(verb, other, phrase)
    return _nouns_varied(phrase, *key)


def _with_verb(verb: str, other: str, phrase: str) -> str:
    rest = phrase[len(verb) :].strip()
    first = rest.split()[0] if rest else ""
    if first in {"to", "with", "from", "for", "by", "in", "as", "into"} or (first in PARTICLES and verb.count(" ") == 0):
        return phrase
    if (verb == "apply" or (verb in {"convert", "transform"} and other == "turn")) and " to " in rest:
        return phrase
    if other.split()[0] in phrase.split():
        return phrase
    return f"{other} {rest}"


def _nouns_varied(phrase: str, *key: object) -> str:
    words = phrase.split()
    for place, word in enumerate(words[1:], start=1):
        choices = NOUN_SYNONYMS.get(word, ())
        if choices and stable("noun", *key, phrase, word) % 100 < _NOUN_SYNONYM_SHARE:
            words[place] = choices[stable("which noun", *key, phrase, word) % len(choices)]
            break
    return " ".join(words)


def content_words(text: str) -> frozenset[str]:
    """Returns the words of a query that carry its content, cut to their stems' first letters for comparison."""
    from finetrieve.generation.recipes.rules.lexicon import FUNCTION_WORDS

    words = re.findall(r"[\w'-]+", text.lower())
    return frozenset(word[:6].rstrip("s") for word in words if word not in FUNCTION_WORDS and word not in _TEMPLATE_WORDS)


_TEMPLATE_WORDS = word_set("way possible best need want option work use used find there explain purpose mean happens")


def says_enough(phrase: str) -> bool:
    """Returns whether a noun phrase names something, rather than `the options`."""
    return any(word not in GENERIC_NOUNS for word in without_determiners(phrase.lower()).split())

"""The word lists of the rules, read from `words/`: closed word classes, and which words documentation uses as verbs.

General English only: nothing here knows a product.
"""

from __future__ import annotations

from pathlib import Path

from finetrieve.core.text import word_set

_FOLDER = Path(__file__).parent / "words"


def _words(name: str) -> frozenset[str]:
    return word_set((_FOLDER / f"{name}.txt").read_text(encoding="utf-8"))


def _rows(name: str) -> list[list[str]]:
    return [line.split("\t") for line in (_FOLDER / f"{name}.tsv").read_text(encoding="utf-8").splitlines()]


def _choices(name: str) -> dict[str, tuple[str, ...]]:
    return {row[0]: tuple(row[1:]) for row in _rows(name)}


DETERMINERS = _words("determiners")
POSSESSIVES = _words("possessives")
PREPOSITIONS = _words("prepositions")
PARTICLES = _words("particles")
CONJUNCTIONS = _words("conjunctions")
PRONOUNS = _words("pronouns")
AUXILIARIES = _words("auxiliaries")
FINITE_AUXILIARIES = _words("finite_auxiliaries")
MODALS = _words("modals")
ADVERBS = _words("adverbs")
QUESTION_WORDS = _words("question_words")
FUNCTION_WORDS = DETERMINERS | PREPOSITIONS | CONJUNCTIONS | PRONOUNS | AUXILIARIES | ADVERBS | QUESTION_WORDS
"""Words that carry grammar and no content."""

VERBS = _words("verbs")
"""Words that are a verb wherever they can be one."""
MAYBE_VERBS = _words("maybe_verbs")
"""Words that are as often a noun: the neighbours decide."""
MICRO_STEPS = _words("micro_steps")
"""Verbs of a single hand movement or of a pointer elsewhere: worth asking is only what follows "to" in such a sentence."""
NEEDS_OBJECT = _words("needs_object")
"""Verbs that say nothing without what they act on: `move to a folder` lost it."""
PHRASAL_VERBS = _choices("phrasal_verbs")
"""Nouns that are a verb before one of these particles: `hand in`, `plug in`, `top up`."""
MANUAL_VERBS = _words("manual_verbs")
"""Nouns, or both, that are a verb at the beginning of a heading before several things: `Paint walls`, `Rinse lenses`."""
NOUN_COMPOUNDS = _choices("noun_compounds")
"""Verbs that are a noun before one of these: `mount points`, `release notes`."""
NEEDS_COMPLEMENT = _words("needs_complement")
"""Words with which no question about a statement can end."""

GENERIC_NOUNS = _words("generic_nouns")
"""Nouns that need company to say what a query is about."""
GENERIC_HEADINGS = _words("generic_headings")
"""Words of which a heading says nothing if it has no others: `Basic usage`, `Bug fixes`."""
NOMINAL_GERUNDS = _words("nominal_gerunds")
NOMINALIZATIONS = {row[0]: row[1] for row in _rows("nominalizations")}
"""Head nouns of headings that name an activity: `fingerprint management` asks how to manage fingerprints."""

SYNONYMS = _choices("synonyms")
"""What people say instead, by the verb (with its particle) that the text uses."""
NOUN_SYNONYMS = _choices("noun_synonyms")

VAGUE_HEADINGS: dict[str, tuple[tuple[str, str], ...]] = {}
"""Headings that say nothing without the document's title `t`: (style, template) to ask instead."""
for _heading, _style, _template in _rows("vague_headings"):
    VAGUE_HEADINGS[_heading] = (*VAGUE_HEADINGS.get(_heading, ()), (_style, _template))

EMPTY_HEADINGS = frozenset(row[0] for row in _rows("empty_headings"))
"""Headings that nobody asks about."""

FORMS: dict[str, tuple[tuple[str, str, int], ...]] = {}
"""What is asked about -> (style, template, weight): `p` is its phrase, `k` its words as people search for them."""
for _kind, _style, _template, _weight in _rows("forms"):
    FORMS[_kind] = (*FORMS.get(_kind, ()), (_style, _template, int(_weight)))

"""What a question asks about: that it is a thing, that the chunk names it so, and that it agrees with its verb."""

from __future__ import annotations

import re

from finetrieve.generation.recipes.rules.grammar import (
    ends_noun_phrase,
    is_noun,
    is_only_adjective,
    is_plural_noun,
    is_word,
    lemmas,
    starts_imperative,
    third_person_base,
    without_adverbs,
    words_of,
)
from finetrieve.generation.recipes.rules.lexicon import DETERMINERS, FUNCTION_WORDS, PARTICLES, POSSESSIVES

_THING_ASKED = re.compile(
    r"^(?:What (?:is|are|does|do)(?: meant by)?|How (?:do I|can I|to) use|Can you explain|How does|How do) (.+?)(?: do|"
    r" for| mean| work)?\?$"
)
_CODE_NAME = re.compile(r"^(?:the )?(?:[A-Z]{2,}[-_ ]?\d[\w-]*|[A-Z][A-Z\d]*_[A-Z\d_]+|[\d.-]+|v\d[\w.]*)$")
_WITH_ARTICLE = re.compile(r"^(?:an?|the) ([\w-]+)(?: (?:in|of|for|with) .+)?$")
_BARE = re.compile(r"^([\w-]+)(?: (?:in|of|for|with) .+)?$")
_PLURAL_OF = re.compile(r"^([A-Z][a-z]+) of (?!(?:the|an?)\b)[a-z]")
"""`Recordings of sound`: a heading that sums up what stands below it."""
_AGREES = re.compile(
    r"^What (is|are) (?!meant by)([\w'-]+(?: [\w'-]+){0,4}?)(?:\?| (?:for|in|of|that|which)\b)"
    r"|^(Does) ((?:the |my |an? )?[\w'-]+(?: [\w'-]+){0,2}?) (?:support|require|need|include|use|have|provide|contain|"
    r"work|allow)\b"
)


def thing_reason(query: str, sentences: frozenset[str]) -> str | None:
    """Returns why what a query asks about is no thing; `sentences` are the chunk's own, normalised."""
    if asked := _THING_ASKED.match(query):
        thing = asked[1]
        if _CODE_NAME.match(thing):
            return "asks about a code"
        if query.startswith("What do ") and query.endswith(" do?") and len(query.split()) <= 4 and thing.islower():
            return "says nothing in particular"
        if re.search(r"\w[a-z]ed$", thing) and query.endswith(" do?"):
            return "a participle before 'do'"
        if (article := _WITH_ARTICLE.match(thing)) and _is_no_thing(article[1], sentences):
            return f"{article[1]!r} is no thing"
        if (bare := _BARE.match(thing)) and "ADJ" in lemmas(bare[1]) and (bare[1].islower() or not is_noun(bare[1])):
            return f"{bare[1]!r} is no thing"
        if (of_title := _PLURAL_OF.match(thing)) and is_plural_noun(of_title[1]) and not _defines(thing, sentences):
            return f"asks about a heading: {thing!r}"
        if " " not in thing and set(lemmas(thing)) == {"VERB"} and thing.endswith(("ed", "id")):
            return f"{thing!r} is no thing"
        if re.search(r"\b(?:that|which|who) (?:come|go|get|take|make|turn|bring|put|look)s?$", thing):
            return "its last clause is cut short"
        last = thing.split()[-1]
        if " " in thing and third_person_base(last) and not is_plural_noun(last):
            return f"a statement: {last!r}"
        if _is_action(thing):
            return f"asks about a heading: {thing!r}"
    if match := _AGREES.match(query):
        return _disagreement(match[1] or match[3], match[2] or match[4])
    return None


def _is_no_thing(word: str, sentences: frozenset[str]) -> bool:
    """Whether a word behind an article names nothing: it is an adjective, or the chunk only has it before a noun or as a name.

    `a wireless` of `a wireless charger`, `a Bluetooth` of `Bluetooth connects`. A word that the chunk does not have was said for
    another one, or stands in a title.
    """
    if is_only_adjective(word) or is_plural_noun(word):
        return not is_plural_noun(word)
    use_of = re.compile(rf"(?:(\S+) )?\b{re.escape(word.lower())}(?: (\S+)|$)")
    uses = [use for sentence in sentences for use in use_of.finditer(sentence)]
    return bool(uses) and not any(use[1] in DETERMINERS | POSSESSIVES and ends_noun_phrase(use[2]) for use in uses)


def _defines(thing: str, sentences: frozenset[str]) -> bool:
    """Whether the chunk says what a thing is."""
    said = re.compile(
        rf"(?:^|\b(?:an?|the|all|these) ){re.escape(thing.lower())} (?:are|is|means?|describes?|contains?|consists?)\b"
    )
    return any(said.search(sentence) for sentence in sentences)


def _is_action(thing: str) -> bool:
    """`Calibrate a plate`, `Switch updates off`: a heading that tells what to do."""
    words = words_of(without_adverbs(thing))
    behind = words[2:3] if words[1:2] and words[1] in PARTICLES else words[1:2]
    titled = thing[0].isupper() or not DETERMINERS.isdisjoint(behind)
    return titled and starts_imperative(words, heading=True) and any(word.islower() for word in words[1:])


def _disagreement(verb: str, thing: str) -> str | None:
    """`What is Webhooks`, `Does the connectors`, `What are feature selector`."""
    words = thing.split()
    head = words[-1]
    if not is_word(head) or head.isupper() or head.lower() in FUNCTION_WORDS:
        return None
    many = " and " in thing or (is_plural_noun(head.lower()) and (bool(lemmas(head)) or is_plural_noun(head.capitalize())))
    if (
        verb in {"is", "Does"}
        and many
        and (len(words) == 1 or words[0][0].islower())
        and len(words) < 6
        and not head.endswith(("ics", "ings"))
    ):
        return f"{verb!r} does not agree with {head!r}"
    if verb == "are" and not many and lemmas(head) and "VERB" not in lemmas(head) and not any(map(is_plural_noun, words)):
        return f"{verb!r} does not agree with {head!r}"
    return None

"""What titles and headings ask: `Setting up X`, `Delete a group`, `X settings`, `Installation`."""

from __future__ import annotations

import re

from finetrieve.core.text import word_set
from finetrieve.generation.recipes.rules.grammar import (
    ends_noun_phrase,
    gerund_base,
    gerund_starts_action,
    inflect,
    is_adverb,
    is_code,
    is_only_adjective,
    is_only_verb,
    is_plural_noun,
    is_word,
    lemmas,
    starts_imperative,
    third_person_base,
    without_adverbs,
    words_of,
)
from finetrieve.generation.recipes.rules.lexicon import (
    EMPTY_HEADINGS,
    FINITE_AUXILIARIES,
    FUNCTION_WORDS,
    GENERIC_HEADINGS,
    GENERIC_NOUNS,
    NOMINALIZATIONS,
    PARTICLES,
    PREPOSITIONS,
    QUESTION_WORDS,
    VAGUE_HEADINGS,
)
from finetrieve.generation.recipes.rules.phrases import (
    first_person,
    lower_first,
    noun_phrase,
    resolve,
    verb_phrase,
    without_asides,
)
from finetrieve.generation.recipes.rules.phrasing import FACT_FORMS, PREFERENCE_FORMS, THING_FORMS, Candidate, Form
from finetrieve.generation.recipes.rules.prose import plain

_NUMBERING = re.compile(
    r"^(?:(?:step|part|chapter|section|appendix|item|note)\s+[\dA-Z]{1,3}\s*[:.–-]\s*|\d+(?:\.\d+)*\.?\)?\s+|[A-Za-z]\)\s+|"
    r"[-–•>]\s+)",
    re.I,
)
_EMPTY = re.compile(
    r"^(?:conclusion|next steps|summary|wrap(?:ping)? up|(?:scenario|step|option|case|phase|example|pattern|method) ?\d)", re.I
)
_QUESTION = re.compile(r"^(?:" + "|".join(sorted(QUESTION_WORDS)) + r")\b.*\?$", re.I)
_PREFERENCES = re.compile(r"^(.*\S)?\s*\b(settings|preferences|options)$", re.I)
_NOTES = re.compile(
    r"\b(?:change ?logs?|(?:change|release|version) history|release notes?|what[’']?s (?:new|changed)|bug ?fixes)\b|"
    r"^(?:merged (?:prs|pull requests)|bugs? fixed|features added|(?:backwards?[- ])?incompatible changes|breaking changes|"
    r"deprecations and removals|changes between .*\d\.\d.*)$",
    re.I,
)
_VERSION = re.compile(r"(?:version |release |v)?\d+\.\d+[\w.+-]*(?: ?\(.*\)| ?[–—-] .*)?", re.I)
_GENERAL = GENERIC_HEADINGS | GENERIC_NOUNS | FUNCTION_WORDS
_ELSE = word_set("another other more further additional selected miscellaneous various")
_UNASKED = word_set("never not")
"""`Never share your password`: nobody asks how."""
_DIFFERENCE = re.compile(
    r"^(?:the )?(?:differences? between|comparing|comparison of)\s+(.+?)\s+(?:and|with|to|vs\.?)\s+(.+)$|^(.+?)\s+(?:vs\.?|"
    r"versus)\s+(.+)$",
    re.I,
)


def readable_title(title: str) -> str:
    """Returns a title without numbering, Markdown, a site's name behind a bar or the machinery of a path or URL."""
    title = plain(title) if not re.match(r"^https?://", title) else title
    if re.match(r"^(?:https?://|/)\S+$", title) or re.fullmatch(r"[\w./-]+\.(?:md|mdx|rst|html?|txt|ipynb|py)", title):
        parts = [part for part in re.sub(r"\.\w{2,5}$", "", title).split("/") if part and part.lower() not in {"index", "readme"}]
        title = re.sub(r"[-_]+", " ", parts[-1]) if parts else ""
    title = re.split(r"\s+[|·»]\s+", title)[0]
    title = _NUMBERING.sub("", without_asides_of_title(title))
    return title.strip(" .:;-–—#")


def without_asides_of_title(title: str) -> str:
    """Returns a title without a part in brackets, unless nothing else is there."""
    bare = re.sub(r"\s*[\[(][^\])]*[\])]\s*$", "", title).strip()
    return bare or title


def names_version(heading: str) -> bool:
    """Returns whether a heading is a version or the title of release notes: no thing that one asks about."""
    return bool(_NOTES.search(heading) or _VERSION.fullmatch(heading.strip()))


def topic_of(heading: str) -> str:
    """Returns the noun phrase that `it` and `this feature` stand for under a heading, or an empty string if it names no thing."""
    heading = re.sub(r"^(?:understanding|about|introduction to|overview of) (?=\w)", "", heading, flags=re.I)
    words = words_of(heading)
    if (
        not words
        or len(words) > 6
        or names_version(heading)
        or re.search(r"(?:^|\s)v?\d+\.\d", heading)
        or heading.lower() in EMPTY_HEADINGS
        or heading.lower() in VAGUE_HEADINGS
        or heading.endswith("?")
    ):
        return ""
    if all(word.lower() in _GENERAL for word in words) or re.search(r" to \w+$", heading):
        return ""
    if words[0].lower() in QUESTION_WORDS | PREPOSITIONS or starts_imperative(words, heading=True) or gerund_starts_action(words):
        return ""
    return heading


def heading_candidates(heading: str, title: str, unit: int, text: str, instructional: bool, ui: bool) -> list[Candidate]:
    """Returns what a heading asks; `title` is the document's, for headings that say little alone (empty for the title itself)."""
    low = heading.lower().rstrip(".:!?")
    subject = topic_of(title) or ("" if names_version(title) else _acted_on(title))
    score = 0.9 if unit == -1 else 0.86
    if low in VAGUE_HEADINGS:
        return (
            [_ready([(style, form.format(t=subject), 10) for style, form in VAGUE_HEADINGS[low]], subject, unit, score)]
            if subject
            else []
        )
    if (
        not heading
        or low in EMPTY_HEADINGS
        or low.startswith("our ")
        or _EMPTY.match(heading)
        or len(heading) > 110
        or heading[0] in "@$%{<"
    ):
        return []
    if _QUESTION.match(heading):
        return _question(heading, title, unit)
    how = re.match(r"^how (?:to|do i|do you|can i|can you) (.+)$", heading, re.I)
    if how:
        return _action(how[1], subject, unit, 0.95, ui)
    if match := re.match(r"^(why|when) (?:to |you should |should you |do i |should i )(.+)$", heading, re.I):
        return _why_or_when(match[1].lower(), match[2], subject, unit)
    if match := re.match(
        r"^(?:what (?:is|are)|about|introduction to|introducing|overview of|an? (?:introduction|overview) (?:to|of)|"
        r"understanding|meet)\s+(.+)$",
        heading,
        re.I,
    ):
        return _thing(match[1].rstrip("?"), "", unit, text, instructional, 0.9)
    if (match := _DIFFERENCE.match(heading)) and (pair := [part for part in match.groups() if part]):
        return _difference(pair, subject, unit, instructional)
    return _by_shape(heading, title, subject, unit, text, instructional, ui, score)


def _by_shape(
    heading: str, title: str, subject: str, unit: int, text: str, instructional: bool, ui: bool, score: float
) -> list[Candidate]:
    words = words_of(heading)
    if gerund_starts_action(words):
        base = gerund_base(words[0]) or ""
        rest = " ".join(heading.split()[1:])
        return _action(f"{base} {_gerunds_to_bases(rest)}", subject, unit, 0.95, ui)
    bare = without_adverbs(heading)
    if starts_imperative(words_of(bare), heading=True) and not _is_named(words, text):
        return _action(bare, subject, unit, 0.94, ui) if words[0].lower() not in _UNASKED else []
    if len(words) == 1 and is_only_verb(words[0]):
        return _action(f"{heading} {subject}", subject, unit, score, ui) if subject else []
    last = words[-1].lower() if words else ""
    if last in NOMINALIZATIONS and 2 <= len(words) <= 5 and not is_only_adjective(words[-2]):
        return _action(
            f"{NOMINALIZATIONS[last]} {lower_first(' '.join(heading.split()[:-1]))}", subject, unit, score, ui
        ) + _thing(heading, "", unit, text, instructional, score - 0.2)
    if match := _PREFERENCES.match(heading):
        of = lower_first(match[1] or "") or lower_first(subject)
        if of and len(of.split()) <= 5 and not any(word in PREPOSITIONS for word in of.split()):
            return [Candidate("thing", f"{of} {match[2].lower()}", score, unit, PREFERENCE_FORMS if instructional else ())]
    context = ""
    general = all(word.lower() in _GENERAL for word in words)
    if general and len(words) > 1 and (not subject or words[0].lower() in _ELSE):
        return []
    if title and (general or len(words) == 1) and subject and subject.lower() not in heading.lower() and not is_code(heading):
        context = subject
    return _thing(heading, context, unit, text, instructional, score - (0.1 if context else 0))


def _is_named(words: list[str], text: str) -> bool:
    """Whether the text speaks of `a download handler` below the heading `Download handlers`: a thing, and nothing to do."""
    if len(words) < 2 or ("NOUN" not in lemmas(words[0]) and "ADJ" not in lemmas(words[0])):
        return False
    second = re.sub(r"s$", "", words[1])
    return (
        re.search(rf"\b(?:an?|the|each|every|this|your|these|of) {re.escape(f'{words[0]} {second}')}s?\b", text, re.I) is not None
    )


def _states(words: list[str]) -> bool:
    """Whether a heading is a sentence: `Division is done by the database`, `The operator performs division`."""
    return any(
        word in FINITE_AUXILIARIES or (word.islower() and third_person_base(word) and "NOUN" not in lemmas(word))
        for word in words[1:-1]
    )


def _difference(pair: list[str], subject: str, unit: int, instructional: bool) -> list[Candidate]:
    """Returns what two things, or two actions (`Install a package vs. build it`), are compared by."""
    actions = [
        verb_phrase(lower_first(part), subject) if starts_imperative(words_of(part), heading=True) else None for part in pair
    ]
    named = [inflect(action, "VBG") if action else part for action, part in zip(actions, pair, strict=True)]
    said = [action or part for action, part in zip(actions, pair, strict=True)]
    questions: list[Form] = [
        ("difference", f"What is the difference between {named[0]} and {named[1]}?", 10),
        ("difference", f"Should I {'' if actions[0] else 'use '}{said[0]} or {said[1]}?", 5 if instructional else 0),
    ]
    return [_ready(questions, " ".join(pair), unit, 0.95)]


def _gerunds_to_bases(rest: str) -> str:
    """`and training X` -> `and train X`."""
    match = re.match(r"^((?:up |out |on |off )?(?:and|or)) (\w+ing)\b(.*)$", rest)
    base = gerund_base(match[2]) if match else None
    return f"{match[1]} {base}{match[3]}" if match and base else rest


def _action(text: str, subject: str, unit: int, score: float, ui: bool) -> list[Candidate]:
    phrase = verb_phrase(lower_first(text), subject)
    if phrase is None:
        return []
    return [Candidate("action", phrase, score, unit, tags=frozenset({"ui"} if ui else ()))]


def _acted_on(title: str) -> str:
    """Returns what a title like `Set up the X` acts on (`the X`), so that its sections can be asked about with it."""
    words = words_of(title)
    if not (starts_imperative(words, heading=True) or gerund_starts_action(words)):
        return ""
    rest = title.split()[1:]
    while rest and rest[0].lower() in PARTICLES | {"with", "to", "a", "an"}:
        rest = rest[1:]
    phrase = noun_phrase(" ".join(rest), "", 5) if rest else None
    return phrase if phrase and len(phrase.split()) <= 5 else ""


def _question(heading: str, title: str, unit: int) -> list[Candidate]:
    """A question in the heading is kept as it is, once in the reader's own person."""
    subject = topic_of(title)
    named = re.sub(r"\bit\b", subject, heading, count=1) if subject else heading
    to_the_authors = re.search(r"\b(?:did|do|are|have|will|were) you (?!need|want|get|use|have)", named)
    asked = resolve(named if to_the_authors else first_person(named), subject)
    asked = re.sub(r"\b(do|can|should|would|could|did|will) me\b", r"\1 I", asked or "", flags=re.I)
    if not asked or len(asked.split()) < 3:
        return []
    return [_ready([("question", asked[:1].upper() + asked[1:], 10)], asked, unit, 1.0)]


def _why_or_when(word: str, rest: str, subject: str, unit: int) -> list[Candidate]:
    phrase = verb_phrase(lower_first(rest), subject)
    if not phrase:
        return []
    return [
        _ready(
            [(word, f"{word.capitalize()} should I {phrase}?", 10), (word, f"{word.capitalize()} would I {phrase}?", 3)],
            phrase,
            unit,
            0.9,
        )
    ]


def _thing(heading: str, context: str, unit: int, text: str, instructional: bool, score: float) -> list[Candidate]:
    phrase = noun_phrase(heading, "", 7)
    if (
        not phrase
        or "?" in heading
        or _states(words_of(phrase))
        or is_adverb(phrase)
        or phrase.split()[0].lower() in QUESTION_WORDS
    ):
        return []
    named = with_article(phrase, text)
    bare_gerund = gerund_base(words_of(phrase)[0]) is not None if len(words_of(phrase)) == 1 else False
    forms = THING_FORMS if instructional and not bare_gerund else FACT_FORMS
    if re.search(r"\b(?:and|or)\b|&", phrase):
        forms = tuple(form for form in forms if form[1] in {"What {be} {p}?", "How do I use {p}?", "How can I use {p}?"})
    where = f"in {context}" if context else ""
    return [Candidate("thing", named, score, unit, forms, where)]


def with_article(phrase: str, text: str) -> str:
    """Returns a noun phrase with the article that the chunk uses for it, if it uses one; common words in small letters."""
    words = phrase.split()
    if all(is_word(word) for word in words) and re.search(rf"[a-z,] {re.escape(phrase.lower())}\b", text):
        phrase = phrase.lower()
    if words[0].lower() in {"the", "a", "an", "my"} or is_plural_noun(words[-1]):
        return lower_first(phrase) if words[0].lower() in {"the", "a", "an", "my"} else phrase
    uses = re.finditer(rf"\b(the|an?)\s+{re.escape(phrase)}\b(?: ([\w-]+))?", text, re.I)
    return next((f"{use[1].lower()} {phrase}" for use in uses if ends_noun_phrase(use[2])), phrase)


def _ready(forms: list[Form], phrase: str, unit: int, score: float) -> Candidate:
    return Candidate("ready", phrase, score, unit, tuple(form for form in forms if form[2] > 0))


__all__ = ["heading_candidates", "readable_title", "topic_of", "with_article", "without_asides"]

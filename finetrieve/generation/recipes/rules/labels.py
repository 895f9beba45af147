"""What labelled explanations ask: menu entries of manuals, options, parameters of docstrings, rows of tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from finetrieve.generation.recipes.rules.grammar import (
    is_adverb,
    is_code,
    is_noun,
    is_plural,
    is_word,
    starts_imperative,
    third_person_base,
    verb_base,
    words_of,
)
from finetrieve.generation.recipes.rules.lexicon import DETERMINERS, EMPTY_HEADINGS, FUNCTION_WORDS, QUESTION_WORDS, VERBS
from finetrieve.generation.recipes.rules.phrases import lower_first, noun_phrase, verb_phrase, without_asides
from finetrieve.generation.recipes.rules.phrasing import OPTION_FORMS, Candidate, Form, content_words, says_enough, searched
from finetrieve.generation.recipes.rules.prose import Unit
from finetrieve.generation.recipes.rules.sentence_context import DESCRIBES, Context
from finetrieve.generation.recipes.rules.sentences import sentence_candidates

_ON_OFF = re.compile(
    r"^(?:enable|turn on|activate|allow|when (?:enabled|activated|on)|enable or disable|turn .{2,30} on)\b", re.I
)
_QUANTITY = re.compile(
    r"^(?:the |an? )?(?:\w+ ){0,2}(?:number|maximum|minimum|size|name|path|amount|length|fraction|proportion|degree|rate|"
    r"percentage|list|type|strength|tolerance|seed|width|height|order)\b",
    re.I,
)
_NUMBERED = re.compile(r"^(?:scenario|step|option|case|phase|example|pattern|method|part|figure|table|note) ?[\dA-C]\b", re.I)
_WHETHER = re.compile(
    r"^(?:whether(?: or not)? to|if true,?|if set,?|set to true to|flag to|used to|controls whether to|determines whether to|"
    r"specifies whether to)\s+(.+)$",
    re.I,
)


def label_candidates(unit: Unit, context: Context, api: str, short: str, returned: bool = False) -> list[Candidate]:
    """Returns what a label, parameter or table row is asked about; `api` is the object it belongs to, `short` its last name.

    `returned`: what is listed comes out of the object (attributes, returned values) and is not set by people.
    """
    name = without_asides(unit.name).strip("`* ")
    name = re.sub(r"^(?:async )?(?:def|class) (?=\w+)", "", name)
    if field := re.match(r"^(?:param(?:eter)?|arg(?:ument)?|keyword) (?:[\w.\[\]]+ )?(\w+)$", name):
        name, unit = field[1], replace(unit, kind="parameter")
    if name.lower() in {"default", "defaults", "default value"} and (of := short or context.topic):
        forms: list[Form] = [("default", f"What is the default of {of}?", 8), ("keywords", f"{searched(of)} default", 6)]
        return [context.ready(forms, f"default {of}", 0.7)]
    if not re.search(r"[^\W\d_]{2}", name) or name.lower() in EMPTY_HEADINGS or _NUMBERED.match(name) or len(name.split()) > 6:
        return sentence_candidates(unit.text, context)
    if unit.kind == "parameter" or (api and is_code(name)):
        return list(_result(name, unit, context, short) if returned else _parameter(name, unit, context, short))
    return [*_explained(unit.text, context), *_named(name, unit, context)]


def _explained(text: str, context: Context) -> Iterator[Candidate]:
    """The explanation as a wish: `Select a memory location` -> select a memory location."""
    words = words_of(text)
    action = re.sub(r"^(?:tap|click|press|enable|use|select|turn on) (?:this )?(?:feature |option )?to\s+", "", text, flags=re.I)
    if action != text or starts_imperative(words):
        yield from context.action(lower_first(action), 0.92)
    elif (
        words
        and (base := third_person_base(words[0]))
        and len(words) > 2
        and _surely_verb(base, words)
        and not starts_imperative(words)
    ):
        if base in DESCRIBES:
            yield from context.state(base, " ".join(text.split()[1:]), 0.86)
            return
        yield from context.action(" ".join([base, *text.split()[1:]]), 0.86)
    else:
        yield from sentence_candidates(text, context)


def _named(name: str, unit: Unit, context: Context) -> Iterator[Candidate]:
    """The label as something to do or to know about."""
    words = words_of(name)
    if not words or words[0].lower() in QUESTION_WORDS or is_adverb(words[0]):
        return
    if starts_imperative(words, heading=True):
        yield from context.action(lower_first(name), 0.88)
        return
    if not all(is_word(word) or is_code(word) or word[0].isdigit() for word in words) or (
        len(words) == 1 and not says_enough(name)
    ):
        return
    phrase = noun_phrase(name, "", 6)
    if not phrase or words[0].lower() in FUNCTION_WORDS - {"always", "all", "no", "do", "my", "on", "off"}:
        return
    forms = (
        OPTION_FORMS if context.instructional else (("what_is", "What {be} {p}?", 10), ("what_is", "What is meant by {p}?", 3))
    )
    if _ON_OFF.match(unit.text):
        forms = (
            *forms,
            ("how_to", "How do I turn on {p}?", 12),
            ("how_to", "How can I enable {p}?", 8),
            ("how_to", "How do I turn {p} on or off?", 5),
        )
    where = _belongs_to(name, context.topic)
    yield Candidate("thing", phrase, 0.8 if len(words) > 1 else 0.7, context.unit, forms, where)


def _belongs_to(name: str, topic: str) -> str:
    """A single common word says little without what it belongs to."""
    if (
        len(name.split()) > 1
        or not topic
        or topic.lower() in name.lower()
        or name.lower() in topic.lower()
        or len(topic.split()) > 4
    ):
        return ""
    return f"in {topic}"


def _parameter(name: str, unit: Unit, context: Context, short: str) -> Iterator[Candidate]:
    """A parameter by what it is for, and now and then by its name."""
    text = re.sub(r"^(?:optional|required)[.,;:]?\s+", "", without_asides(unit.text), flags=re.I)
    of = f" in {short}" if short and short.lower() not in name.lower() else ""
    if match := _WHETHER.match(text):
        phrase = verb_phrase(match[1] if not third_person_base(match[1].split()[0]) else _based(match[1]), context.topic)
        if phrase:
            forms: list[Form] = [("parameter", f"Can I {phrase}{of}?", 6), ("parameter", f"How do I {phrase}{of}?", 8)]
            yield context.ready(forms, phrase, 0.84)
            yield Candidate("action", phrase, 0.83, context.unit)
    elif _QUANTITY.match(text) and not _starts_with_verb(text) and (thing := noun_phrase(text, context.topic, 8)):
        thing = lower_first(thing)
        thing = thing if thing.split()[0] in {"the", "a", "an"} else f"the {thing}"
        forms = [
            ("parameter", f"How do I set {thing}{of}?", 8),
            ("parameter", f"How can I change {thing}{of}?", 6),
            ("parameter", f"Which parameter controls {thing}{of}?", 6),
            ("parameter", f"How do I choose {thing}{of}?", 2),
        ]
        yield context.ready(forms, thing, 0.85)
        yield context.ready(_needs_of(thing), thing, 0.84)
    elif starts_imperative(words_of(text)):
        yield from context.action(lower_first(text), 0.8)
    elif (thing := _specific(text, context)) and short:
        yield context.ready(
            [
                ("parameter", f"How do I specify {thing}{of}?", 8),
                ("parameter", f"How do I set {thing}{of}?", 6),
                ("parameter", f"How can I choose {thing}{of}?", 3),
            ],
            thing,
            0.76,
        )
    elif (
        text
        and (base := third_person_base(text.split()[0].lower()))
        and len(text.split()) > 2
        and _surely_verb(base, text.split())
    ):
        yield from context.action(_based(text), 0.78)
    if (len(name) > 3 or (short and len(name) > 2)) and name not in {"self", "cls", "args", "kwargs", "params", "ignored"}:
        the = f"{name} of {short}" if short else f"the {name} parameter"
        named: list[Form] = [
            ("parameter", f"What does the {name} parameter{' of ' + short if short else ''} do?", 8),
            ("parameter", f"What is {name}{of}?", 5),
            ("parameter", f"What should I set {name} to{of}?", 3),
            ("parameter", f"How do I use {the}?", 2),
        ]
        if re.search(r"\bdefaults?\b", f"{unit.note} {unit.text}", re.I):
            named.append(("default", f"What is the default value of {name}{of}?", 3))
        yield replace(context.ready(named, f"{name} {short}", 0.62), tags=frozenset({"named"}))


def _needs_of(thing: str) -> list[Form]:
    """What a quantity is set for, without the parameter's name: `the number of trees` -> `set how many trees`."""
    forms: list[Form] = [
        ("parameter", f"How do I set {thing}?", 6),
        ("keywords", f"set {searched(thing)}", 6),
        ("need", f"I want to change {thing}", 6),
        ("parameter", f"Which parameter controls {thing}?", 5),
    ]
    if match := re.match(r"^the number of (\w+(?: [\w-]+){0,4})$", thing):
        forms += [("need", f"I want to set how many {match[1]} are used", 4), ("keywords", f"set how many {match[1]}", 4)]
    if match := re.match(r"^the (maximum|minimum|largest|smallest) (.+)$", thing):
        forms += [("how_to", f"How do I limit the {match[2]}?", 8), ("keywords", f"limit {searched(match[2])}", 6)]
    return forms


def _starts_with_verb(text: str) -> bool:
    """`Determines random number generation` says what a parameter does, not what it is."""
    return third_person_base(text.split()[0]) in VERBS


def _specific(text: str, context: Context) -> str | None:
    """A noun phrase of at least three words, with its article."""
    thing = noun_phrase(text, context.topic, 8)
    if (
        not thing
        or _starts_with_verb(text)
        or len(thing.split()) < 3
        or not is_noun(thing.split()[-1])
        or verb_base(thing.split()[0].lower()) == thing.split()[0].lower()
    ):
        return None
    thing = lower_first(thing)
    return thing if thing.split()[0] in {"the", "a", "an"} or is_plural(thing) else f"the {thing}"


def _surely_verb(base: str, words: list[str]) -> bool:
    """`Computes scores` is a verb, `Weights associated with classes` is not."""
    return base in VERBS or words[1].lower() in DETERMINERS


def _result(name: str, unit: Unit, context: Context, short: str) -> Iterator[Candidate]:
    """What an object gives back, by what it is and now and then by its name."""
    of = f" with {short}" if short else ""
    thing = noun_phrase(re.sub(r"^returns? (?=the|an?)", "", without_asides(unit.text), flags=re.I), context.topic, 9)
    if thing and len(thing.split()) >= 2 and is_noun(thing.split()[-1]):
        thing = lower_first(thing)
        thing = thing if thing.split()[0] in {"the", "a", "an"} or is_plural(thing) else f"the {thing}"
        yield context.ready(
            [
                ("how_to", f"How do I get {thing}{of}?", 8),
                ("how_to", f"How can I see {thing}{of}?", 4),
                ("how_to", f"Where do I find {thing}{of}?", 3),
            ],
            thing,
            0.8,
        )
        if short and len(content_words(thing)) > 1:
            asked: list[Form] = [
                ("how_to", f"How do I get {thing}?", 8),
                ("keywords", f"get {searched(thing)}", 6),
                ("keywords", searched(thing), 4),
                ("need", f"I want to get {thing}", 4),
            ]
            yield context.ready(asked, thing, 0.79)
    if len(name) > 3 and short:
        yield context.ready(
            [("what_is", f"What is {name} in {short}?", 8), ("what_is", f"What does {name} of {short} mean?", 3)],
            f"{name} {short}",
            0.55,
        )


def _based(text: str) -> str:
    first, _, rest = text.partition(" ")
    return f"{third_person_base(first.lower()) or first} {rest}"

"""What the first line of a docstring is asked about: which function does it, is there a way to, how do I."""

from __future__ import annotations

import re
from collections.abc import Iterator

from finetrieve.generation.recipes.rules.grammar import (
    be_for,
    gerund_base,
    is_base_verb,
    is_code,
    is_plural,
    is_plural_noun,
    lemmas,
    starts_imperative,
    third_person_base,
    words_of,
)
from finetrieve.generation.recipes.rules.phrases import cut, lower_first, noun_phrase, verb_phrase
from finetrieve.generation.recipes.rules.phrasing import Candidate, Form, searched
from finetrieve.generation.recipes.rules.sentence_context import Context

_SHAPE = re.compile(r"^[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)+(?:\(.*\))?$")
_NAME = re.compile(
    r"^(?:class |function |method |module )?(?:[A-Z][a-z0-9]+(?:[A-Z]\w*)+|[a-z]\w*_\w+|[\w.]+\(.*\)|"
    r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)$"
)
_BASE_CLASS = re.compile(
    r"^(?:abstract )?(?:base class|mixin(?: class)?|helper class|exception|warning|container|wrapper|interface) (?:for|"
    r"used|of|that|to|raised|around)\s+(.+)$",
    re.I,
)
_PURPOSE = re.compile(
    r"\b(?:for|of) (\w+ing (?!of\b).{4,})$|\b(?:class|function|functions|utilities|utility|tools?|method|methods|object|"
    r"decorator|helpers?|routines?) (?:used )?to (\w+ .{4,})$",
    re.I,
)


def api_name(title: str) -> str:
    """Returns the last name of an API object that a title names (`sklearn.svm.SVC` -> `SVC`), or an empty string."""
    title = title.strip().strip("`")
    if " " in title and not re.match(r"^(?:class|function|method|module) \S+$", title):
        return ""
    if not (_SHAPE.match(title) or _NAME.match(title)) or re.search(r"\.(?:md|html?|txt|rst|ipynb)$", title):
        return ""
    return re.sub(r"\(.*\)$", "", title).split(" ")[-1].split(".")[-1]


def is_callable_name(name: str) -> bool:
    """Returns whether a name is written like a function's or method's."""
    return name.islower() or "_" in name


def summary_candidates(sentence: str, short: str, library: str, context: Context) -> list[Candidate]:
    """Returns what a docstring's summary answers, for the object called `short` of a library."""
    return list(_summary(sentence, short, library, context))


def _summary(sentence: str, short: str, library: str, context: Context) -> Iterator[Candidate]:
    words = words_of(sentence)
    if len(words) < 2:
        return
    kind, within = "function" if is_callable_name(short) else "class", f" in {library}" if library else ""
    base = third_person_base(words[0])
    coined = words[0].lower().endswith("ate") and "VERB" in lemmas(words[0]) and is_plural_noun(words[1])
    if base or coined or starts_imperative(words):
        yield from _deed(" ".join([base or words[0].lower(), *sentence.split()[1:]]), kind, within, context)
    elif _BASE_CLASS.match(sentence):
        yield from _base_class(cut(sentence, 11) or "", context)
    else:
        if match := _PURPOSE.search(sentence):
            yield from _purpose(match[1] or match[2], kind, within, context)
        yield from _named_thing(sentence, kind, within, context)


def _deed(text: str, kind: str, within: str, context: Context) -> Iterator[Candidate]:
    """`computes the mean of x`: what to use for that."""
    phrase = verb_phrase(text, "", 12)
    if not phrase:
        return
    third = _third(phrase)
    yield Candidate("action", phrase, 1.0, context.unit)
    forms: list[Form] = [
        ("which", f"Which {kind} {third}?", 8),
        ("which", f"What can I use to {phrase}{within}?", 6),
        ("which", f"Is there a {kind} to {phrase}?", 7),
        ("which", f"Is there a way to {phrase}{within}?", 6),
        ("need", f"I need a {kind} that {third}", 3),
    ]
    yield context.ready(forms, phrase, 0.93)


def _base_class(named: str, context: Context) -> Iterator[Candidate]:
    """`Base class for all estimators`."""
    if len(named.split()) > 3:
        forms: list[Form] = [
            ("which", f"What is the {lower_first(named)}?", 10),
            ("which", f"Is there a {lower_first(named)}?", 4),
        ]
        yield context.ready(forms, named, 0.9)


def _named_thing(sentence: str, kind: str, within: str, context: Context) -> Iterator[Candidate]:
    """`Linear model with an L1 penalty`."""
    thing = noun_phrase(re.sub(r"^(?:various|several|some)\s+", "", sentence, flags=re.I), "", 9)
    if not thing or any(is_code(word) for word in thing.split()):
        return
    bare = re.sub(r"^(?:the|an?)\s+", "", lower_first(thing), flags=re.I)
    article = "an" if bare[:1].lower() in "aeiou" else "a"
    mass = bare.split()[-1].endswith(("ing", "ion", "ment", "ance", "ics", "ty"))
    single = not mass and not is_plural(bare) and not re.match(r"(?:object|class|method|function|utilities)\b", bare)
    forms: list[Form] = [
        ("which", f"Which {kind} implements {bare}?", 6 if single else 0),
        ("how_to", f"How do I use {bare}{within}?", 6),
        ("yes_no", f"Is there {article} {bare}{within}?", 5 if single else 0),
        ("which", f"What do I use for {bare}{within}?", 5),
        ("what_is", f"What {be_for(bare)} {bare}?", 4),
        ("keywords", searched(bare), 8),
        ("keywords", f"{searched(bare)}{within}", 5),
        ("need", f"looking for {article} {bare}" if single else f"looking for {bare}", 6),
        ("need", f"I need {article} {bare}" if single else f"I need {bare}", 5),
    ]
    yield context.ready(forms, bare, 0.95)


def _purpose(text: str, kind: str, within: str, context: Context) -> Iterator[Candidate]:
    first, _, rest = text.partition(" ")
    base = gerund_base(first) or (first.lower() if is_base_verb(first) else None)
    phrase = verb_phrase(f"{base} {rest}", "", 12) if base else None
    if phrase:
        yield Candidate("action", phrase, 0.97, context.unit)
        yield context.ready(
            [("which", f"What can I use to {phrase}{within}?", 6), ("which", f"Which {kind} can {phrase}?", 5)], phrase, 0.9
        )


def _third(phrase: str) -> str:
    from finetrieve.generation.recipes.rules.grammar import inflect

    return inflect(phrase, "VBZ")


def name_candidates(short: str, unit: int) -> list[Candidate]:
    """Returns questions about an API object by its name."""
    if not short or len(short) < 3 or short.startswith("_"):
        return []
    spelled = spelled_out(short)
    found = []
    if spelled:
        mass = spelled.endswith(("ing", "ion", "ment", "ance", "ics", "ty")) or is_plural_noun(spelled.split()[-1])
        article = "" if mass else "an " if spelled[0].lower() in "aeiou" else "a "
        asked: tuple[Form, ...] = (
            ("how_to", f"How do I use {article}{spelled}?", 8),
            ("what_is", f"What is {article}{spelled}?", 5),
            ("how_to", f"How does {article}{spelled} work?", 5),
            ("when", f"When should I use {article}{spelled}?", 2),
        )
        searches: tuple[Form, ...] = (("keywords", spelled, 6), ("need", f"I need {article}{spelled}", 3))
        found.append(Candidate("ready", spelled, 0.88, unit, asked + searches))
    forms: tuple[Form, ...] = (
        ("what_is", f"What does {short} do?", 8),
        ("how_to", f"How do I use {short}?", 6),
        ("what_is", f"What is {short} for?", 4),
    )
    return [*found, Candidate("ready", short, 0.66, unit, forms)]


def spelled_out(name: str) -> str:
    """Returns a class name as the words it is made of (`RandomForest` -> `random forest`), if they are words."""
    parts = re.findall(r"[A-Z]+(?=[A-Z][a-z]|$)|[A-Z][a-z0-9]+", name)
    if len(parts) < 2 or "".join(parts) != name or len(parts) > 5:
        return ""
    words = [part if part.isupper() and len(part) > 1 else part.lower() for part in parts]
    dictionary = [word for word in words if lemmas(word)]
    return (
        " ".join(words) if len(dictionary) >= len(words) - 1 and len(words[-1]) > 3 and words[-1] not in {"base", "mixin"} else ""
    )


def is_code_heading(heading: str) -> bool:
    """Returns whether a heading is a method's name (`fit`, `fit(X, y=None)`, `from_estimator`)."""
    return re.fullmatch(r"_*[a-z][\w.]*(?:\(.*\))?", heading) is not None


def method_candidates(sentence: str, method: str, short: str, context: Context) -> list[Candidate]:
    """Returns what a method's first line answers, always with the class that it belongs to."""
    words = words_of(sentence)
    base = third_person_base(words[0]) if words else None
    found: list[Candidate] = []
    if words and (base or starts_imperative(words)):
        phrase = verb_phrase(" ".join([base or lower_first(words[0]), *sentence.split()[1:]]), "", 11)
        if phrase:
            found.append(Candidate("action", phrase, 0.92, context.unit, context=f"with {short}", tags=frozenset({"own"})))
            if owner := spelled_out(short):
                found.append(Candidate("action", phrase, 0.9, context.unit, context=f"with a {owner}", tags=frozenset({"own"})))
    asked: tuple[Form, ...] = (
        ("what_is", f"What does the {method} method of {short} do?", 8),
        ("how_to", f"How do I use the {method} method of {short}?", 4),
    )
    found.append(Candidate("ready", f"{method} {short}", 0.6, context.unit, asked))
    return found

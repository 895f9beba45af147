"""What the first line of a docstring is asked about: which function does it, is there a way to, how do I."""

from __future__ import annotations

import re
from collections.abc import Iterator

from steps.generation.rules.grammar import is_code, starts_imperative, third_person_base, words_of
from steps.generation.rules.phrases import cut, lower_first, noun_phrase, verb_phrase
from steps.generation.rules.phrasing import Candidate, Form
from steps.generation.rules.sentences import Context

_SHAPE = re.compile(r"^[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)+(?:\(.*\))?$")
_NAME = re.compile(r"^(?:class |function |method |module )?(?:[A-Z][a-z0-9]+(?:[A-Z]\w*)+|[a-z]\w*_\w+|[\w.]+\(.*\)|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)$")


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
    base = third_person_base(words[0])
    function = is_callable_name(short)
    kind = "function" if function else "class"
    within = f" in {library}" if library else ""
    if base or starts_imperative(words):
        text = " ".join([base or lower_first(words[0]), *sentence.split()[1:]])
        phrase = verb_phrase(text, "", 12)
        if phrase:
            third = _third(phrase)
            yield Candidate("action", phrase, 1.0, context.unit)
            yield context.ready(
                [
                    ("which", f"Which {kind} {third}?", 8), ("which", f"What can I use to {phrase}{within}?", 6),
                    ("which", f"Is there a {kind} to {phrase}?", 7), ("which", f"Is there a way to {phrase}{within}?", 6),
                ],
                phrase, 0.93,
            )  # fmt: skip
        return
    if match := re.match(r"^(?:abstract )?(?:base class|mixin(?: class)?|helper class|exception|warning|container|wrapper|interface) (?:for|used|of|that|to|raised|around)\s+(.+)$", sentence, re.I):
        thing = cut(sentence, 11)
        if thing:
            yield context.ready([("which", f"What is the {lower_first(thing)}?", 10), ("which", f"Is there a {lower_first(thing)}?", 4)], thing, 0.9)
        return
    thing = noun_phrase(sentence, "", 9)
    if not thing or any(is_code(word) for word in thing.split()):
        return
    bare = re.sub(r"^(?:the|an?)\s+", "", lower_first(thing), flags=re.I)
    article = "an" if bare[:1].lower() in "aeiou" else "a"
    forms: list[Form] = [
        ("which", f"Which {kind} implements {bare}?", 6), ("how_to", f"How do I use {bare}{within}?", 6), ("yes_no", f"Is there {article} {bare}{within}?", 5),
        ("which", f"What do I use for {bare}{within}?", 5), ("what_is", f"What is {bare}?", 4), ("how_to", f"How can I do {bare}?", 2 if not function else 0),
    ]  # fmt: skip
    yield context.ready(forms, bare, 0.95)


def _third(phrase: str) -> str:
    from steps.generation.rules.grammar import inflect

    return inflect(phrase, "VBZ")


def name_candidates(short: str, unit: int, instructional: bool = True) -> list[Candidate]:
    """Returns questions about an API object by its name."""
    if not short or len(short) < 3 or short.startswith("_"):
        return []
    forms: tuple[Form, ...] = (("what_is", f"What does {short} do?", 8), ("how_to", f"How do I use {short}?", 6), ("what_is", f"What is {short} for?", 4))
    return [Candidate("ready", short, 0.66 if instructional else 0.5, unit, forms)]

"""Candidates from sentences: purposes, capabilities, imperatives, advice; and, by `facts`, what they state."""

from __future__ import annotations

import re
from collections.abc import Iterator

from finetrieve.core.text import word_set
from finetrieve.generation.recipes.rules.facts import FACT_RULES, IF_YOU_WANT, LEADING_PLACE, is_finite, name_subject
from finetrieve.generation.recipes.rules.grammar import gerund_base, is_base_verb, starts_imperative, third_person_base, words_of
from finetrieve.generation.recipes.rules.lexicon import MICRO_STEPS, VERBS
from finetrieve.generation.recipes.rules.phrases import cut, first_person, lower_first, noun_phrase, resolve, verb_phrase
from finetrieve.generation.recipes.rules.phrasing import Candidate, Form, searched
from finetrieve.generation.recipes.rules.sentence_context import DESCRIBES, Context, Rule

_ASKS = word_set("how what when where which why can do does is are who")
_TO = r"(?:to|in order to|so as to)"
_AFTER_TO = re.compile(
    r"\b(?:used|use(?:d|ful|s)?|helps?|designed|possible|needed|required|necessary|responsible|intended|able|ability|way|"
    r"option|options|prompts|"
    r"(?:allow(?:s|ing)?|enabl(?:es|ing)|letting) (?:you|users|one|us|me|developers|people)|lets? (?:you|users)|enables? "
    r"(?:you|users)|helps? (?:you|users)(?: to)?|how)\s+to\s+(.+)$",
    re.I,
)
_LETS = re.compile(r"\b(?:lets?|helps?)\s+(?:you|users|us|me)\s+(?!to\b)(.+)$", re.I)
_ALLOWS_GERUND = re.compile(
    r"\b(?:allows?|supports?|enables?|used for|useful for|responsible for|designed for|way of|option of|method for|tool for|"
    r"ways? of)\s+(\w+ing\s.+)$",
    re.I,
)
_YOU_CAN = re.compile(
    r"(?:^|[,;]\s+|\b(?:that|where|so|and|then|also)\s+)(?:you|users|one)\s+(?:can|may|could|are able to|will be able to|have "
    r"the option to)\s+(?:also |then |even |now |optionally |easily |simply |directly )*(.+)$",
    re.I,
)
_WE_CAN = re.compile(
    r"(?:^|[,;] |\b(?:and|then|that|how) )(?:we|let's) (?:can |could |will |now |then |also |simply |first |want to |need to |"
    r"have to )*(\w+ .+)$",
    re.I,
)
_START_PURPOSE = re.compile(rf"^{_TO}\s+([^,:]+)[,:]\s*(.*)$", re.I)
_MAIN_CLAUSE = re.compile(
    r"(?<=\w)(?<!\bto)(?<!\band)(?<!\bor)(?<!\bthat)(?<!\bwhat)(?<!\bhow)(?<!\bwhere)(?<!\bwhen)(?<!\bif)(?<!\bwhich)"
    r"\s(?:(?:use|call|see|run|try|pass|add|invoke|simply|just) (?=(?:the|an?|your|my|this) |\S*[_.()]\w)|"
    r"(?:you|we) (?=(?:can|need|must|should|have|will|use)\b))"
)
"""Where the main clause starts if its comma is missing: `To flash a message use the method`."""
_END_PURPOSE = re.compile(r"^(\w+)\b.*?\s(?:in order )?to\s+(.+)$", re.S)
_IMPOSSIBLE = re.compile(
    r"\b(?:(?:it is|it's|is) (?:not possible|impossible) to|you (?:cannot|can't|can not|may not|must not|aren't able to|"
    r"won't be able to)|"
    r"does not (?:allow|let) you to)\s+(.+)$",
    re.I,
)
_LEADING_LINK = re.compile(
    r"^(?:However|Also|Then|Next|Now|Finally|First|Second|Third|Additionally|Moreover|Furthermore|Therefore|Thus|Instead|"
    r"Similarly|Alternatively|Always|Lastly|Note that|Notice that|Remember that|In addition|For example|In this case|In "
    r"general|Please|Simply|Just|And|But|So),?\s+",
    re.I,
)


def sentence_candidates(sentence: str, context: Context) -> list[Candidate]:
    """Returns what a sentence answers, surest first by rule."""
    if sentence.endswith("?"):
        return list(_asked(sentence, context))
    if not context.instructional and re.search(r"\b(?:we|our|us)\b", sentence, re.I):
        return []  # The writer's own affairs, not the reader's.
    sentence = _LEADING_LINK.sub("", sentence.strip())
    sentence = sentence[:1].upper() + sentence[1:]
    found: list[Candidate] = []
    for rule in _RULES:
        found += rule(sentence, context)
    return found


def _asked(sentence: str, context: Context) -> Iterator[Candidate]:
    words = words_of(sentence)
    if 4 <= len(words) <= 14 and words[0].lower() in _ASKS:
        asked = resolve(re.sub(r"\b(do|can|should|would|could|did|will) me\b", r"\1 I", first_person(sentence)), context.topic)
        if asked and " we " not in asked.lower() and " our " not in asked.lower():
            yield context.ready([("question", asked, 10)], asked, 0.8)


def _purpose_first(sentence: str, context: Context) -> Iterator[Candidate]:
    match = IF_YOU_WANT.match(sentence) or _START_PURPOSE.match(sentence)
    if match:
        yield from context.action(_MAIN_CLAUSE.split(match[1])[0], 0.95)
    elif sentence.startswith("To ") and (main := _MAIN_CLAUSE.search(sentence)):
        yield from context.action(sentence[len("To ") : main.start()], 0.9)


def _capability(sentence: str, context: Context) -> Iterator[Candidate]:
    match = _YOU_CAN.search(sentence)
    if match:
        yield from context.action(match[1], 0.9)
        if purpose := re.search(r"\b(?:use|used|using) .{2,50}? to (\w+ .+)$", match[1]):
            yield from context.action(purpose[1], 0.85)


def _we_can(sentence: str, context: Context) -> Iterator[Candidate]:
    """Tutorials speak of what `we` do."""
    match = _WE_CAN.search(sentence)
    if (
        match
        and context.instructional
        and match[1].split()[0].lower()
        in VERBS - {"see", "take", "want", "need", "get", "know", "recommend", "suggest", "learn", "discuss"}
    ):
        yield from context.action(match[1], 0.76)


def _lets(sentence: str, context: Context) -> Iterator[Candidate]:
    for pattern, score in ((_LETS, 0.88), (_AFTER_TO, 0.8)):
        match = pattern.search(sentence)
        if match and is_base_verb(match[1].split()[0].strip(",").lower()) and not re.match(r"^(?:If|When)\b", sentence):
            yield from context.action(match[1], score)
    match = _ALLOWS_GERUND.search(sentence)
    if match and (base := gerund_base(match[1].split()[0])):
        yield from context.action(" ".join([base, *match[1].split()[1:]]), 0.78)


def _imperative(sentence: str, context: Context) -> Iterator[Candidate]:
    body = re.sub(r"^[A-Z][a-z]+ly,? (?=[a-z])", "", LEADING_PLACE.sub("", sentence))
    words = words_of(body)
    if not words:
        return
    body = body[:1].lower() + body[1:] if body is not sentence else body
    body = re.sub(r"^(?:see|get|read|check|look) and (?=[a-z]+ )", "", body, flags=re.I)
    words = words_of(body)
    if not starts_imperative(words):
        return
    first = words[0].lower()
    if first not in MICRO_STEPS:
        yield from context.action(lower_first(body), 0.82 if context.unit <= 1 else 0.74)
    purpose = _END_PURPOSE.match(body)
    if purpose and first not in {"go", "refer", "navigate", "return", "see", "proceed"}:
        tail = purpose[2].split()
        if (
            tail
            and is_base_verb(tail[0].lower())
            and (tail[0].lower() in VERBS or len(tail) > 1)
            and tail[0].lower() not in MICRO_STEPS
        ):
            yield from context.action(purpose[2], 0.84 if first in MICRO_STEPS else 0.8)


def _advice(sentence: str, context: Context) -> Iterator[Candidate]:
    match = re.match(
        r"^(?:you (?:must|should|have to|need to)(?! (?:use \S+ ?\S* ?\S* (?:if|to)\b))|it is (?:recommended|required|"
        r"necessary) (?:that you |to ))\s*(?:also |always |first )?(.+)$",
        sentence,
        re.I,
    )
    if match:
        phrase = verb_phrase(match[1], context.topic)
        must = not re.match(r"^(?:you should|it is recommended)", sentence, re.I)
        if phrase and phrase.split()[0] not in MICRO_STEPS | {"have", "do"}:
            yield context.ready(
                [
                    ("yes_no", f"Do I need to {phrase}?", 8 if must else 0),
                    ("yes_no", f"Do I have to {phrase}?", 6 if must else 0),
                    ("yes_no", f"Should I {phrase}?", 0 if must else 6),
                    ("how_to", f"How do I {phrase}?", 4),
                ],
                phrase,
                0.74,
            )


def _should_use(sentence: str, context: Context) -> Iterator[Candidate]:
    match = re.match(r"^(?:you should )?(?:consider using|use) (.{3,60}?) (?:if|when|whenever)\b", sentence, re.I)
    if match and (thing := noun_phrase(match[1], context.topic, 6)):
        yield context.ready(
            [("when", f"When should I use {thing}?", 10), ("when", f"When does it make sense to use {thing}?", 3)],
            f"when use {thing}",
            0.86,
        )


def _impossible(sentence: str, context: Context) -> Iterator[Candidate]:
    """What cannot be done is what people run into."""
    match = _IMPOSSIBLE.search(sentence)
    phrase = verb_phrase(match[1], context.topic) if match else None
    if phrase:
        yield context.ready(
            [
                ("problem", f"Why can't I {phrase}?", 8),
                ("problem", f"can't {searched(phrase)}", 5),
                ("yes_no", f"Can I {phrase}?", 6),
            ],
            phrase,
            0.8,
        )


def _raised(sentence: str, context: Context) -> Iterator[Candidate]:
    """`This exception is raised when a template contains errors.`"""
    match = re.search(r"\b(?:is|are) (raised|thrown|shown|called|sent|triggered|ignored) (?:if|when|whenever) (.+)$", sentence)
    condition = resolve(first_person(cut(match[2], 10)), "") if match else None
    if condition and is_finite(condition) and (condition := name_subject(condition, context)):
        forms: list[Form] = [
            ("condition", f"What happens when {condition}?", 8),
            ("condition", f"What happens if {condition}?", 5),
        ]
        yield context.ready(forms, condition, 0.76)


def _returns(sentence: str, context: Context) -> Iterator[Candidate]:
    """What stands below a signature speaks of it without naming it: `Returns the inverse of ...`, `Creates a token`."""
    words = words_of(sentence)
    base = third_person_base(words[0]) if len(words) > 2 else None
    if not base or words[1].lower() not in {"a", "an", "the", "all", "whether", "your", "any"}:
        return
    rest = " ".join(sentence.split()[1:])
    if base in DESCRIBES:
        yield from context.state(base, rest, 0.8)
        return
    verb = {"return": "get", "yield": "get", "indicate": "find out", "represent": ""}.get(base, base)
    if not verb:
        return
    if rest.startswith("whether "):
        verb = "check" if verb == "get" else verb
    yield from context.action(f"{verb} {rest}", 0.8)


_RULES: tuple[Rule, ...] = (
    _impossible,
    _raised,
    _returns,
    _purpose_first,
    _capability,
    _we_can,
    _lets,
    _imperative,
    *FACT_RULES,
    _advice,
    _should_use,
)

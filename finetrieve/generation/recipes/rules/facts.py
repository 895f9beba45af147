"""Candidates from sentences that state facts: definitions, conditions, passives, needs, errors, differences, reasons."""

from __future__ import annotations

import re
from collections.abc import Iterator

from finetrieve.core.text import word_set
from finetrieve.generation.recipes.rules.grammar import gerund_base, inflect, lemmas, starts_imperative, verb_base, words_of
from finetrieve.generation.recipes.rules.lexicon import FUNCTION_WORDS, MICRO_STEPS, MODALS, PREPOSITIONS, VERBS
from finetrieve.generation.recipes.rules.phrases import (
    cut,
    first_person,
    lower_first,
    noun_phrase,
    resolve,
    tidy,
    verb_phrase,
    without_asides,
)
from finetrieve.generation.recipes.rules.phrasing import FACT_FORMS, THING_FORMS, Candidate, Form, says_enough
from finetrieve.generation.recipes.rules.sentence_context import Context, Rule

IF_YOU_WANT = re.compile(
    r"^(?:if|when|whenever|should) you(?:'d| would)? (?:want|wish|need|like|would like|prefer|are looking|are trying|plan|"
    r"decide) to ([^,]+),",
    re.I,
)
_CONDITION = re.compile(r"^(if|when|whenever|once|in case)\s+([^,]{8,90}),\s+(?:then\s+)?(.+)$", re.I)
_WHEN_GERUND = re.compile(r"^(?:when|while|before|after)\s+(\w+ing\s[^,]{4,60}),\s+(.+)$", re.I)
_PASSIVE = re.compile(
    r"^((?:the |an? |my |your |these |all |some )?[\w'/-]+(?: [\w'/-]+){0,4}) (?:can|may|could) (?:also |only |easily |then "
    r")?be (\w+)\b(?: (.+))?$",
    re.I,
)
_DEFINITION = re.compile(
    r"^((?:the |an? )?[A-Za-z0-9][\w./+'-]*(?: [\w./+'()-]+){0,5}?),? (?:is|are) (?:simply |just |essentially |basically "
    r")?(an?|the|one of|any)\s+(.{12,})$",
    re.I,
)
_MEANS = re.compile(
    r"^((?:the |an? )?[A-Za-z0-9][\w./+'-]*(?: [\w./+'-]+){0,5}?) (?:refers? to|stands? for|means?|denotes?|is defined as|are "
    r"defined as|consists? of)\s+(.{8,})$",
    re.I,
)
_NEEDS = re.compile(
    r"^((?:the |an? |your )?[\w./+'-]+(?: [\w./+'-]+){0,4}?) (requires?|needs?|depends? on|relies on|rely on|supports?|"
    r"includes?|contains?|provides?|uses?)\s+(.+)$",
    re.I,
)
_RAISES = re.compile(
    r"\b(?:raises?|throws?)\s+(?:an? )?`?([A-Z]\w*(?:Error|Exception|Warning))`?(?:\s+(?:if|when)\s+(.+))?", re.I
)
_FAILS = re.compile(
    r"^((?:the |an? |your )?[\w'-]+(?: [\w'-]+){0,4}?) (?:will |may |might |can )?(fails?|does not work|do not work|won't "
    r"work|crash(?:es)?|hangs?)\s+(?:if|when|because)\s+(.+)$",
    re.I,
)
_DEFAULT_IS = re.compile(r"\b(?:the|its) default ((?:[\w-]+ ){0,2}[\w-]+) (?:is|are)\s+\S+", re.I)
_DIFFERENCE = re.compile(r"\bdifferences? between (.{2,60}?) and (.{2,60}?)(?: is\b| are\b|[,.:;]|$)", re.I)
_PREVENT = re.compile(r"\b(?:to|and) ((?:prevent|avoid|reduce|minimize|protect|fix|resolve|troubleshoot)\s.+)$", re.I)
_BECAUSE = re.compile(r"^(.+?),? (?:because|since|so that|due to the fact that)\s+(.+)$", re.I)
_NAMELESS = word_set("they he she we there not so none provided specified set given true false both any")
"""First words of a condition whose subject is not named."""
_FINITE = word_set("is are was were has have had can cannot can't does do doesn't don't did will won't should isn't aren't")
LEADING_PLACE = re.compile(
    r"^(?:From|In|On|Using|Under|At|With|For|Within|By default|Alternatively|Additionally|However|Also|Then|Next|Now|Finally|"
    r"First|Optionally|Instead|Therefore|As a result)\b[^,:]{0,60},\s+"
)


def _definition(sentence: str, context: Context) -> Iterator[Candidate]:
    match = _DEFINITION.match(sentence)
    means = _MEANS.match(sentence)
    found = match or means
    if not found or re.search(
        r"\b(?:if|when|that|which|and|or|first|next|only|reason|goal|result|purpose|idea)\b", found[1], re.I
    ):
        return
    subject = context.subject(found[1])
    if not subject or len(subject.split()) > 6 or subject.split()[-1].lower() in PREPOSITIONS:
        return
    forms = THING_FORMS if context.instructional and match else FACT_FORMS
    if means:
        forms = (("what_is", "What {do} {p} mean?", 8), ("what_is", "What {be} {p}?", 8))
    yield Candidate("thing", subject, 0.9 if context.unit <= 2 else 0.82, context.unit, forms)


def _condition(sentence: str, context: Context) -> Iterator[Candidate]:
    match = _CONDITION.match(sentence)
    if not match or IF_YOU_WANT.match(sentence):
        return
    word, clause, rest = match[1].lower(), match[2], match[3]
    if (
        not is_finite(clause)
        or len(clause.split()) < 3
        or re.search(r"\b(?:want|wish|would like|prefer|need) to\b|\b(?:done|finished|ready|interested|curious|unsure)\b", clause)
        or clause.split()[0].endswith("ing")
    ):
        return
    condition = resolve(first_person(without_asides(clause)), context.topic)
    if not condition or len(condition.split()) > 11 or (" not " in condition and word == "once"):
        return
    condition = name_subject(condition, context)
    if condition is None:
        return
    told = re.match(
        r"^(?:you (?:should|must|need to|can|may want to|will need|have to)|please|make sure|try|contact|check|use|do not|"
        r"don't|be sure|consider|set|run)\b",
        rest,
        re.I,
    )
    advice = bool(told) or starts_imperative(words_of(rest))
    joint = "if" if word in {"if", "in case"} else "when"
    if advice:
        yield context.ready(
            [
                ("condition", f"What should I do if {condition}?", 10),
                ("condition", f"What do I do {joint} {condition}?", 7),
                ("condition", f"What can I do when {condition}?", 3),
            ],
            condition,
            0.84,
        )
    else:
        yield context.ready(
            [
                ("condition", f"What happens {joint} {condition}?", 10),
                ("condition", f"What if {condition}?", 2 if joint == "if" else 0),
            ],
            condition,
            0.76,
        )


def is_finite(clause: str) -> bool:
    """Whether a clause has a finite verb."""
    words = [word.lower() for word in words_of(clause)]
    if any(word in _FINITE for word in words[1:]):
        return True
    return len(words) > 2 and any(
        verb_base(word) and ((word.endswith("s") and word not in FUNCTION_WORDS) or words[place] in {"you", "we", "i", "they"})
        for place, word in enumerate(words[1:])
    )


def name_subject(condition: str, context: Context) -> str | None:
    """Returns a condition with its subject named, or None where nothing names it."""
    first, _, rest = condition.partition(" ")
    if first.lower() in {"it", "this"}:
        return f"{lower_first(context.topic)} {rest}" if context.topic and rest else None
    if first.lower() in _NAMELESS:
        return None
    return lower_first(condition)


def _when_gerund(sentence: str, context: Context) -> Iterator[Candidate]:
    match = _WHEN_GERUND.match(sentence)
    if match and gerund_base(match[1].split()[0]):
        phrase = resolve(first_person(tidy(without_asides(match[1]))), context.topic)
        if phrase and 2 <= len(phrase.split()) <= 9:
            yield context.ready(
                [
                    ("condition", f"What should I keep in mind when {phrase}?", 10),
                    ("condition", f"What should I watch out for when {phrase}?", 6),
                ],
                phrase,
                0.76,
            )


def _passive(sentence: str, context: Context) -> Iterator[Candidate]:
    match = _PASSIVE.match(sentence)
    if not match:
        return
    subject, verb = context.subject(match[1]), verb_base(match[2])
    if not subject or not verb or inflect(verb, "VBN") != match[2].lower() or match[2].lower() == "found":
        return
    rest = match[3] or ""
    if (purpose := re.match(r"^(?:.{0,40}?\b)?to (\w+ .+)$", rest)) and verb == "use":
        yield from context.action(purpose[1], 0.88)
    if re.match(r"^(?:by|if|when|as|either)\b", rest):
        rest = ""
    yield from context.action(f"{verb} {first_person(subject)} {rest}".strip(), 0.82)


def _needs(sentence: str, context: Context) -> Iterator[Candidate]:
    match = _NEEDS.match(sentence)
    if not match or match[1].lower().split()[0] in {"you", "we", "to", "if", "when", "there", "users", "and"}:
        return
    verb = match[2].lower()
    subject = context.subject(match[1])
    if not subject or any(word.lower() in FUNCTION_WORDS - {"the", "a", "an", "of", "my"} for word in subject.split()):
        return
    base = verb_base(verb.split()[0]) or ""
    tail = " on" if verb.endswith(" on") else ""
    third = verb.split()[0].endswith("s")
    if match[1].split()[-1].lower() in MODALS | {"not", "to"}:
        return  # `The module may contain errors` is no statement that it does.
    do = "does" if third else "do"
    if (base != "use" or "/" not in subject) and verb.split()[0] in lemmas(verb.split()[0]).get("NOUN", ()):
        return
    thing = noun_phrase(match[3], context.topic, 6)
    forms: list[Form] = []
    if base in {"require", "need", "depend", "rely"}:
        forms += [("requirement", f"What {do} {subject} {base}{tail}?", 8)]
    elif base in {"support", "include", "contain", "provide"} and len(subject.split()) > 1:
        forms += [("what_is", f"What {do} {subject} {base}?", 5)]
    if thing and says_enough(thing) and len(thing.split()) <= 6 and "to" not in thing.split():
        forms.append(("yes_no", f"{do} {subject} {base}{tail} {lower_first(thing)}?", 8))
    if forms:
        yield context.ready(forms, f"{subject} {thing or ''}", 0.74)


def _errors(sentence: str, context: Context) -> Iterator[Candidate]:
    if match := _RAISES.search(sentence):
        error = match[1]
        where = f" from {context.topic}" if context.topic else ""
        forms: list[Form] = [("problem", f"Why do I get a {error}{where}?", 8)]
        condition = resolve(first_person(cut(match[2], 9)), "") if match[2] else None
        if condition and is_finite(condition):
            forms.append(("problem", f"What happens if {lower_first(condition)}?", 6))
        if where or condition:
            yield context.ready(forms, f"{error} {context.topic}", 0.72)
    if match := _FAILS.match(sentence):
        subject = context.subject(match[1])
        if subject:
            base = {"fail": "fail", "crash": "crash", "hang": "hang"}.get(verb_base(match[2].split()[0]) or "", "not work")
            plural = match[2].lower() in {"fail", "crash", "hang", "do not work"}
            yield context.ready([("problem", f"Why {'do' if plural else 'does'} {subject} {base}?", 10)], subject, 0.8)


def _difference(sentence: str, context: Context) -> Iterator[Candidate]:
    match = _DIFFERENCE.search(sentence)
    if match and (one := noun_phrase(match[1], context.topic)) and (other := noun_phrase(match[2], context.topic)):
        yield context.ready([("difference", f"What is the difference between {one} and {other}?", 10)], f"{one} {other}", 0.9)


def _prevention(sentence: str, context: Context) -> Iterator[Candidate]:
    match = _PREVENT.search(sentence)
    if match:
        yield from context.action(match[1], 0.82)


def _default(sentence: str, context: Context) -> Iterator[Candidate]:
    match = _DEFAULT_IS.search(sentence)
    if match and says_enough(match[1]) and match[1].split()[0].lower() not in VERBS:
        where = f" of {context.topic}" if context.topic and context.topic.lower() not in match[1].lower() else ""
        yield context.ready([("default", f"What is the default {match[1].lower()}{where}?", 10)], f"default {match[1]}", 0.76)


def _reason(sentence: str, context: Context) -> Iterator[Candidate]:
    match = _BECAUSE.match(sentence)
    if not match or not context.instructional:
        return
    body = LEADING_PLACE.sub("", match[1])
    advice = re.match(
        r"^(?:you (?:should|must|need to|have to)|we recommend (?:that you|to)|make sure to|be sure to)\s+(.+)$", body, re.I
    )
    phrase = (
        verb_phrase(advice[1] if advice else lower_first(body), context.topic)
        if advice or starts_imperative(words_of(body))
        else None
    )
    if phrase and phrase.split()[0] not in MICRO_STEPS:
        yield context.ready([("why", f"Why should I {phrase}?", 10), ("why", f"Why do I need to {phrase}?", 6)], phrase, 0.78)


FACT_RULES: tuple[Rule, ...] = (
    _definition,
    _condition,
    _when_gerund,
    _passive,
    _needs,
    _errors,
    _difference,
    _prevention,
    _default,
    _reason,
)

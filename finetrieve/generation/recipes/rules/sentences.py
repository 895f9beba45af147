"""What sentences say can be asked for: purposes, capabilities, imperatives, definitions, conditions, reasons, needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from finetrieve.generation.recipes.rules.grammar import (
    gerund_base,
    inflect,
    is_base_verb,
    is_noun,
    lemmas,
    starts_imperative,
    third_person_base,
    verb_base,
    words_of,
)
from finetrieve.generation.recipes.rules.lexicon import (
    FUNCTION_WORDS,
    MICRO_STEPS,
    MODALS,
    PREPOSITIONS,
    PRONOUNS,
    VERBS,
    word_set,
)
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
from finetrieve.generation.recipes.rules.phrasing import (
    FACT_FORMS,
    THING_FORMS,
    Candidate,
    Form,
    content_words,
    says_enough,
    searched,
)

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
_IF_YOU_WANT = re.compile(
    r"^(?:if|when|whenever|should) you(?:'d| would)? (?:want|wish|need|like|would like|prefer|are looking|are trying|plan|"
    r"decide) to ([^,]+),",
    re.I,
)
_START_PURPOSE = re.compile(rf"^{_TO}\s+([^,:]+)[,:]\s*(.*)$", re.I)
_END_PURPOSE = re.compile(r"^(\w+)\b.*?\s(?:in order )?to\s+(.+)$", re.S)
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
_IMPOSSIBLE = re.compile(
    r"\b(?:(?:it is|it's|is) (?:not possible|impossible) to|you (?:cannot|can't|can not|may not|must not|aren't able to|"
    r"won't be able to)|"
    r"does not (?:allow|let) you to)\s+(.+)$",
    re.I,
)
_LEADING_PLACE = re.compile(
    r"^(?:From|In|On|Using|Under|At|With|For|Within|By default|Alternatively|Additionally|However|Also|Then|Next|Now|Finally|"
    r"First|Optionally|Instead|Therefore|As a result)\b[^,:]{0,60},\s+"
)
_LEADING_LINK = re.compile(
    r"^(?:However|Also|Then|Next|Now|Finally|First|Second|Third|Additionally|Moreover|Furthermore|Therefore|Thus|Instead|"
    r"Similarly|Alternatively|Always|Lastly|Note that|Notice that|Remember that|In addition|For example|In this case|In "
    r"general|Please|Simply|Just|And|But|So),?\s+",
    re.I,
)

_THE_TOPIC = frozenset(
    ["it", "this", "they", "these", "this feature", "this option", "this setting", "this function", "this class", "this method"]
)
_NO_SUBJECT = (
    PRONOUNS
    | PREPOSITIONS
    | word_set(
        "our how none true false null there this these that those which what each some such another both following whilst whereas"
    )
)

Rule = Callable[[str, "Context"], Iterator[Candidate]]


class Context:
    """What a sentence cannot say about itself: what it is about, and where it stands."""

    def __init__(self, topic: str, unit: int, instructional: bool, ui: bool) -> None:
        self.topic = topic
        self.unit = unit
        self.instructional = instructional
        self.tags = frozenset({"ui"} if ui else ())

    def context_of(self, phrase: str) -> str:
        """Returns ` in TOPIC` or ` with TOPIC` for a phrase that is short of words and does not name the topic already."""
        topic = re.sub(r"\s+(?:settings|options|management|preferences)$", "", self.topic, flags=re.I)
        if not topic or len(topic.split()) > 4 or len(phrase.split()) > 7 or not says_enough(topic):
            return ""
        if content_words(topic) & content_words(phrase) or re.search(r"\b(?:in|with|for|on|using)\b.*\b\w+ \w+", phrase):
            return ""
        return f"{'in' if 'ui' in self.tags else 'with'} {topic}"

    def action(self, text: str, score: float) -> Iterator[Candidate]:
        """Yields the action that text names, if it reads as one."""
        phrase = verb_phrase(text, self.topic) if self.instructional or score >= 0.9 else None
        if (phrase and phrase in {"take a look", "check out"}) or (
            phrase and re.match(r"(?:take a|check out|have a|get started|know more|learn more|keep in mind)\b", phrase)
        ):
            return
        if phrase and phrase.split()[0] not in {"be", "have", "do", "let", "please", "note", "see", "say"} | (
            {"get"} if len(phrase.split()) < 3 else set()
        ):
            yield Candidate("action", phrase, score, self.unit, context=self.context_of(phrase), tags=self.tags)

    def ready(self, forms: list[Form], phrase: str, score: float) -> Candidate:
        """Returns whole questions."""
        return Candidate(
            "ready",
            phrase,
            score,
            self.unit,
            tuple(
                (style, text if style in {"keywords", "problem"} else text[:1].upper() + text[1:], weight)
                for style, text, weight in forms
                if weight > 0
            ),
        )

    def subject(self, text: str) -> str | None:
        """Returns a sentence's subject as a noun phrase, a pronoun replaced by the topic."""
        low = text.lower().strip()
        if low in _THE_TOPIC:
            return self.topic or None
        first = low.split()[0]
        if first in _NO_SUBJECT or (lemmas(first) and len(low.split()) == 1 and not is_noun(first)):
            return None
        phrase = noun_phrase(text, self.topic, 6)
        return lower_first(phrase) if phrase and says_enough(phrase) else None


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
    if 4 <= len(words) <= 14 and words[0].lower() in {
        "how",
        "what",
        "when",
        "where",
        "which",
        "why",
        "can",
        "do",
        "does",
        "is",
        "are",
        "who",
    }:
        asked = resolve(re.sub(r"\b(do|can|should|would|could|did|will) me\b", r"\1 I", first_person(sentence)), context.topic)
        if asked and " we " not in asked.lower() and " our " not in asked.lower():
            yield context.ready([("question", asked, 10)], asked, 0.8)


def _purpose_first(sentence: str, context: Context) -> Iterator[Candidate]:
    match = _IF_YOU_WANT.match(sentence) or _START_PURPOSE.match(sentence)
    if match:
        yield from context.action(match[1], 0.95)


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
    body = re.sub(r"^[A-Z][a-z]+ly,? (?=[a-z])", "", _LEADING_PLACE.sub("", sentence))
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
    if not match or _IF_YOU_WANT.match(sentence):
        return
    word, clause, rest = match[1].lower(), match[2], match[3]
    if (
        not _finite(clause)
        or len(clause.split()) < 3
        or re.search(r"\b(?:want|wish|would like|prefer|need) to\b|\b(?:done|finished|ready)\b", clause)
    ):
        return
    condition = resolve(first_person(without_asides(clause)), context.topic)
    if not condition or len(condition.split()) > 11 or (" not " in condition and word == "once"):
        return
    condition = _subject_named(condition, context)
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


def _finite(clause: str) -> bool:
    words = [word.lower() for word in words_of(clause)]
    auxiliaries = {
        "is",
        "are",
        "was",
        "were",
        "has",
        "have",
        "had",
        "can",
        "cannot",
        "can't",
        "does",
        "do",
        "doesn't",
        "don't",
        "did",
        "will",
        "won't",
        "should",
        "isn't",
        "aren't",
    }
    if any(word in auxiliaries for word in words[1:]):
        return True
    return len(words) > 2 and any(
        verb_base(word) and ((word.endswith("s") and word not in FUNCTION_WORDS) or words[place] in {"you", "we", "i", "they"})
        for place, word in enumerate(words[1:])
    )


def _subject_named(condition: str, context: Context) -> str | None:
    first, _, rest = condition.partition(" ")
    if first.lower() in {"it", "this"}:
        return f"{lower_first(context.topic)} {rest}" if context.topic and rest else None
    if first.lower() in {
        "they",
        "he",
        "she",
        "we",
        "there",
        "not",
        "so",
        "none",
        "provided",
        "specified",
        "set",
        "given",
        "true",
        "false",
        "both",
        "any",
    }:
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
        if condition and _finite(condition):
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
    body = _LEADING_PLACE.sub("", match[1])
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
    if condition and _finite(condition) and (condition := _subject_named(condition, context)):
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
    rest = re.sub(r"^whether ", "whether ", " ".join(sentence.split()[1:]))
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
    _advice,
    _should_use,
)

"""Questions about statements of fact: who, when, why, how much, does it. For prose that tells rather than instructs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from finetrieve.core.text import word_set
from finetrieve.generation.recipes.rules.grammar import (
    inflect,
    is_adverb,
    is_noun,
    is_only_adjective,
    is_plural,
    is_plural_noun,
    is_word,
    lemmas,
    verb_base,
)
from finetrieve.generation.recipes.rules.lexicon import CONJUNCTIONS, DETERMINERS, MODALS, PREPOSITIONS, PRONOUNS, VERBS
from finetrieve.generation.recipes.rules.phrases import cut, first_person, lower_first, resolve, tidy, without_asides
from finetrieve.generation.recipes.rules.phrasing import Candidate, Form, content_words, searched
from finetrieve.generation.recipes.rules.sentence_context import Context

_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
_DATE = re.compile(
    rf"\s*,?\s*\b(?:on|in|since|by|during|around) (?:(?:early|late|mid) )?(?:the )?(?:(?:{_MONTH})(?: \d{{1,2}})?,? "
    rf")?(?:\d{{4}}s?|the \d{{1,2}}th century)\b(?:,)?",
    re.I,
)
_LEADING_DATE = re.compile(
    rf"^(?:On|In|By|During|Since) (?:(?:early|late|mid)[ -])?(?:the )?(?:(?:{_MONTH})(?: \d{{1,2}})?,? )?(?:\d{{4}}s?),\s+", re.I
)
_LEADING_ADJUNCT = re.compile(
    r"^(?:However|Moreover|Furthermore|In addition|As a result|For example|For instance|Thus|Therefore|Additionally|Also|"
    r"Instead|Indeed|Similarly|In fact|Historically|Generally|Typically|Meanwhile|Eventually|Later|Initially|Originally|Today|"
    r"Finally),\s+",
    re.I,
)
_AMOUNT = re.compile(
    r"^(?:about |approximately |over |more than |nearly |almost |around |roughly |up to |at least |only )?(?:\$|€|"
    r"£)?\d[\d,.]*(?: ?(?:million|billion|thousand|percent|%))?$"
)
_REASON = re.compile(
    r",?\s+(?:because of|because|due to|driven by|as a result of|so that|in order to|thanks to|primarily due to|to (?:prevent|"
    r"avoid|ensure|protect|reduce))\b",
    re.I,
)
_AGENT = re.compile(r"^by (.+)$", re.I)
_CHANGES = word_set("increase decrease grow decline rise fall drop improve")
_BUSINESS = re.compile(
    r"\b(?:revenue|customers|employees|shareholders|stock|business|operations|services|products|our platform)\b", re.I
)
_UNASKED = word_set("say note mention appear seem remain become tend continue begin start let hold rise make be give go")
_REPORTING = word_set(
    "argue say believe state claim announce suggest show note find report know assume ensure mean think conclude indicate "
    "declare decide"
)
_INTRANSITIVE = word_set(
    "go come move arrive return begin start occur happen grow rise fall increase decrease live die serve work lead "
    "participate result travel belong "
    "depend rely differ range vary consist refer apply run exist fight play win lose act speak settle emerge expire decline "
    "focus agree"
)
_TRANSITIVE = word_set(
    "include require cause affect mean produce represent offer provide contain need use involve create develop receive win"
)
_NO_SUBJECT = (
    PRONOUNS
    | CONJUNCTIONS
    | PREPOSITIONS
    | word_set(
        "both all two three four five half part other various each no any every certain there this these those that such some "
        "many most one others "
        "several another our how what why i'll we'll you'll we've you've i'd we're you're it's that's there's"
    )
)
_OPEN_ENDED = word_set("equal due subject similar related prior such likely able available many much few own main other")
_STRANDED = word_set(
    "find describe show list call name know locate define need require discuss give see set base compare do make take note "
    "include"
)


@dataclass(frozen=True, slots=True)
class Clause:
    """Subject, verb and what follows, of a plain statement."""

    subject: str
    auxiliary: str
    """`is`, `was`, `can`, ... or `do`, `does`, `did` for a verb without one."""
    verb: str
    """The verb as a question needs it; empty after a form of `be` or `have`."""
    rest: str
    passive: bool


def clause_candidates(sentence: str, context: Context) -> list[Candidate]:
    """Returns what a statement answers."""
    dated = bool(_LEADING_DATE.match(sentence))
    bare = _LEADING_ADJUNCT.sub("", _LEADING_DATE.sub("", without_asides(sentence)))
    clause = parse(_company(bare))
    if clause is None:
        return []
    return list(_questions(clause, context, dated))


def _company(sentence: str) -> str:
    """`we` and `our` of a report become the company that speaks."""
    if not re.match(r"^(?:we|our)\b", sentence, re.I) or not _BUSINESS.search(sentence):
        return sentence
    sentence = re.sub(r"\bwe\b", "the company", sentence, flags=re.I)
    return re.sub(r"\bour\b", "the company's", sentence, flags=re.I)


def parse(sentence: str) -> Clause | None:
    """Returns the clause of a statement whose subject is a short noun phrase, or None."""
    words = sentence.split()
    company = sentence.startswith("the company")
    place = _verb_place(words)
    if place is None or not 1 <= place <= 8:
        return None
    subject = " ".join(words[:place])
    if not _is_subject(subject):
        return None
    verb = words[place].strip(",").lower()
    following = words[place + 1 :]
    while following and (is_adverb(following[0]) or following[0].lower() in {"also", "not"}):
        if following[0].lower() == "not":
            return None
        following = following[1:]
    if not following:
        return None
    plural = False if company and subject == "the company" else is_plural(subject)
    if verb in {"is", "are", "was", "were"}:
        participle = following[0].strip(",").lower()
        passive = "VERB" in lemmas(participle) and (
            participle.endswith("ed") or inflect(verb_base(participle) or participle, "VBN") == participle
        )
        return Clause(subject, verb, "", " ".join(following), passive)
    if verb in {"may", "might", "could", "would", "shall"}:
        return None
    if verb in MODALS:
        return Clause(subject, verb, "", " ".join(following), following[0].lower() == "be")
    if verb in {"has", "have", "had"}:
        participle = following[0].lower()
        if "VERB" in lemmas(participle) and participle not in DETERMINERS and (participle == "been" or participle.endswith("ed")):
            if company or verb == "had":
                return None
            return Clause(subject, verb, "", " ".join(following), participle == "been")
        auxiliary = "did" if verb == "had" else "do" if plural else "does"
        return Clause(subject, auxiliary, "have", " ".join(following), False)
    base = verb_base(verb)
    if base is None:
        return None
    past = inflect(base, "VBD") == verb and verb != base
    auxiliary = "did" if past else "does" if verb != base or (company and subject == "the company") else "do"
    return Clause(subject, auxiliary, base, " ".join(following), False)


def _is_subject(subject: str) -> bool:
    words = subject.split()
    low = [word.lower() for word in words]
    if "," in subject or '"' in subject or low[0] in _NO_SUBJECT or is_adverb(low[0]) or any(word in PRONOUNS for word in low):
        return False
    if low[-1] in DETERMINERS | PREPOSITIONS | CONJUNCTIONS or any(word in CONJUNCTIONS - {"and", "or"} for word in low):
        return False
    if any(word in PREPOSITIONS - {"of", "in", "for", "to", "on", "at"} for word in low) or low[0].isdigit():
        return False
    first = verb_base(low[0])
    if first and first in VERBS and (first == low[0] or "NOUN" not in lemmas(low[0])):
        return False
    return any(is_noun(word) for word in words)


def _verb_place(words: list[str]) -> int | None:
    """Returns where the finite verb stands, if the words before it can be a subject."""
    for place, raw in enumerate(words[:10]):
        word = raw.lower()
        if raw.endswith((",", ";", ":")) and place:
            return None
        if place == 0:
            continue
        before = words[place - 1].lower()
        if word in {"is", "are", "was", "were", "has", "have", "had"} or word in MODALS:
            return place
        if not is_word(raw) or raw[0].isupper() or before in DETERMINERS | PREPOSITIONS:
            continue
        base = verb_base(word)
        if base is None or word.endswith("ing"):
            continue
        after = words[place + 1].lower().strip(",") if place + 1 < len(words) else ""
        if (
            inflect(base, "VBD") == word
            and word != base
            and ("ADJ" not in lemmas(word) or after in DETERMINERS or after[:1] in "$€£0123456789")
        ):
            reduced = after in {"by", "in", "from", "for", "on", "with", "at", "as", "under"} and any(
                later.lower() in {"is", "are", "was", "were", "has", "have", "had"} | MODALS
                for later in words[place + 1 : place + 14]
            )
            participle = after in PREPOSITIONS and base not in _INTRANSITIVE
            if not reduced and not participle:
                return place
        elif word != base and inflect(base, "VBZ") == word and not is_plural_noun(words[place - 1]):
            noun = "NOUN" in lemmas(word)
            if (
                (base in VERBS and not noun)
                or (after in DETERMINERS | {"to", "that", "how", "on", "in", "from", "with", "as"} and place > 1)
                or (base in VERBS and place > 1)
            ):
                return place
        elif word == base and base in VERBS and is_plural_noun(words[place - 1]) and "NOUN" not in lemmas(word):
            return place
    return None


def _questions(clause: Clause, context: Context, dated: bool) -> Iterator[Candidate]:
    verb = clause.verb or (clause.rest.split()[0].lower() if clause.auxiliary in MODALS else "")
    if verb in _UNASKED - ({"be"} if not clause.verb else set()):
        return
    subject = resolve(first_person(clause.subject), context.topic)
    if (
        subject is None
        or subject.lower() in {"the company's"}
        or (re.search(r"\d\.\d", subject) and re.search(r"\d\.\d", clause.rest))
        or re.search(r"\b(?:our|we|us)\b", f"{subject} {clause.rest}", re.I)
    ):
        return
    if context.instructional and len(subject.split()) < 2 and subject.islower():
        return
    subject = lower_first(subject)
    reason = _REASON.search(clause.rest)
    date = _DATE.search(clause.rest)
    body = clause.rest[: reason.start()] if reason else clause.rest
    undated = tidy(_DATE.sub("", body)) if date else body
    tail = _tail(undated, context, clause.verb)
    head = f"{subject} {clause.verb}".strip()
    forms: list[Form] = []
    phrase = f"{head} {tail or ''}"
    if tail is not None and not (clause.verb in _CHANGES and re.search(r"\d", body)):
        asked = f"{clause.auxiliary} {head} {tail}".strip()
        if (date or dated) and clause.auxiliary in {"was", "were", "did"}:
            forms.append(("when", f"When {asked}?", 12))
        if reason and len(asked.split()) >= 4:
            forms.append(("why", f"Why {asked}?", 12))
        verbs = [word for word in tail.split() if word != "be"]
        stranded = not tail or (clause.passive and (len(verbs) < 2 or verb_base(verbs[0]) in _STRANDED))
        by_means = re.search(r"\b(?:by|using|through|via|with)\b", body)
        if clause.passive and by_means and not stranded and len(asked.split()) >= 5 and not forms:
            asked_how = tidy(re.split(r"\s(?:by|using|through|via|with)\s", asked)[0])
            if len(asked_how.split()) >= 4:
                forms.append(("how_to", f"How {asked_how}?", 5))
        if 5 <= len(asked.split()) <= 10 and not stranded and not _is_a(clause):
            forms.append(("yes_no", f"{asked}?", 2 if forms else 4))
    forms += _special(clause, subject, body)
    if forms:
        only_polar = all(style == "yes_no" for style, _, _ in forms)
        tag = {"does": "VBZ", "did": "VBD"}.get(clause.auxiliary)
        said = inflect(clause.verb, tag) if tag and clause.verb else clause.verb
        keywords = searched(f"{subject} {said} {tail or ''}")
        bare = clause.auxiliary in MODALS and not clause.passive  # `index show all posts`: a search has no modal.
        if tail and not bare and not _is_a(clause) and 3 <= len(keywords.split()) <= 7 and len(content_words(keywords)) >= 3:
            found = context.ready(forms, phrase, 0.5 if only_polar else 0.72)
            yield replace(found, forms=(*found.forms, ("keywords", keywords, 8)))
        else:
            yield replace(context.ready(forms, phrase, 0.5 if only_polar else 0.72), tags=frozenset({"once"}))


def _is_a(clause: Clause) -> bool:
    return clause.auxiliary in {"is", "are", "was", "were"} and not clause.verb and not clause.passive


def _tail(text: str, context: Context, verb: str) -> str | None:
    if not text:
        return ""
    if verb in _REPORTING or re.search(r"\b(?:and|but) \w+ed\b", text):
        return None
    shortened = first_person(cut(text, 9))
    if not shortened or (" that " in f" {shortened} " and len(shortened) < len(without_asides(text)) - 3):
        return None
    words = shortened.split()
    if len(words) > 1 and words[-1].lower() in {"in", "on", "over", "out", "through", "off", "up", "down"}:
        shortened, words = " ".join(words[:-1]), words[:-1]
    last, before = words[-1].lower(), words[-2].lower() if len(words) > 1 else ""
    if last in _OPEN_ENDED or (
        is_only_adjective(last) and not last.endswith("ed") and before in DETERMINERS | PREPOSITIONS | {"and"}
    ):
        return None
    return resolve(tidy(shortened), context.topic) if shortened else None


def _special(clause: Clause, subject: str, body: str) -> list[Form]:
    words = body.split()
    if clause.verb in _CHANGES and re.search(r"\d", body):
        year = re.search(r"\b(?:in|for|during) (?:fiscal )?(?:year )?(\d{4})\b", body)
        when = f" in {year[1]}" if year else ""
        return [
            ("how_much", f"How much {clause.auxiliary} {subject} {clause.verb}{when}?", 14),
            ("why", f"Why {clause.auxiliary} {subject} {clause.verb}{when}?", 6 if _REASON.search(clause.rest) else 0),
        ]
    if clause.passive and clause.auxiliary in {"was", "were"} and len(words) > 2 and (agent := _AGENT.match(" ".join(words[1:]))):
        past = inflect(verb_base(words[0].lower()) or words[0], "VBD")
        if len(subject.split()) > 1 or subject[:1].isupper():
            who = "Who" if agent[1][:1].isupper() else "What"
            return [("who", f"{who} {past} {subject}?", 12)]
    if (
        clause.auxiliary in {"is", "was", "are", "were"}
        and not clause.passive
        and words
        and words[0].lower() in {"a", "an", "the", "one"}
    ) and not re.match(r"^(?:the|an?) (?:result|case|reason|same|number|lot|part)\b", body, re.I):
        return (
            [("what_is", f"What {clause.auxiliary} {subject}?", 10)]
            if len(subject.split()) <= 6 and subject != "the company"
            else []
        )
    if (
        clause.auxiliary in {"is", "was", "are", "were"}
        and words
        and words[0].lower() in {"located", "situated", "based", "found"}
    ):
        return [("where", f"Where {clause.auxiliary} {subject} {words[0].lower()}?", 14)]
    if (
        clause.verb
        and len(words) >= 2
        and (
            _AMOUNT.match(words[0])
            or re.fullmatch(r"two|three|four|five|six|seven|eight|nine|ten|twelve|several", words[0], re.I)
        )
    ):
        counted = words[1].strip(",")
        if is_plural_noun(counted) and counted.lower() not in {"years", "days", "months"} and clause.verb not in {"be"}:
            return [("how_many", f"How many {counted} {clause.auxiliary} {subject} {clause.verb}?", 12)]
    if clause.verb in _TRANSITIVE and (len(subject.split()) > 1 or subject[:1].isupper()):
        return [("what_is", f"What {clause.auxiliary} {subject} {clause.verb}?", 7)]
    return []

"""From a passage to its queries, best first."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from steps.generation.passages import Passage
from steps.generation.rules.api import api_name, is_code_heading, method_candidates, name_candidates, summary_candidates
from steps.generation.rules.clauses import clause_candidates
from steps.generation.rules.gate import normalised, reject_reason
from steps.generation.rules.grammar import starts_imperative, words_of
from steps.generation.rules.headings import heading_candidates, readable_title, topic_of
from steps.generation.rules.labels import label_candidates
from steps.generation.rules.phrasing import Candidate, content_words, renderings, stable
from steps.generation.rules.prose import Unit, looks_english, plain, sentences, units
from steps.generation.rules.sentences import Context, sentence_candidates

VERSION = "1"
SPARE = 3
"""More queries than asked for are handed on, since some turn out to be asked of many chunks."""
_REJECTS = 12
_FEW, _WORTH_ALWAYS, _WORTH_MORE = 3, 0.08, 0.3
"""Up to a few queries, a second way to ask the same is welcome; beyond, only something else is."""
_INSTRUCTIONAL = re.compile(
    r"\b(?:users? (?:can|to|may)|you|your|you're)\b|(?:^|[.:] |^[-*] )(?:To [a-z]+ |(?:Use|Set|Select|Tap|Click|Run|Create|"
    r"Add|Choose|Enable|"
    r"Configure|View|Change|Open|Install|Turn|Press) (?!of\b))|```",
    re.M | re.I,
)
_UI = re.compile(r"\b(?:tap|click|menu|screen|button|settings|tab|dashboard|page|swipe|toggle|icon)\b", re.I)


@dataclass(frozen=True, slots=True)
class Written:
    """What the rules wrote for a passage."""

    queries: list[tuple[str, str]] = field(default_factory=list)
    """(query, style), best first."""
    rejects: list[tuple[str, str]] = field(default_factory=list)
    """(query, reason)."""


def written_queries(passage: Passage, seed: int, queries_per_chunk: int) -> Written:
    """Returns the queries of a passage, best first, up to a few more than `queries_per_chunk`, and what the gate dropped."""
    text = plain(passage.text)
    if not looks_english(text):
        return Written(rejects=[])
    candidates = sorted(_candidates(passage, text), key=lambda candidate: -candidate.score)
    return _selected(candidates, passage, seed, queries_per_chunk + SPARE)


def _candidates(passage: Passage, text: str) -> list[Candidate]:
    title = readable_title(passage.title)
    heading = readable_title(passage.section.split(" > ")[-1]) if passage.section else ""
    short = api_name(passage.title)
    topic = short or topic_of(heading) or topic_of(title)
    read = units(passage.text, passage.title)
    instructional = bool(short) or _instructs(passage.text, read)
    ui = bool(_UI.search(text))
    found: list[Candidate] = []
    if short:
        found += name_candidates(short, -1) if passage.opens_document else []
    elif title and passage.opens_document:
        found += heading_candidates(title, "", -1, text, instructional, ui)
    if heading and heading != title and passage.opens_section and not (short and is_code_heading(heading)):
        found += heading_candidates(heading, short or title, -2, text, instructional, ui)
    library = passage.title.split(".")[0] if short and "." in passage.title else ""
    method = heading.split("(")[0].split(".")[-1] if short and re.fullmatch(r"[a-z_][\w.]*(?:\(.*\))?", heading) else ""
    for place, unit in enumerate(read):
        context = Context(topic, place, instructional, ui)
        if method and place == 0 and unit.kind == "sentence" and passage.opens_section:
            found += method_candidates(unit.text, method, short, context)
            continue
        if short and place == 0 and unit.kind == "sentence" and passage.opens_document:
            found += summary_candidates(unit.text, short, library, context)
            continue
        found += _unit_candidates(
            unit, context, passage.title if short else "", short, text, heading.lower() in {"attributes", "returns", "yields"}
        )
    if len(found) < _FEW:
        told = [unit for unit in read if unit.kind == "sentence"]
        found += [
            candidate
            for place, unit in enumerate(told)
            for candidate in clause_candidates(unit.text, Context(topic, place, False, ui))
        ]
    return found


def _instructs(text: str, read: list[Unit]) -> bool:
    """Whether a passage tells readers what to do or can do, rather than how the world is."""
    if _INSTRUCTIONAL.search(text):
        return True
    return any(starts_imperative(words_of(unit.text)) for unit in read if unit.kind in {"sentence", "label"})


def _unit_candidates(unit: Unit, context: Context, api: str, short: str, text: str, returned: bool) -> list[Candidate]:
    if unit.kind == "heading":
        return heading_candidates(
            readable_title(unit.text), context.topic, context.unit, text, context.instructional, "ui" in context.tags
        )
    if unit.kind == "comment":
        return list(context.action(unit.text, 0.72)) if starts_imperative(words_of(unit.text)) else []
    if unit.kind in {"label", "parameter", "row"}:
        return label_candidates(unit, context, api, short, returned)
    found = sentence_candidates(unit.text, context)
    if not context.instructional:
        found += clause_candidates(unit.text, context)
    return found


def _selected(candidates: list[Candidate], passage: Passage, seed: int, wanted: int) -> Written:
    own = frozenset(normalised(sentence) for sentence in sentences(plain(passage.text)))
    written = Written()
    pool: list[tuple[Candidate, list[tuple[str, str]]]] = []
    seen: set[str] = set()
    for candidate in candidates:
        if candidate.phrase.casefold() in seen and candidate.kind != "ready":
            continue
        seen.add(candidate.phrase.casefold())
        good = []
        for query, style in renderings(candidate, seed, passage.id):
            reason = reject_reason(query, own)
            if reason is None:
                good.append((query, style))
            elif len(written.rejects) < _REJECTS and not good:
                written.rejects.append((query, reason))
        if good:
            pool.append((candidate, good))
    _pick(pool, written, seed, passage.id, wanted)
    return written


def _pick(pool: list[tuple[Candidate, list[tuple[str, str]]]], written: Written, seed: int, key: str, wanted: int) -> None:
    """Takes the best query again and again, where content, units and styles that were taken already count against it."""
    taken: list[frozenset[str]] = []
    styles: dict[str, int] = {}
    used: dict[int, int] = {}
    asked: set[str] = set()
    named = 0  # Questions by a parameter's bare name: one is enough.
    forms_left = [list(good) for _, good in pool]
    units_used: dict[int, int] = {}
    while len(written.queries) < wanted:
        best: tuple[float, int] | None = None
        for place, (candidate, _) in enumerate(pool):
            if not forms_left[place] or used.get(place, 0) >= (1 if "once" in candidate.tags else 2):
                continue
            words = content_words(candidate.phrase)
            overlap = max((len(words & other) / max(len(words | other), 1) for other in taken), default=0.0)
            worth = candidate.score - 0.42 * overlap - 0.1 * units_used.get(candidate.unit, 0) - 0.25 * used.get(place, 0)
            worth -= 0.3 * named if "named" in candidate.tags else 0.0
            worth += stable("tie", seed, key, candidate.phrase) % 100 / 2500
            if best is None or worth > best[0]:
                best = (worth, place)
        if best is None or best[0] < (_WORTH_ALWAYS if len(written.queries) < _FEW else _WORTH_MORE):
            return
        place = best[1]
        candidate = pool[place][0]
        form = min(range(len(forms_left[place])), key=lambda n: styles.get(forms_left[place][n][1], 0) * 1.0 + n * 0.7)
        query, style = forms_left[place].pop(form)
        used[place] = used.get(place, 0) + 1
        named += "named" in candidate.tags
        if query.casefold() in asked:
            continue
        asked.add(query.casefold())
        written.queries.append((query, style))
        styles[style] = styles.get(style, 0) + 1
        units_used[candidate.unit] = units_used.get(candidate.unit, 0) + 1
        taken.append(content_words(candidate.phrase))

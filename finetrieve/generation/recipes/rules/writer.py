"""From a chunk to its queries, best first."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace

from finetrieve.core.languages import language_of
from finetrieve.core.text import normalise_query
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.recipes.rules.api import (
    api_name,
    is_code_heading,
    method_candidates,
    name_candidates,
    summary_candidates,
)
from finetrieve.generation.recipes.rules.clauses import clause_candidates
from finetrieve.generation.recipes.rules.gate import reject_reason
from finetrieve.generation.recipes.rules.grammar import starts_imperative, words_of
from finetrieve.generation.recipes.rules.headings import heading_candidates, names_version, readable_title, topic_of
from finetrieve.generation.recipes.rules.labels import label_candidates
from finetrieve.generation.recipes.rules.mending import mended
from finetrieve.generation.recipes.rules.phrasing import (
    FACT_FORMS,
    FAMILIES,
    THING_FORMS,
    Candidate,
    Form,
    content_words,
    renderings,
    searched,
    stable,
)
from finetrieve.generation.recipes.rules.prose import Unit, looks_english, plain, sentences, units, without_code
from finetrieve.generation.recipes.rules.release_notes import change_candidates, is_release_notes
from finetrieve.generation.recipes.rules.sentence_context import Context
from finetrieve.generation.recipes.rules.sentences import sentence_candidates

VERSION = "3"
SPARE = 3
"""More queries than asked for are handed on, since some turn out to be asked of many chunks."""
_REJECTS = 12
_FEW, _WORTH_ALWAYS, _WORTH_MORE = 3, 0.08, 0.3
"""Up to a few queries, a second way to ask the same is welcome; beyond, only something else is."""
_CHOICES = 4
"""Questions of a phrase that are worth wording: one of them is asked, of a style that the chunk lacks."""
_AGAIN = 0.2
"""What a phrase loses each time that it is said again in another family of forms."""
_AGAIN_ASKED = 0.35
"""What it loses beside that where both are questions."""
_INSTRUCTIONAL = re.compile(
    r"\b(?:users? (?:can|to|may)|you|your|you're)\b|(?:^|[.:] |^[-*] )(?:To [a-z]+ |(?:Use|Set|Select|Tap|Click|Run|Create|"
    r"Add|Choose|Enable|"
    r"Configure|View|Change|Open|Install|Turn|Press) (?!of\b))|```",
    re.M | re.I,
)
_UI = re.compile(r"\b(?:tap|click|menu|screen|button|settings|tab|dashboard|page|swipe|toggle|icon)\b", re.I)


@dataclass(frozen=True, slots=True)
class RuleQueries:
    """What the rules wrote for a chunk."""

    queries: list[tuple[str, str]] = field(default_factory=list)
    """(query, style), best first."""
    rejects: list[tuple[str, str]] = field(default_factory=list)
    """(query, reason)."""


def write_queries(chunk: ChunkContext, seed: int, queries_per_chunk: int) -> RuleQueries:
    """Returns the queries of a chunk, best first, up to a few more than `queries_per_chunk`, and what the gate dropped."""
    if not reads_english(chunk):
        return RuleQueries(rejects=[])
    candidates = sorted(find_candidates(chunk), key=lambda candidate: -candidate.score)
    return _selected(candidates, chunk, seed, queries_per_chunk + SPARE)


def reads_english(chunk: ChunkContext) -> bool:
    """Whether the rules can write about a chunk."""
    known = {chunk.language, language_of(chunk.text, guess=False)}
    return not known - {"", "en"} and looks_english(plain(without_code(chunk.text)))


def find_candidates(chunk: ChunkContext) -> list[Candidate]:
    """Returns what a chunk answers, in no order."""
    text = plain(chunk.text)
    title = readable_title(chunk.title)
    heading = readable_title(chunk.section.split(" > ")[-1]) if chunk.section else ""
    short = api_name(chunk.title)
    topic = short or topic_of(heading) or topic_of(title)
    topic = re.sub(r"^(?:The|An?)(?= )", lambda article: article[0].lower(), topic)
    read = units(chunk.text, chunk.title)
    instructional = bool(short) or _instructs(chunk.text, read)
    ui = bool(_UI.search(text))
    notes = is_release_notes(title, chunk.section)
    entries: set[str] = set()
    found: list[Candidate] = []
    if short:
        found += name_candidates(short, -1) if chunk.opens_document else []
    elif title and chunk.opens_document and not names_version(title):
        found += heading_candidates(title, "", -1, text, instructional, ui)
    named = heading and heading != title and not names_version(heading)
    if named and chunk.opens_section and not (short and is_code_heading(heading)):
        found += heading_candidates(heading, short or title, -2, text, instructional, ui)
    library = chunk.title.split(".")[0] if short and "." in chunk.title else ""
    method = heading.split("(")[0].split(".")[-1] if short and re.fullmatch(r"[a-z_][\w.]*(?:\(.*\))?", heading) else ""
    for place, unit in enumerate(read):
        context = Context(topic, place, instructional, ui)
        if notes and unit.kind in {"sentence", "label"}:
            unit = Unit("sentence", unit.text)
            if (changes := change_candidates(unit.text, context)) is not None:
                found += changes
                entries.add(unit.text)
                continue
        if method and place == 0 and unit.kind == "sentence" and chunk.opens_section:
            found += method_candidates(unit.text, method, short, context)
            continue
        if short and place == 0 and unit.kind == "sentence" and chunk.opens_document:
            found += summary_candidates(unit.text, short, library, context)
            continue
        found += _unit_candidates(
            unit, context, chunk.title if short else "", short, text, heading.lower() in {"attributes", "returns", "yields"}
        )
    if len(found) < _FEW:
        told = [unit for unit in read if unit.kind == "sentence" and unit.text not in entries]
        found += [
            candidate
            for place, unit in enumerate(told)
            for candidate in clause_candidates(unit.text, Context(topic, place, False, ui))
        ]
    if "```" in chunk.text and named and not chunk.opens_section and len(found) < _FEW and not short:
        found += _example_candidates(heading)
    return found


def _example_candidates(heading: str) -> list[Candidate]:
    """The code of a chunk under a heading that another chunk opens shows how what the heading names is done."""
    about = [
        each
        for each in heading_candidates(heading, "", -2, "", False, False)
        if each.kind != "ready" and len(content_words(each.phrase)) > 1
    ]
    return [Candidate("ready", each.phrase, 0.6, -2, _example_forms(each.phrase, each.kind == "action")) for each in about]


def _example_forms(phrase: str, is_action: bool) -> tuple[Form, ...]:
    return (
        ("keywords", f"{searched(phrase)} example", 8),
        ("keywords", f"{searched(phrase)} code example", 4),
        ("example", f"Is there an example of {'how to ' if is_action else ''}{phrase}?", 5),
        ("need", f"I need a code example {'to' if is_action else 'of'} {phrase}", 3),
    )


def _instructs(text: str, read: list[Unit]) -> bool:
    """Whether a chunk tells readers what to do or can do, rather than how the world is."""
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
    if short:  # `How do I use the recall?`: what a docstring defines is asked about, not used.
        found = [replace(each, forms=FACT_FORMS) if each.forms is THING_FORMS else each for each in found]
    if not context.instructional:
        found += clause_candidates(unit.text, context)
    return found


def _selected(candidates: list[Candidate], chunk: ChunkContext, seed: int, wanted: int) -> RuleQueries:
    own = frozenset(normalise_query(sentence) for sentence in sentences(plain(chunk.text)))
    identifier = _identifier(chunk.title)
    written = RuleQueries()
    pool: list[tuple[Candidate, list[tuple[str, str]]]] = []
    seen: set[str] = set()
    for candidate in candidates:
        if candidate.phrase.casefold() in seen and candidate.kind != "ready":
            continue
        seen.add(candidate.phrase.casefold())
        good: list[tuple[str, str]] = []
        in_family = Counter[str]()
        for query, style in renderings(candidate, seed, chunk.id):
            family = FAMILIES.get(style, "question")
            if in_family[family] >= (_CHOICES if family == "question" else 1) and candidate.kind != "ready":
                continue
            query = mended(query)
            reason = reject_reason(query, own) or (_spells(query, identifier) if identifier else None)
            if reason is None:
                good.append((query, style))
                in_family[family] += 1
            elif len(written.rejects) < _REJECTS and not good:
                written.rejects.append((query, reason))
        if good:
            pool.append((candidate, good))
    _pick(pool, written, seed, chunk.id, wanted)
    return written


def _identifier(title: str) -> str:
    """Returns the last part of a dotted name: that word alone would find the chunk, and nothing would be learnt."""
    return title.rpartition(".")[2] if re.fullmatch(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", title) else ""


def _spells(query: str, identifier: str) -> str | None:
    spelled = re.search(rf"(?<!\w){re.escape(identifier)}(?!\w)", query, re.IGNORECASE)
    return f"spells {identifier!r}, the name of what answers it" if spelled else None


def _pick(pool: list[tuple[Candidate, list[tuple[str, str]]]], written: RuleQueries, seed: int, key: str, wanted: int) -> None:
    """Takes the best query again and again, where content, units and styles that were taken already count against it.

    The same phrase may come again as a search, a need or a problem: another family of forms is something else to learn from.
    """
    taken: dict[int, frozenset[str]] = {}
    styles: dict[str, int] = {}
    used: dict[int, set[str]] = {}
    asked: set[str] = set()
    named = 0  # Questions by a parameter's bare name: one is enough.
    forms_left = [list(good) for _, good in pool]
    units_used: dict[int, set[int]] = {}
    words = [content_words(candidate.phrase) for candidate, _ in pool]
    while len(written.queries) < wanted:
        best: tuple[float, int] | None = None
        for place, (candidate, _) in enumerate(pool):
            said = used.get(place, set())
            if not forms_left[place] or ("once" in candidate.tags and said):
                continue
            overlap = max(
                (len(words[place] & other) / max(len(words[place] | other), 1) for own, other in taken.items() if own != place),
                default=0.0,
            )
            worth = candidate.score - 0.42 * overlap - 0.1 * len(units_used.get(candidate.unit, set()) - {place})
            worth -= (
                _AGAIN * len(said)
                + (_AGAIN_ASKED if "only questions" in said else 0.0)
                + (0.3 * named if "named" in candidate.tags else 0.0)
            )
            worth += stable("tie", seed, key, candidate.phrase) % 100 / 2500
            if best is None or worth > best[0]:
                best = (worth, place)
        if best is None or best[0] < (_WORTH_ALWAYS if len(written.queries) < _FEW else _WORTH_MORE):
            return
        place = best[1]
        candidate = pool[place][0]
        form = min(range(len(forms_left[place])), key=lambda n: styles.get(forms_left[place][n][1], 0) * 1.0 + n * 0.7)
        query, style = forms_left[place][form]
        family = FAMILIES.get(style, "question")
        others = [each for each in forms_left[place] if FAMILIES.get(each[1], "question") != family]
        said = used.setdefault(place, set())
        if not others and not said:  # Nothing but questions: a second one is welcome where little else is there.
            others, family = [each for each in forms_left[place] if each[0] != query], "only questions"
        forms_left[place] = others if "only questions" not in said else []
        said.add(family)
        named += "named" in candidate.tags
        if query.casefold() in asked:
            continue
        asked.add(query.casefold())
        written.queries.append((query, style))
        styles[style] = styles.get(style, 0) + 1
        units_used.setdefault(candidate.unit, set()).add(place)
        taken[place] = words[place]

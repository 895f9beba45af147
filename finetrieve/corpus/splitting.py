"""Documents cut into spans of text along their headings, blocks and sentences, measured in the model's own tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from finetrieve.corpus.parsing.markdown import Block, blocks, fence_code
from finetrieve.corpus.parsing.prose import WORD
from finetrieve.corpus.sections import Section, sections
from finetrieve.corpus.table_headers import short_header

if TYPE_CHECKING:
    from semantic_text_splitter import TextSplitter
    from tokenizers import Tokenizer

PLACE_SHARE = 3
"""Title and section get at most one in so many of a chunk's tokens; the outermost headings go first."""
MIN_ROOM = 16
"""Tokens of text that a chunk always has room for."""
CAPACITY_STEP = 8
"""Tokens: splitters are made for multiples of it, since making one takes 20 ms."""
AFTER_LEAD_IN, INSIDE_CODE, INSIDE_PARAGRAPH, BETWEEN_ITEMS = 0.6, 0.3, 0.12, 0.04
"""What a cut costs at each place, in the unit of a chunk's squared emptiness (0..1)."""
HEADER_SHARE = 3
"""A table's header gets at most one in so many of a chunk's tokens."""
LEAD = re.compile(r"(?:[-*+]\s+|\d+[.)]\s+)?(\*\*[^*\n]{1,60}\*\*|`[^`\n]{1,60}`(?=\s*[:(-]))")
"""A term at the beginning of a paragraph or list item that the rest of it explains."""
SENTENCE_END = re.compile(r"(?<=[.!?:])[\"')\]*_`]*\s+(?=[\"'(\[*_`]*[A-Z0-9])")


@dataclass(frozen=True, slots=True)
class TextSpan:
    """The text of a chunk and the headings above it, before it has an id."""

    title: str
    section: str
    text: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of a section that is not cut again."""

    text: str
    n_tokens: int
    joint: str = "\n\n"
    """What stands between this unit and the one before it."""
    cut_cost: float = 0.0
    """Of a cut right before this unit."""
    prose: bool = True
    """Whether its last sentence may be repeated in the next chunk."""
    lead: str = ""
    """What the paragraph that it continues is about, from the paragraph's beginning: `**eps** (float)`."""


class DocumentSplitter:
    """Cuts documents into spans of at most `max_tokens` tokens."""

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, overlap_tokens: int, min_tokens: int) -> None:
        self._tokenizer = tokenizer
        self._special = len(tokenizer.encode("").ids)
        self._room = max_tokens - self._special
        self._overlap = overlap_tokens
        self._min_tokens = min_tokens
        self._counted: dict[str, int] = {}
        self._said: set[str] = set()
        self._splitter = lru_cache(maxsize=64)(self._new_splitter)

    def split(self, title: str, text: str) -> list[TextSpan]:
        """Returns the spans of one document in their order."""
        self._counted.clear()
        self._said.clear()
        return list(self._spans(title, text))

    def count(self, texts: list[str]) -> list[int]:
        """Returns the tokens of each text without the special ones that the model adds."""
        missing = list(dict.fromkeys(text for text in texts if text not in self._counted))
        if len(missing) == 1:  # A batch of one costs three times as much.
            self._counted[missing[0]] = len(self._tokenizer.encode(missing[0], add_special_tokens=False).ids)
        elif missing:
            encoded = self._tokenizer.encode_batch_fast(missing, add_special_tokens=False)
            self._counted.update((text, len(encoding.ids)) for text, encoding in zip(missing, encoded, strict=True))
        return [self._counted[text] for text in texts]

    def count_embedded(self, texts: list[str]) -> list[int]:
        """Returns the tokens of each text as the model reads it, special ones included."""
        return [count + self._special for count in self.count(texts)]

    def _spans(self, title: str, body: str) -> Iterator[TextSpan]:
        for section in self._join_sections(sections(body, title)):
            shown_title, place, n_place = self._place(title, section.path)
            room = self._room - n_place
            units = self._units(self._with_lost_headings(title, section, f"{shown_title} {place}"), room)
            for text in self._within(list(self._pack(units, room)), room):
                if re.search(r"\w", text):
                    yield TextSpan(shown_title, place, text)

    def _with_lost_headings(self, title: str, section: Section, shown: str) -> str:
        """Returns the section's text under those headings that are shown cut or not at all: once in a document, in full."""
        cut = []
        for heading in (title, *section.path):
            if not set(WORD.findall(heading)) <= {*WORD.findall(shown), *self._said}:
                cut.append(heading)
                self._said.update(WORD.findall(heading))
        return "\n\n".join([*(f"**{heading}**" for heading in cut), section.text])

    def _within(self, texts: list[str], room: int) -> Iterator[str]:
        """Yields the texts, cut once more where the whole has more tokens than its parts had (as byte pair encodings may)."""
        for text, size in zip(texts, self.count(texts), strict=True):
            if size <= room:
                yield text
            else:
                yield from self._cut(text, room, whole_lines="```" in text)

    # 1. Where a span stands: title and heading path, shortened when they would leave little room.

    def _place(self, title: str, path: tuple[str, ...]) -> tuple[str, str, int]:
        limit = min(self._room // PLACE_SHARE, self._room - MIN_ROOM)
        shown = list(path)
        while True:
            place = " > ".join(part for part in (title, *shown) if part)
            n_place = self.count([f"{place}\n"])[0] if place else 0
            if n_place <= limit:
                return title, " > ".join(shown), n_place
            if len(shown) > 1:
                shown = shown[1:]
            elif len(title.split()) > 3:
                title = " ".join(title.split()[: len(title.split()) * 2 // 3])
            elif shown and len(shown[0].split()) > 3:
                shown = [" ".join(shown[0].split()[: len(shown[0].split()) * 2 // 3])]
            elif len(place) > 8:
                title, shown = title[: len(title) * 2 // 3], [part[: len(part) * 2 // 3] for part in shown]
            else:
                return title, " > ".join(shown), n_place

    # 2. Sections that are too small to be found by themselves.

    def _join_sections(self, found: list[Section]) -> list[Section]:
        """Returns the sections with small ones joined: a lead-in with its first child, small siblings with one another."""
        if not found or not self._min_tokens:
            return found
        sizes = self.count([section.text for section in found])
        joined: list[tuple[Section, int]] = []
        for section, size in zip(found, sizes, strict=True):
            if joined:
                merged = self._merge(*joined[-1], section, size)
                if merged:
                    joined[-1] = merged
                    continue
            joined.append((section, size))
        return [section for section, _ in joined]

    def _merge(self, before: Section, n_before: int, section: Section, size: int) -> tuple[Section, int] | None:
        heading = f"{'#' * min(6, len(section.path) + 1)} {section.path[-1]}\n\n" if section.path else ""
        total = n_before + size + 8
        if total > self._room * (PLACE_SHARE - 1) // PLACE_SHARE:
            return None
        child = len(section.path) == len(before.path) + 1 and section.path[:-1] == before.path
        if child and n_before < self._min_tokens <= size:  # The child gives the whole its place; a lead-in needs none.
            return Section(section.path, f"{before.text}\n\n{section.text}"), total
        if child and n_before < self._min_tokens:
            return Section(before.path, f"{before.text}\n\n{heading}{section.text}"), total
        sibling = len(section.path) == len(before.path) > 0 and section.path[:-1] == before.path[:-1]
        if sibling and n_before < self._min_tokens and size < self._min_tokens:
            own = f"{'#' * min(6, len(before.path) + 1)} {before.path[-1]}\n\n"
            return Section(before.path[:-1], f"{own}{before.text}\n\n{heading}{section.text}"), total
        return None

    # 3. Units: blocks that fit, or else their items, rows, sentences.

    def _units(self, text: str, room: int) -> list[Unit]:
        (size,) = self.count([text])
        if size <= room:
            return [Unit(text, size)]
        lines = text.split("\n")
        found = blocks(text)
        self.count([_dedent(lines[block.start : block.end]) for block in found])  # All at once, for those to come.
        return [unit for block in found for unit in self._block_units(block, lines, room)]

    def _block_units(self, block: Block, lines: list[str], room: int) -> Iterator[Unit]:
        text = _dedent(lines[block.start : block.end])
        if not text.strip() or block.kind == "rule":
            return
        (size,) = self.count([text])
        if size <= room:
            yield Unit(text, size, prose=block.kind == "paragraph")
        elif block.kind == "code":
            yield from self._code_units(text, block, room)
        elif block.kind == "table":
            yield from self._row_units(text.split("\n"), room)
        elif block.children:
            yield from self._child_units(block, lines, room)
        else:
            yield from self._sentence_units(text, room)

    def _child_units(self, block: Block, lines: list[str], room: int) -> Iterator[Unit]:
        """Yields the units of a list's items or of what is in an item or a quote; the marker stays with the first."""
        for index, child in enumerate(block.children):
            for part, unit in enumerate(self._block_units(child, lines, room)):
                if block.kind == "list" and index and not part:
                    yield replace(unit, joint="\n", cut_cost=BETWEEN_ITEMS)
                else:
                    yield unit

    def _code_units(self, text: str, block: Block, room: int) -> Iterator[Unit]:
        """Yields a code block that does not fit in pieces at line ends, each fenced again."""
        code, language = _strip_fence(text) if block.fenced else (text, "")
        frame = self.count([fence_code("", language)])[0]
        for piece in self._cut(code, max(room - frame, MIN_ROOM), whole_lines=True):
            whole = fence_code(piece.strip("\n"), language)
            yield Unit(whole, self.count([whole])[0], "\n\n", INSIDE_CODE, prose=False)

    def _row_units(self, rows: list[str], room: int) -> Iterator[Unit]:
        """Yields a table in runs of rows, each under the table's header; a long one is shortened, and stands whole before."""
        head, rows = rows[:2], rows[2:]
        sizes = self.count([f"{row}\n" for row in rows])
        (n_head,) = self.count(["\n".join(head)])
        if n_head > room // HEADER_SHARE:
            yield from self._sentence_units(" ".join(head[0].strip("| ").split()), room)
            head, n_head = short_header(head[0], room // 2, self.count)
        run: list[str] = []
        used = n_head
        for row, size in zip(rows, sizes, strict=True):
            if run and used + size > room:
                yield Unit("\n".join([*head, *run]), used, prose=False)
                run, used = [], n_head
            if n_head + size > room:
                yield from self._sentence_units(" ".join(row.strip("| ").split()), room)
                continue
            run.append(row)
            used += size
        if run:
            yield Unit("\n".join([*head, *run]), used, prose=False)

    def _sentence_units(self, text: str, room: int) -> Iterator[Unit]:
        """Yields the sentences of a paragraph, cut further only where one does not fit."""
        text = re.sub(r"\s*\n\s*", " ", text)
        lead = LEAD.match(text)
        sentences = [part for part in SENTENCE_END.split(text) if part.strip()]
        for index, (sentence, size) in enumerate(zip(sentences, self.count(sentences), strict=True)):
            pieces = [(sentence, size)]
            if size > room:
                cut = self._cut(sentence, room)
                pieces = list(zip(cut, self.count(cut), strict=True))
            for part, (piece, n_tokens) in enumerate(pieces):
                first = index == 0 and part == 0
                if first:
                    yield Unit(piece, n_tokens)
                else:
                    yield Unit(piece, n_tokens, " ", INSIDE_PARAGRAPH, lead=lead[1] if lead else "")

    def _cut(self, text: str, capacity: int, whole_lines: bool = False) -> list[str]:
        """Returns pieces of at most `capacity` tokens from the library's splitter: at lines, sentences, words, in that order."""
        splitter: TextSplitter = self._splitter(max(capacity // CAPACITY_STEP, 1) * CAPACITY_STEP, whole_lines)
        return [piece for piece in splitter.chunks(text) if piece.strip()]

    def _new_splitter(self, capacity: int, whole_lines: bool) -> TextSplitter:
        from semantic_text_splitter import TextSplitter

        return TextSplitter.from_huggingface_tokenizer(self._tokenizer, capacity, trim=not whole_lines)

    # 4. Packing: units into spans that are evenly full, cut where a cut costs least.

    def _pack(self, units: list[Unit], room: int) -> Iterator[str]:
        if sum(unit.n_tokens for unit in units) <= room:
            if units:
                yield _join(units)
            return
        before: list[Unit] = []
        for group in _cheapest_groups(units, room, self._overlap):
            carried = self._carry_over(before, group, room)
            yield _join([*carried, *group])
            before = group

    def _carry_over(self, before: list[Unit], group: list[Unit], room: int) -> list[Unit]:
        """Returns what a span repeats of the one before, where there is room: the cut paragraph's term or last sentences."""
        free = min(self._overlap, room - sum(unit.n_tokens for unit in group))
        if not before or free <= 0 or not before[-1].prose or not group[0].prose:
            return []
        if group[0].lead:
            lead = f"{group[0].lead} ..."
            return [Unit(lead, 0)] if self.count([lead])[0] <= free else []
        sentences = SENTENCE_END.split(re.sub(r"\s*\n\s*", " ", before[-1].text))
        sizes = self.count(sentences)
        kept: list[str] = []
        while sentences and sizes[-1] <= free:
            free -= sizes.pop()
            kept.insert(0, sentences.pop())
        return [Unit(" ".join(kept), 0)] if kept else []


def _cheapest_groups(units: list[Unit], room: int, overlap: int) -> list[list[Unit]]:
    """Returns the units in runs that fit, with the least sum of squared emptiness and of what the cuts cost.

    A run that goes on inside a paragraph is filled to `room - overlap` only, so that a repeated sentence mostly fits.
    """
    n = len(units)
    best = [0.0] + [float("inf")] * n
    start_of = [0] * (n + 1)
    limits = [room - overlap if unit.joint == " " and unit.prose else room for unit in units]
    for end in range(1, n + 1):
        used = 0
        for start in range(end - 1, -1, -1):
            used += units[start].n_tokens
            if used > room and start < end - 1:
                break
            if used > limits[start] and start < end - 1:
                continue
            emptiness = max(0.0, 1 - used / limits[start])
            cost = best[start] + emptiness**2 + (_cut_cost(units, start) if start else 0.0)
            if cost < best[end]:
                best[end], start_of[end] = cost, start
    groups = []
    end = n
    while end:
        groups.append(units[start_of[end] : end])
        end = start_of[end]
    return groups[::-1]


def _cut_cost(units: list[Unit], start: int) -> float:
    before = units[start - 1].text.rstrip()
    lead_in = before.endswith(":") or before.rsplit("\n", 1)[-1].startswith("#")
    return units[start].cut_cost + (AFTER_LEAD_IN if lead_in else 0.0)


def _join(units: list[Unit]) -> str:
    text = units[0].text
    for unit in units[1:]:
        text += unit.joint + unit.text
    return text.strip("\n")


def _dedent(lines: list[str]) -> str:
    """Returns the lines moved left by the indent of the first: a block nested in a list stands by itself."""
    lines = [line.rstrip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        return ""
    indent = len(lines[0]) - len(lines[0].lstrip(" "))
    return "\n".join(line[indent:] if line[:indent].isspace() or not line[:indent] else line.lstrip() for line in lines)


def _strip_fence(text: str) -> tuple[str, str]:
    first, _, rest = text.partition("\n")
    match = re.match(r"\s*(`{3,}|~{3,})\s*([\w+#.-]*)", first)
    if match is None:
        return text, ""
    lines = rest.split("\n")
    if lines and lines[-1].strip().startswith(match[1]):
        lines.pop()
    return "\n".join(lines), match[2]

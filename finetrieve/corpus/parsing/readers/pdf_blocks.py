"""The lines of a PDF as Markdown: headings by bookmarks, size and weight, paragraphs, lists, tables and code, across pages."""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from finetrieve.corpus.parsing.cleaning import tidy
from finetrieve.corpus.parsing.html import STARTS_BLOCK
from finetrieve.corpus.parsing.markdown import fence_code, table_of
from finetrieve.corpus.parsing.prose import WORD
from finetrieve.corpus.parsing.readers.pdf_furniture import without_contents, without_furniture
from finetrieve.corpus.parsing.readers.pdf_lines import Line, PageLines
from finetrieve.corpus.parsing.removal import RECURRING, UNMAPPED, Removals

BULLET = re.compile(r"^(?:[•◦▪■●○‣∙⁃·□➢✓➤]|[-–—*](?=\s)|o(?=\s+[A-Z]))\s*")
NUMBERED = re.compile(r"^(?:\(?\d{1,3}[.)]|\(?[a-z][.)])\s+(?=\S)")
LARGER = 1.1
"""Times the size of the body: a line that large is a heading."""
MAX_HEADING_WORDS = 25
MAX_BOLD_WORDS = 10
"""Of a bold line of its own that is a heading."""
NEW_PARAGRAPH = 1.6
"""Times the usual distance of lines."""
DIVIDED = re.compile(r"^[^\w]*\w?(?:[^\W\d_A-Z]|['’])+.$")
"""The first half of a word; a name with capitals or digits in it keeps its hyphen."""
HYPHENS = "-\u2010\u00ad"
SAME_PLACE = 4.0
"""Points within which two left ends are the same."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of the file's outline."""

    title: str
    level: int
    page: int
    """Its number, or 0 where it leads nowhere."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file's text."""

    title: str
    text: str
    source: str
    """All words as they were drawn, halves that the end of a line divides put together."""


@dataclass(slots=True)
class _Block:
    """A run of lines of one kind, which becomes a paragraph, a heading, an item, code or a table."""

    kind: str
    """`heading`, `paragraph`, `item`, `code` or `table`."""
    text: str
    level: int = 0
    rows: list[list[str]] = field(default_factory=list)
    edges: tuple[int, ...] = ()
    last: Line | None = None
    """The line that it ends with."""
    size: float = 0


def write_pages(pages: list[PageLines], bookmarks: list[Bookmark], removals: Removals) -> Written:
    """Returns the text of a file.

    Args:
        pages: Their lines in reading order.
        bookmarks: The outline; empty where there is none.
        removals: Notes what is taken out.
    """
    source = [line.raw or line.text for page in pages for line in page.lines]
    for page in pages:
        removals.add(UNMAPPED, page.unmapped_text)
    source += [page.unmapped_text for page in pages]
    pages = [without_contents(page, removals) for page in without_furniture(pages, removals)]
    writer = _Writer(pages, bookmarks, removals)
    blocks = writer.blocks(pages)
    text = tidy("\n\n".join(_markdown(blocks)))
    headings = [block for block in blocks if block.kind == "heading"]
    first = next((block.text for block in headings if block.level == 1), headings[0].text if headings else "")
    words = Counter(" ".join(source).split())
    for halves, whole in writer.joined:
        words.subtract(halves)
        words[whole] += 1
    return Written(first, text, " ".join((+words).elements()))


class _Writer:
    """Tells what lines are, knowing those of the whole file."""

    def __init__(self, pages: list[PageLines], bookmarks: list[Bookmark], removals: Removals) -> None:
        self._removals = removals
        lines = [line for page in pages for line in page.lines if not line.rows]
        sizes: Counter[float] = Counter()
        for line in lines:
            sizes[line.size] += len(line.text) if not line.mono else 0
        self._body = sizes.most_common(1)[0][0] if sizes.total() else max((line.size for line in lines), default=10.0)
        larger = {line.size for line in lines if line.size > LARGER * self._body and WORD.search(line.text) and not line.mono}
        self._ranks = {size: min(rank, 6) for rank, size in enumerate(sorted(larger, reverse=True), 1)}
        self._bookmarks: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for bookmark in bookmarks:
            self._bookmarks[bookmark.page].append((_key(bookmark.title), min(bookmark.level, 6)))
        self._learn_levels(pages)
        self._whole = Counter(word.casefold() for line in lines for word in line.text.split())
        gaps = [
            below.top - above.top
            for page in pages
            for above, below in zip(page.lines, page.lines[1:], strict=False)
            if above.size == below.size == self._body and 0 < below.top - above.top < 3 * self._body
        ]
        self._distance = statistics.median(gaps) if gaps else 1.3 * self._body
        self.joined: list[tuple[tuple[str, str], str]] = []

    def blocks(self, pages: list[PageLines]) -> list[_Block]:
        """Returns the blocks of the file."""
        found: list[_Block] = []
        for page in pages:
            new = list(self._page_blocks(page))
            if found and new:
                self._continue(found[-1], new)
            found += new
            found += [_Block("paragraph", words) for words in page.alternatives]
        return found

    # 1. One page.

    def _page_blocks(self, page: PageLines) -> Iterator[_Block]:
        lines, at = page.lines, 0
        open_block: _Block | None = None
        before: Line | None = None
        bullets: list[float] = []
        while at < len(lines):
            line = lines[at]
            if not line.rows and (rows := self._drawn_rows(lines, at)):
                table, taken = rows
                yield from [open_block] if open_block else []
                yield table
                open_block, before, at = None, None, at + taken
                continue
            gap = line.top - before.top if before is not None and line.top >= before.top else 0.0
            heading, taken = self._heading(page, lines, at, gap)
            if heading:
                yield from [open_block] if open_block else []
                yield heading
                open_block, before, at, bullets = None, lines[at + taken - 1], at + taken, []
                continue
            kind = "table" if line.rows else "code" if line.mono and WORD.search(line.text) else ""
            item = None if kind else _item(line.text)
            if kind == "table":
                yield from [open_block] if open_block else []
                yield _Block("table", "", rows=line.rows, edges=line.edges, last=line)
                open_block = None
            elif open_block and before is not None and self._goes_on(open_block, before, line, kind, item, gap):
                self._add(open_block, line, gap)
            else:
                yield from [open_block] if open_block else []
                if item:
                    bullets = [place for place in bullets if place < line.x0 - SAME_PLACE] + [line.x0]
                    open_block = _Block("item", item, len(bullets) - 1, last=line, size=line.size)
                else:
                    bullets = bullets if kind == "code" else []
                    open_block = _Block(kind or "paragraph", line.text, last=line, size=line.size)
                    open_block.edges = (round(line.x0),) if kind == "code" else ()
            before, at = line, at + 1
        yield from [open_block] if open_block else []

    def _goes_on(self, block: _Block, before: Line, line: Line, kind: str, item: str | None, gap: float) -> bool:
        if kind == "code":
            return block.kind == "code" and gap < 4 * self._distance
        if block.kind == "code" or item is not None:
            return False
        if line.size != block.size and abs(line.size - block.size) > 1.5:
            return False
        scale = max(line.size / self._body, 0.5)
        if gap > NEW_PARAGRAPH * self._distance * scale:
            return False
        if block.kind == "item":
            return gap > 0 and line.x0 > (block.last.x0 if block.last else 0) - SAME_PLACE
        ended_early = before.x1 < line.x1 - 0.25 * (line.x1 - line.x0) and before.text.rstrip().endswith((".", ":", "!", "?"))
        indented = line.x0 > before.x0 + line.size and gap > 0 and before.text.rstrip().endswith((".", ":", "!", "?"))
        return not ended_early and not indented

    def _add(self, block: _Block, line: Line, gap: float) -> None:
        if block.kind == "code":
            blank = "\n" if gap > 1.7 * line.size * 1.2 else ""
            width = max((line.x1 - line.x0) / max(len(line.text), 1), 1.0)
            block.text += f"\n{blank}{' ' * max(round((line.x0 - block.edges[0]) / width), 0)}{line.text}"
        else:
            block.text = self._join(block.text, line.text)
            if block.kind == "paragraph":
                block.last = line

    def _join(self, above: str, below: str) -> str:
        """Returns two lines as one, a word that the end of the first divides put together."""
        first, last = below.split(" ", 1)[0], above.rsplit(" ", 1)[-1]
        if last[-1:] in HYPHENS and first[:1].islower() and len(last) > 2 and last[-2].isalpha():
            if not DIVIDED.match(last):
                return above + below
            kept = f"{last[:-1]}-{first}".casefold().rstrip(".,;:!?)")
            whole = f"{last[:-1]}{first}"
            if last[-1] == "\u00ad" or self._whole[kept] == 0 or self._whole[whole.casefold().rstrip(".,;:!?)")]:
                self.joined.append(((last, first), whole))
                return above[:-1] + below
            return above + below
        return f"{above} {below}"

    # 2. Headings.

    def _learn_levels(self, pages: list[PageLines]) -> None:
        """Takes the level of a size of letters from the bookmarks whose words are drawn in it."""
        seen: dict[float, Counter[int]] = defaultdict(Counter)
        for page in pages:
            for at, line in enumerate(page.lines):
                if line.size in self._ranks and (marked := self._marked(page, page.lines, at)):
                    seen[line.size][marked[0]] += 1
        levels = {size: counts.most_common(1)[0][0] for size, counts in seen.items()}
        if not levels:
            return
        shift = 0 if max(self._ranks) in levels or min(levels.values()) > 1 else 1  # The title stands above the first bookmarks.
        for size in sorted(self._ranks, reverse=True):
            if size in levels:
                self._ranks[size] = min(levels[size] + shift, 6)
            else:
                above = [self._ranks[other] for other in self._ranks if other > size]
                self._ranks[size] = min(max(above, default=0) + 1, 6)
        self._shift = shift

    _shift = 0

    def _marked(self, page: PageLines, lines: list[Line], at: int) -> tuple[int, int] | None:
        """Returns the level of the bookmark whose words begin at a line, and over how many lines they go."""
        marks = self._bookmarks.get(page.number)
        if not marks or lines[at].rows:
            return None
        words = ""
        for taken in (1, 2, 3):
            if at + taken > len(lines) or lines[at + taken - 1].rows:
                break
            words += _key(lines[at + taken - 1].text)
            for title, level in marks:
                if words == title or (taken == 1 and words and _without_number(words) == _without_number(title)):
                    return level, taken
        return None

    def _heading(self, page: PageLines, lines: list[Line], at: int, gap: float) -> tuple[_Block | None, int]:
        line = lines[at]
        if line.rows or not WORD.search(line.text):
            return None, 0
        marked = self._marked(page, lines, at)
        if marked and line.size >= self._body - 0.5:
            level, taken = marked
            return self._headed(lines[at : at + taken], min(level + self._shift, 6)), taken
        if line.mono or len(line.text.split()) > MAX_HEADING_WORDS:
            return None, 0
        if line.size in self._ranks and (sum(map(str.isalpha, line.text)) > 1 or gap > self._distance):
            taken = 1
            while at + taken < len(lines) and self._same_heading(lines[at + taken - 1], lines[at + taken]):
                taken += 1
            return self._headed(lines[at : at + taken], self._ranks[line.size]), taken
        if self._is_bold_heading(lines, at, gap):
            return self._headed([line], min(max(self._ranks.values(), default=0) + 1, 6)), 1
        return None, 0

    def _headed(self, lines: list[Line], level: int) -> _Block:
        text = lines[0].text
        for line in lines[1:]:
            text = self._join(text, line.text)
        return _Block("heading", text, level, last=lines[-1])

    def _same_heading(self, above: Line, below: Line) -> bool:
        distance = below.top - above.top
        return not below.rows and below.size == above.size and below.bold == above.bold and 0 < distance < 1.5 * above.size

    def _is_bold_heading(self, lines: list[Line], at: int, gap: float) -> bool:
        line = lines[at]
        if not line.bold or line.pieces or line.size < self._body - 0.25 or len(line.text.split()) > MAX_BOLD_WORDS:
            return False
        if line.text.rstrip().endswith((".", ":", ",", ";", "!")) or (
            _item(line.text) is not None and not line.text[:1].isdigit()
        ):
            return False
        follows = lines[at + 1] if at + 1 < len(lines) else None
        alone = at == 0 or gap > 1.25 * self._distance or gap == 0.0
        return alone and (follows is None or not follows.bold or follows.rows != [])

    # 3. Tables without rules, and what goes on from page to page.

    def _drawn_rows(self, lines: list[Line], at: int) -> tuple[_Block, int] | None:
        """Returns a table whose cells only stand below one another, and of how many lines it is."""
        first = lines[at]
        if len(first.pieces) < 2 or first.mono or _item(first.text) is not None:
            return None
        places = [piece[0] for piece in first.pieces]
        rows, taken, before = [[piece[2] for piece in first.pieces]], 1, first
        n_joined = len(self.joined)
        while at + taken < len(lines):
            line = lines[at + taken]
            if line.rows or line.mono or not 0 < line.top - before.top < 3 * self._distance:
                break
            cells = _in_columns(line, places)
            if cells is None:
                break
            filled = sum(map(bool, cells))
            if filled == len(places) or (cells[0] and line.top - before.top > 1.3 * self._distance):
                rows.append(cells)
            elif line.top - before.top < NEW_PARAGRAPH * self._distance:
                rows[-1] = [
                    self._join(cell, more) if cell and more else cell or more for cell, more in zip(rows[-1], cells, strict=True)
                ]
            else:
                break
            before, taken = line, taken + 1
        full = sum(sum(map(bool, row)) > 1 for row in rows)
        if full > 2 and full >= 0.6 * len(rows):
            return _Block("table", "", rows=rows, last=before), taken
        del self.joined[n_joined:]
        return None

    def _continue(self, last: _Block, new: list[_Block]) -> None:
        """Joins what a page begins with to what the one before ended with, where a sentence or a table goes on."""
        first = new[0]
        if last.kind in ("paragraph", "item") and first.kind == "paragraph":
            ends = last.text.rstrip()[-1:]
            if ends and ends not in ".!?:;" and first.text[:1].islower():
                last.text = self._join(last.text, first.text)
                new.pop(0)
        elif last.kind == first.kind == "table" and _same_columns(last.edges, first.edges):
            if first.rows and first.rows[0] == last.rows[0]:
                self._removals.add(RECURRING, " ".join(first.rows[0]))
                first.rows = first.rows[1:]
            last.rows += first.rows
            new.pop(0)


def _same_columns(above: tuple[int, ...], below: tuple[int, ...]) -> bool:
    return bool(above) and len(above) == len(below) and all(abs(a - b) <= SAME_PLACE for a, b in zip(above, below, strict=True))


def _in_columns(line: Line, places: list[float]) -> list[str] | None:
    """Returns the words of a line by the columns of a table, or None where they stand in none."""
    cells = [""] * len(places)
    for x0, _, text in line.pieces or ((line.x0, line.x1, line.text),):
        column = next((at for at, place in enumerate(places) if abs(place - x0) <= SAME_PLACE), None)
        if column is None or cells[column]:
            return None
        cells[column] = text
    return cells


def _item(text: str) -> str | None:
    """Returns what an item of a list says, with its number, or None where the line begins none."""
    match = BULLET.match(text)
    if match:
        return text[match.end() :]
    return text if NUMBERED.match(text) else None


def _markdown(blocks: list[_Block]) -> Iterator[str]:
    items: list[str] = []
    for block in [*blocks, None]:
        if block is not None and block.kind == "item":
            mark = "" if NUMBERED.match(block.text) else "- "
            items.append("  " * block.level + mark + block.text)
            continue
        if items:
            yield "\n".join(items)
            items = []
        if block is None:
            return
        if block.kind == "heading":
            yield f"{'#' * max(block.level, 1)} {block.text}"
        elif block.kind == "code":
            yield fence_code(block.text)
        elif block.kind == "table":
            yield table_of([[cell.replace("|", "\\|") for cell in row] for row in block.rows])
        else:
            yield STARTS_BLOCK.sub(r"\\\1", block.text)


def _key(text: str) -> str:
    return "".join(WORD.findall(text.casefold()))


def _without_number(key: str) -> str:
    return key.lstrip("0123456789") or key

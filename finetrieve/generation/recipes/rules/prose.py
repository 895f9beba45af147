"""A chunk's Markdown as sentences, labelled explanations, parameters, table rows and headings; code is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from finetrieve.core.text import word_set
from finetrieve.generation.recipes.rules.grammar import is_base_verb, lemmas
from finetrieve.generation.recipes.rules.lexicon import FUNCTION_WORDS

_FENCE = re.compile(r"^\s*(```|~~~)")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$")
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d{1,2}[.)])\s+(.*)$")
_ROW = re.compile(r"^\s*\|(.+)\|\s*$")
_RULE = re.compile(r"^[\s|:=+*_-]+$")
_BOX = re.compile(r"[\u2500-\u257f]{2,}|[┃│┠┨┏┓┗┛]")
_CODE_LINE = re.compile(
    r"^\s*(?:import [\w.]+(?: as \w+)?$|from [\w.]+ import |(?:async )?def \w+\(|class \w+[:(]|@\w+|return\b|print\(|#!|"
    r"[\w.\[\]\"']+ ?[+|]?= ?\S|[)}\]]+[,;]?$|"
    r"(?:pip|npm|docker|kubectl|git|aws|gcloud|az|curl|helm|cd|export|sudo|brew|conda) [\w-]+|\w+\()|[({\[=,\\]\s*$|^\s*\"\"\""
)
_COMMENT = re.compile(r"^\s*(?:#|//)\s+([A-Z][^=(){}\[\]<>$]{12,90})$")
_RUN_TOGETHER = re.compile(r"\b([a-z]{2,})([.!?])([A-Z][a-z]+)\b")
_UNSTOPPED = re.compile(r"(?<=[a-z]) (?=From [A-Z][\w ]{2,30}, (?:tap|click|select|press|choose|swipe|open|touch)\b)")
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b50\ufe0f\u200d\u200b]")
_BOLD_LABEL = re.compile(
    r"^(?:\*\*|__)(.{1,80}?)(?:\*\*|__)\s*(?:\(((?:[^()]|\([^()]*\))*)\))?\s*(?:[:–—-]|(?<=:\*\*))\s*(.+)$", re.S
)
_BOLD_LABEL_INSIDE = re.compile(r"^(?:\*\*|__)([^*]{1,80}?):\s*(?:\*\*|__)\s*(.+)$", re.S)
_CODE_LABEL = re.compile(r"^`([^`]{1,60})`\s*(?:\(([^)]*)\))?\s*(?::|–|—| - )\s*(.+)$", re.S)
_PLAIN_LABEL = re.compile(r"^([A-Z0-9][^:.?!;,]{1,48}):\s+([A-Z\"'“(].+)$", re.S)
_NUMPY_PARAMETER = re.compile(r"^(\*{0,2}[A-Za-z_]\w*(?:, \*{0,2}\w+)*) : (\S.*)$")
_ABBREVIATION = re.compile(
    r"\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|Inc|Corp|Ltd|Co|No|Fig|Eq|Sec|Mr|Mrs|Ms|Dr|St|Jr|Sr|U\.S|U\.K|[A-Z])\.$"
)
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”')\]]*\s+(?=[\"“'(\[]?[A-Z0-9`*])")
_CALLOUT = re.compile(
    r"^(?:NOTE|TIP|WARNING|CAUTION|IMPORTANT|INFO|Note|Tip|Warning|Caution|Important|Hint|HINT)\s*[:!-]?\s+(?=[A-Z])"
)
_LIST_INTRODUCTION = re.compile(
    r"((?:following|these)(?: \w+){0,3}(?: \w+)?:|for (?:more )?(?:options|settings|features):|options (?:appear|are "
    r"available):|to customi[sz]e:)\s+(?=[A-Z])"
)


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of a chunk that can be asked about."""

    kind: str
    """`sentence`, `label` (name and explanation), `parameter`, `row` (table), `heading` or `comment` (in code)."""
    text: str
    """The sentence, explanation or heading, without Markdown; code words keep their spelling."""
    name: str = ""
    """What a label, parameter or row is called."""
    note: str = ""
    """A parameter's type, or a table's heading for the explaining column."""


@lru_cache(maxsize=8192)
def plain(text: str) -> str:
    """Returns Markdown as plain text: link texts kept, images, tags, footnotes, emphasis and code marks gone."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", " ", text)
    text = re.sub(r"\[([^\]]+)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)", r"\1", text)
    text = re.sub(r"\[([^\]]+)\]\[[^\]]*\]", r"\1", text)
    text = re.sub(r"\[\^?\d+\]_?", "", text)
    text = re.sub(r":[\w:]+:`~?([^`<]+)(?:<[^>]*>)?`", r"\1", text)
    text = re.sub(r"<(?:https?://[^>]+|/?[A-Za-z][^>]*)>", " ", text)
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", " ", text)
    text = re.sub(r"https?://\S+|www\.\S+", " ", text)
    text = re.sub(r"(?<!\w)[*_]{1,3}(?=\S)(.+?)(?<=\S)[*_]{1,3}(?!\w)", r"\1", text)
    text = text.replace("`", "").replace("\\_", "_").replace("\\*", "*")
    text = _EMOJI.sub("", text)
    text = text.replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"').replace("‑", "-").replace("\u00a0", " ")
    text = re.sub(r"&(?:amp|#38);", "&", text).replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ")
    text = _RUN_TOGETHER.sub(_split_run_together, text)
    return re.sub(r"\s+", " ", text).strip()


def _split_run_together(match: re.Match[str]) -> str:
    """`of rides.Our platform` is two sentences that lost their space; `pandas.DataFrame` is a name."""
    known = lemmas(match[1]) or match[1] in FUNCTION_WORDS
    following = match[3].lower()
    return f"{match[1]}{match[2]} {match[3]}" if known and (following in FUNCTION_WORDS or lemmas(following)) else match[0]


def units(text: str, title: str) -> list[Unit]:
    """Returns the units of a chunk in reading order; a repetition of the title at the start is left out."""
    found: list[Unit] = []
    for block in _blocks(_without_title(text, title)):
        found += _block_units(block)
    return found


def _without_title(text: str, title: str) -> str:
    """Drops a title repeated as the text's first words before a sentence (`Camera Enjoy a full kit`, not `Seldon Core is`)."""
    stripped = text.lstrip()
    rest = stripped[len(title) :].lstrip() if title and stripped.startswith(title) else ""
    first = re.match(r"[A-Za-z'-]+", rest)
    if (
        first
        and rest[0].isupper()
        and (rest.startswith(title.split()[0]) or first[0].lower() in FUNCTION_WORDS or is_base_verb(first[0]))
    ):
        return rest
    return text


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of a passage's Markdown: a paragraph, a heading, an item or a row of a table."""

    kind: str
    text: str
    cells: tuple[tuple[str, ...], ...] = ()


def _blocks(text: str) -> Iterator[_Block]:
    fenced = False
    paragraph: list[str] = []
    rows: list[tuple[str, ...]] = []
    kind = "paragraph"

    def flush() -> Iterator[_Block]:
        nonlocal kind
        if paragraph:
            yield _Block(kind, " ".join(paragraph))
            paragraph.clear()
        if rows:
            yield _Block("table", "", tuple(rows))
            rows.clear()
        kind = "paragraph"

    for raw in text.splitlines():
        if _FENCE.match(raw):
            yield from flush()
            fenced = not fenced
            continue
        line = re.sub(r"^\s*>+\s?", "", raw)
        if fenced or _BOX.search(line) or re.match(r"^\s*(?:>>>|\.\.\. |\$ )", raw):
            if fenced and (comment := _COMMENT.match(raw)):
                yield _Block("comment", comment[1])
            continue
        if _CODE_LINE.search(line) and not re.search(r"[.!?]$|[a-z], ?$", line.strip()):
            continue
        if heading := _HEADING.match(line) or re.match(r"^\s*\*\*([^*]{3,70})\*\*:?\s*$", line):
            yield from flush()
            yield _Block("heading", heading[1])
        elif row := _ROW.match(line):
            if paragraph:
                yield from flush()
            if not _RULE.match(line):
                rows.append(tuple(plain(cell) for cell in re.split(r"(?<!\\)\|", row[1])))
        elif not line.strip() or _RULE.match(line):
            yield from flush()
        elif item := _ITEM.match(line):
            yield from flush()
            kind = "item"
            paragraph.append(item[1])
        elif parameter := _NUMPY_PARAMETER.match(line):
            yield from flush()
            kind = "parameter"
            paragraph.append(f"{parameter[1]}\x1f{parameter[2]}\x1f")
        else:
            paragraph.append(line.strip())
    yield from flush()


def _block_units(block: _Block) -> list[Unit]:
    if block.kind == "table":
        return _table_units(block.cells)
    if block.kind == "heading":
        return [Unit("heading", plain(block.text))]
    if block.kind == "comment":
        return [Unit("comment", plain(block.text))]
    if block.kind == "parameter":
        name, note, text = block.text.split("\x1f", 2)
        return [Unit("parameter", plain(text), name.split(",")[0].lstrip("*"), plain(note))] if text.strip() else []
    text = block.text.strip()
    if labelled := _labelled(text):
        return labelled
    return [unit for sentence in sentences(plain(text)) for unit in _sentence_units(sentence)]


def _labelled(text: str) -> list[Unit] | None:
    for pattern in (_BOLD_LABEL_INSIDE, _BOLD_LABEL, _CODE_LABEL):
        match = pattern.match(text)
        if match and match.lastindex and match[match.lastindex]:
            groups = match.groups()
            note = groups[1] or "" if len(groups) == 3 else ""
            name, rest = plain(groups[0]).rstrip(":"), plain(groups[-1])
            identifier = re.fullmatch(r"[*-]*[a-z_][\w.-]*", name) is not None
            kind = "parameter" if note or (identifier and ("_" in name or pattern is _CODE_LABEL)) else "label"
            first, *others = sentences(rest) or [""]
            following = [unit for sentence in others for unit in _sentence_units(sentence)]
            return [Unit(kind, first, name, plain(note)), *following]
    return None


def _sentence_units(sentence: str) -> list[Unit]:
    sentence = _CALLOUT.sub("", sentence)
    pieces = _LIST_INTRODUCTION.split(sentence, maxsplit=1)
    if len(pieces) == 3:
        return [Unit("sentence", pieces[0] + pieces[1]), *_sentence_units(pieces[2])]
    label = _PLAIN_LABEL.match(sentence)
    if (
        label
        and 1 <= len(label[1].split()) <= 6
        and not re.match(r"(?:To|From|In|On|For|If|When|With|By|At|After|Before|Under|See|Example|e\.g)\b", label[1])
    ):
        return [Unit("label", label[2], label[1].strip())]
    return [Unit("sentence", sentence)]


def _table_units(rows: tuple[tuple[str, ...], ...]) -> list[Unit]:
    if len(rows) < 2 or len(rows[0]) < 2:
        return []
    header = [cell.strip() for cell in rows[0]]
    explains = max(range(1, len(header)), key=lambda place: sum(len(row[place]) if place < len(row) else 0 for row in rows[1:]))
    found = []
    for row in rows[1:]:
        if len(row) > explains and row[0].strip() and len(row[explains].split()) >= 3:
            found.append(Unit("row", (sentences(row[explains].strip()) or [""])[0], row[0].strip(), header[0]))
    return found


def sentences(text: str) -> list[str]:
    """Returns the sentences of plain text; abbreviations do not end one."""
    found: list[str] = []
    for piece in _SENTENCE_END.split(_UNSTOPPED.sub(". ", text)):
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    return [sentence.strip() for sentence in found if sentence.strip()]


def without_code(text: str) -> str:
    """Returns Markdown without its code blocks, so that what is told can be judged."""
    kept, fenced = [], False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            kept.append(line)
    return "\n".join(kept)


_ENGLISH = word_set(
    "the a an of to and in is are for you your with on or it this that be can if from by as not when will at have use all was its"
)


def looks_english(text: str) -> bool:
    """Returns whether running text is English, by its function words; short texts pass when their letters are Latin."""
    words: list[str] = re.findall(r"[^\W\d_]+", text.lower())
    if not words:
        return False
    latin = sum(word.isascii() for word in words) / len(words)
    if len(words) < 15:
        return latin > 0.8
    grammatical = sum(word in _ENGLISH for word in words) / len(words)
    return latin > 0.8 and grammatical > 0.1

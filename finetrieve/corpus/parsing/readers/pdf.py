"""PDF files as pages: pdfplumber gives letters, rules and bookmarks; `pdf_lines` and `pdf_blocks` tell what they are."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from finetrieve.core.failures import error_line
from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.parsing.prose import says_something
from finetrieve.corpus.parsing.readers.base import FileReader
from finetrieve.corpus.parsing.readers.pdf_blocks import Bookmark, write_pages
from finetrieve.corpus.parsing.readers.pdf_lines import PageLines, page_lines
from finetrieve.corpus.parsing.removal import Removals

MAX_STREAM_MB = 256
"""Of one stream, unpacked; a bomb grows a thousandfold."""
MAX_BOOKMARKS = 20_000
OCR = "run OCR first, as with: ocrmypdf in.pdf out.pdf"
MIN_MAPPED_SHARE = 0.5
"""Of a file's letters that have to be known; below it the text cannot be read."""
NO_TITLE = re.compile(
    r"^(?:untitled|microsoft word.*|.*\.(?:docx?|pdf|indd|tex|odt|html?|md)|about:blank|https?:.*)$", re.IGNORECASE
)
_STREAM = re.compile(rb"\bstream\r?\n")
_FLATE_TWICE = re.compile(rb"/(?:FlateDecode|Fl)\s*/(?:FlateDecode|Fl)\b")


class PdfReader(FileReader):
    """PDF files with text in them."""

    name: ClassVar[str] = "pdf"
    description: ClassVar[str] = "PDF files with text in them"
    suffixes: ClassVar[tuple[str, ...]] = (".pdf",)
    packages: ClassVar[tuple[str, ...]] = ("pdfplumber",)

    def read(self, path: Path, root: Path) -> CleanPage:  # noqa: ARG002
        """Returns the file's text: headings, lists, tables and code told apart, running headers and page numbers left out."""
        import pdfplumber
        from pdfminer.pdfdocument import PDFPasswordIncorrect

        data = path.read_bytes()
        if b"%PDF" not in data[:1024]:
            raise ValueError("the file does not begin as a PDF does")
        _check_streams(data)
        del data
        try:
            with pdfplumber.open(path) as pdf:
                contents = _read_pages(pdf)
                title = _stated_title(pdf.metadata)
                bookmarks = _bookmarks(pdf)
        except Exception as error:
            if isinstance(error, PDFPasswordIncorrect) or any(isinstance(item, PDFPasswordIncorrect) for item in error.args):
                raise ValueError("the file is encrypted: save it without a password") from None
            if isinstance(error, ValueError | OSError):
                raise
            raise ValueError(f"the file is broken or cut off ({error_line(error, 100)})") from None
        return _page(contents, title, bookmarks)


@dataclass(frozen=True, slots=True)
class _Contents:
    """What was read of a file, page by page."""

    pages: list[PageLines]
    pictures: list[int]
    """Numbers of the pages that hold a picture and no text."""
    failed: dict[int, str]


def _page(contents: _Contents, title: str, bookmarks: list[Bookmark]) -> CleanPage:
    if not contents.pages and not contents.failed:
        raise ValueError("the file has no pages")
    letters = sum(page.letters for page in contents.pages)
    unmapped = sum(page.unmapped for page in contents.pages)
    if not letters and not unmapped:
        if contents.failed:
            raise ValueError(f"no page of it can be read: {next(iter(contents.failed.values()))}")
        raise ValueError(f"it has no text, only pictures of pages; {OCR}")
    if letters < MIN_MAPPED_SHARE * (letters + unmapped):
        raise ValueError(f"its fonts do not say which letters they draw; {OCR}")
    removals = Removals()
    written = write_pages(contents.pages, bookmarks, removals)
    notes = []
    total = len(contents.pages) + len(contents.failed)
    if contents.pictures:
        notes.append(f"page {_numbers(contents.pictures)} of {total:,} holds a picture and no text; {OCR}")
    if contents.failed:
        problem = next(iter(contents.failed.values()))
        notes.append(f"page {_numbers(list(contents.failed))} of {total:,} cannot be read: {problem}")
    return CleanPage(
        written.title or title, written.text, source=written.source, removals=tuple(removals.found), unread=tuple(notes)
    )


def _read_pages(pdf: Any) -> _Contents:
    """Returns what is on each page; a page is forgotten by the library before the next is read."""
    found = _Contents([], [], {})
    for page in pdf.pages:
        try:
            lines = page_lines(page)
            lines.alternatives = [words for words in _alternatives(page) if says_something(words, "")]
            found.pages.append(lines)
            if not lines.letters and not lines.unmapped and page.images:
                found.pictures.append(page.page_number)
        except Exception as error:  # One strange page costs itself.
            found.failed[page.page_number] = error_line(error, 100)
        finally:
            page.close()
    return found


def _alternatives(page: Any) -> Iterator[str]:
    """Yields what the pictures of a tagged page are called."""
    if "StructTreeRoot" not in page.pdf.doc.catalog:
        return
    try:
        waiting = list(page.structure_tree)
    except Exception:  # A broken tree says nothing about pictures.
        return
    while waiting:
        element = waiting.pop(0)
        if element.get("type") == "Figure" and element.get("alt_text"):
            yield " ".join(str(element["alt_text"]).split())
        waiting[:0] = element.get("children", [])


def _stated_title(metadata: dict[str, Any]) -> str:
    """Returns the title that the file gives itself, where it is one rather than the name of another file."""
    title = " ".join(str(metadata.get("Title") or "").replace("\x00", "").split())
    return "" if NO_TITLE.match(title) or not re.search(r"[^\W\d_]{2}", title) else title


def _bookmarks(pdf: Any) -> list[Bookmark]:
    """Returns the file's outline in its order; a broken one is none."""
    from pdfminer.pdftypes import resolve1

    numbers = {page.page_obj.pageid: page.page_number for page in pdf.pages}
    found: list[Bookmark] = []
    seen: set[int] = set()
    try:
        outlines = resolve1(pdf.doc.catalog.get("Outlines")) or {}
        waiting = [(outlines.get("First"), 1)]
        while waiting and len(found) < MAX_BOOKMARKS:
            reference, level = waiting.pop()
            identifier = getattr(reference, "objid", None)
            if identifier is None or identifier in seen:
                continue
            seen.add(identifier)
            entry = resolve1(reference)
            title = _decoded(resolve1(entry.get("Title")))
            if title:
                found.append(Bookmark(title, level, _target(pdf, entry, numbers)))
            waiting += [(entry.get("Next"), level), (entry.get("First"), level + 1)]
    except Exception:  # Whatever a broken outline raises: headings are then told by their size.
        return found
    return found


def _target(pdf: Any, entry: Any, numbers: dict[int, int]) -> int:
    """Returns the number of the page that a bookmark leads to, or 0."""
    from pdfminer.pdftypes import resolve1

    try:
        action = resolve1(entry.get("A")) or {}
        place = resolve1(entry.get("Dest") or action.get("D"))
        if isinstance(place, bytes):
            place = resolve1(pdf.doc.get_dest(place))
        elif hasattr(place, "name"):
            place = resolve1(pdf.doc.get_dest(str(place.name).encode()))
        if isinstance(place, dict):
            place = resolve1(place.get("D"))
        return numbers.get(getattr(place[0], "objid", -1), 0) if place else 0
    except Exception:  # A bookmark that leads nowhere still names a heading.
        return 0


def _decoded(title: Any) -> str:
    from pdfminer.utils import decode_text

    return " ".join(decode_text(title).replace("\x00", "").split()) if isinstance(title, bytes) else ""


def _numbers(pages: list[int]) -> str:
    shown = ", ".join(map(str, pages[:5]))
    return f"{shown}, ... ({len(pages):,} pages)" if len(pages) > 5 else shown


def _check_streams(data: bytes) -> None:
    """Raises ValueError where a packed stream grows beyond all measure."""
    limit = MAX_STREAM_MB * 1_000_000
    if _FLATE_TWICE.search(data):
        raise ValueError("it holds a stream that is packed twice, as no document needs")
    for match in _STREAM.finditer(data):
        if data[match.end() : match.end() + 1] not in (b"\x78", b"\x58", b"\x48", b"\x68", b"\x38", b"\x08", b"\x18", b"\x28"):
            continue  # Not packed by zlib.
        unpacker, size = zlib.decompressobj(), 0
        chunk = data[match.end() : match.end() + (1 << 16)]
        at = match.end() + len(chunk)
        try:
            while chunk and not unpacker.eof:
                size += len(unpacker.decompress(chunk, 1 << 22))
                if size > limit:
                    raise ValueError(f"a stream in it unpacks to more than {MAX_STREAM_MB} MB")
                chunk = unpacker.unconsumed_tail
                if not chunk:
                    chunk = data[at : at + (1 << 16)]
                    at += len(chunk)
        except zlib.error:
            continue

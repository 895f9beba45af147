"""Word documents as pages: mammoth makes them HTML, by what their styles mean rather than by how they look."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from lxml import etree

from finetrieve.corpus.parsing.formats import html_page
from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.parsing.readers.archives import Archive
from finetrieve.corpus.parsing.readers.base import FileReader
from finetrieve.corpus.parsing.removal import COMMENTS, PAGE_FURNITURE, PAGE_LINKS, Removals

WORD_XML = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
MATH_XML = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
DRAWING_XML = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
DOCUMENT = "word/document.xml"
CODE_STYLE = re.compile(r"code|source|listing|preformatted|verbatim|console|terminal", re.IGNORECASE)
CONTENTS_STYLE = re.compile(r"^(?:toc|table of figures|contents|inhaltsverzeichnis)\b", re.IGNORECASE)
MAX_HEADING = 6
BREAKS = {f"{WORD_XML}tab", f"{WORD_XML}br", f"{WORD_XML}cr"}


class DocxReader(FileReader):
    """Word documents."""

    name: ClassVar[str] = "docx"
    description: ClassVar[str] = "Word documents"
    suffixes: ClassVar[tuple[str, ...]] = (".docx",)
    packages: ClassVar[tuple[str, ...]] = ("mammoth",)

    def read(self, path: Path, root: Path) -> CleanPage:  # noqa: ARG002
        """Returns the document: headings by style, tables, lists, notes; without its contents list, comments and page headers."""
        import mammoth

        if path.read_bytes()[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
            raise ValueError("the file is encrypted or an old Word document: save it as DOCX without a password")
        removals = Removals()
        with Archive(path) as archive:
            body = archive.xml(DOCUMENT)
            styles = _styles(archive)
            source = [_text(part) for part in (body, *_notes(archive))]
            for reason, parts in ((PAGE_FURNITURE, r"word/(?:header|footer)\d*\.xml"), (COMMENTS, r"word/comments\.xml")):
                for name in sorted(name for name in archive.names if re.fullmatch(parts, name)):
                    source.append(_text(archive.xml(name)))
                    removals.add(reason, source[-1])
            contents = {style for style, (name, _) in styles.items() if CONTENTS_STYLE.match(name)}
            for paragraph in body.iter(f"{WORD_XML}p"):
                if _style(paragraph) in contents:
                    removals.add(PAGE_LINKS, _text(paragraph))
            alts = [picture.get("descr") or "" for picture in body.iter(f"{DRAWING_XML}docPr")]
            changed = {DOCUMENT: _with_equations_as_text(body)}
            data = _repacked(archive, changed)
        html = mammoth.convert_to_html(
            data,
            style_map="\n".join(_style_map(styles)),
            convert_image=mammoth.images.img_element(lambda _: {"src": "picture"}),
        ).value
        page = html_page(f"<html><body>{html}</body></html>", removals, whole=True)
        return replace(page, source="\n".join([*source, *alts]))


def _styles(archive: Archive) -> dict[str, tuple[str, int]]:
    """Returns the id of a paragraph style -> its name, and its level as a heading or 0."""
    if "word/styles.xml" not in archive.names:
        return {}
    found = {}
    for style in archive.xml("word/styles.xml").iter(f"{WORD_XML}style"):
        identifier, name = style.get(f"{WORD_XML}styleId"), style.find(f"{WORD_XML}name")
        outline = style.find(f"{WORD_XML}pPr/{WORD_XML}outlineLvl")
        level = outline.get(f"{WORD_XML}val") if outline is not None else ""
        if identifier and name is not None and style.get(f"{WORD_XML}type", "paragraph") == "paragraph":
            depth = int(level) + 1 if (level or "").isdecimal() and int(level) < MAX_HEADING else 0
            found[identifier] = (name.get(f"{WORD_XML}val") or "", depth)
    return found


def _style_map(styles: dict[str, tuple[str, int]]) -> list[str]:
    """Returns mammoth's rules for the styles of a document."""
    rules = ["p[style-name='Title'] => h1:fresh", "p[style-name='Subtitle'] => p:fresh", "r[style-name='Hyperlink'] =>"]
    for identifier, (name, level) in styles.items():
        if not re.fullmatch(r"[\w-]+", identifier):
            continue
        if CONTENTS_STYLE.match(name):
            rules.insert(0, f"p.{identifier} => !")
        elif level:
            rules.append(f"p.{identifier} => h{level}:fresh")
        elif CODE_STYLE.search(name):
            rules.append(f"p.{identifier} => pre:separator('\\n')")
    return rules


def _style(paragraph: Any) -> str:
    style = paragraph.find(f"{WORD_XML}pPr/{WORD_XML}pStyle")
    return (style.get(f"{WORD_XML}val") or "") if style is not None else ""


def _notes(archive: Archive) -> list[Any]:
    """Returns what is in the notes, without the lines that separate them from the text."""
    names = [name for name in ("word/footnotes.xml", "word/endnotes.xml") if name in archive.names]
    return [archive.xml(name) for name in names]


def _text(element: Any) -> str:
    """Returns the words of a part, of pictures' fallbacks none a second time."""
    parts: list[str] = []
    for inner in element.iter():
        if inner.tag in (f"{WORD_XML}t", f"{MATH_XML}t"):
            if not any(str(parent.tag).endswith("}Fallback") for parent in inner.iterancestors()):
                parts.append((inner.text or "") + (" " if inner.tag == f"{MATH_XML}t" else ""))
        elif inner.tag == f"{WORD_XML}p":
            parts.append("\n")
        elif inner.tag in BREAKS:
            parts.append(" ")
        elif inner.tag == f"{WORD_XML}noBreakHyphen":
            parts.append("-")
    return "".join(parts)


def _with_equations_as_text(body: Any) -> bytes:
    """Returns the document with each equation as the text that is in it, which mammoth would leave out."""
    for equation in list(body.iter(f"{MATH_XML}oMath")):
        words = " ".join(text.text or "" for text in equation.iter(f"{MATH_XML}t"))
        run = etree.Element(f"{WORD_XML}r")
        text = etree.SubElement(run, f"{WORD_XML}t")
        text.text = words
        text.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
        run.tail = equation.tail
        parent = equation.getparent()
        if parent.tag == f"{MATH_XML}oMathPara":
            holder = parent.getparent()
            holder.insert(holder.index(parent), run)
            parent.remove(equation)
        else:
            parent.replace(equation, run)
    return bytes(etree.tostring(body, xml_declaration=True, encoding="UTF-8", standalone=True))


def _repacked(archive: Archive, changed: dict[str, bytes]) -> io.BytesIO:
    """Returns the archive in memory with only what is text in it, each part within the limit."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as packed:
        for name in sorted(archive.names):
            if name in changed or name.endswith((".xml", ".rels")):
                packed.writestr(name, changed.get(name) or archive.read(name))
            elif not name.endswith("/"):
                packed.writestr(name, b"")
    data.seek(0)
    return data

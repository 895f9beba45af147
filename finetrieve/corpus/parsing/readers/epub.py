"""EPUB books as pages: the XHTML files of the spine in their order, each under its title in the book's contents."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

from finetrieve.corpus.parsing.encoding import decode
from finetrieve.corpus.parsing.formats import html_page
from finetrieve.corpus.parsing.html_tree import parse_html
from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.parsing.prose import HEADING
from finetrieve.corpus.parsing.readers.archives import Archive
from finetrieve.corpus.parsing.readers.base import FileReader
from finetrieve.corpus.parsing.removal import PAGE_LINKS, Removals

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"
XHTML = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
SELF_CLOSED = re.compile(r"<([A-Za-z][\w:.-]*)((?:\s[^<>]*)?)/>")


class EpubReader(FileReader):
    """EPUB books."""

    name: ClassVar[str] = "epub"
    description: ClassVar[str] = "EPUB books"
    suffixes: ClassVar[tuple[str, ...]] = (".epub",)

    def read(self, path: Path, root: Path) -> CleanPage:  # noqa: ARG002
        """Returns the book as one page; its list of contents is left out."""
        removals = Removals()
        with Archive(path) as archive:
            package_name = _package(archive)
            package = archive.xml(package_name)
            locked = _encrypted(archive)
            names, contents = _spine(package, posixpath.dirname(package_name))
            titles = _titles(archive, package, posixpath.dirname(package_name))
            texts, sources = [], []
            for name in names:
                if name in locked:
                    raise ValueError("the book is encrypted (DRM): only a copy without it can be read")
                if name not in archive.names:
                    continue
                page = html_page(_as_html(decode(archive.read(name))), Removals(), whole=True)
                sources.append(page.source)
                removals.found += page.removals
                if name in contents:
                    removals.add(PAGE_LINKS, page.source)
                elif page.text:
                    texts.append(_headed(page.text, titles.get(name, "")))
        if not texts:
            raise ValueError("the book has no text: its pages are pictures or are missing; OCR it first")
        title = " ".join((package.findtext(".//{*}metadata/{http://purl.org/dc/elements/1.1/}title") or "").split())
        return CleanPage(title, "\n\n".join(texts), source="\n".join(sources), removals=tuple(removals.found))


def _package(archive: Archive) -> str:
    """Returns the name of the file that says what is in the book."""
    if CONTAINER not in archive.names:
        raise ValueError(f"not an EPUB book: it has no '{CONTAINER}'")
    for root in archive.xml(CONTAINER).iter("{*}rootfile"):
        if root.get("full-path"):
            return str(root.get("full-path"))
    raise ValueError(f"not an EPUB book: '{CONTAINER}' names no package")


def _spine(package: Any, folder: str) -> tuple[list[str], set[str]]:
    """Returns the names of the book's pages in reading order, and which of them are its list of contents."""
    items = {item.get("id"): item for item in package.iter("{*}item")}
    names, contents = [], set()
    for reference in package.iter("{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is None or (item.get("media-type") or XHTML[0]) not in XHTML:
            continue
        name = _inside(folder, item.get("href") or "")
        if "nav" in (item.get("properties") or "").split():
            contents.add(name)
        if name not in names:
            names.append(name)
    return names, contents


def _titles(archive: Archive, package: Any, folder: str) -> dict[str, str]:
    """Returns the name of a page -> its title in the list of contents: the navigation of EPUB 3, the NCX of EPUB 2."""
    found: dict[str, str] = {}
    for item in package.iter("{*}item"):
        name = _inside(folder, item.get("href") or "")
        is_navigation = "nav" in (item.get("properties") or "").split()
        if name not in archive.names or not (is_navigation or item.get("media-type") == "application/x-dtbncx+xml"):
            continue
        here = posixpath.dirname(name)
        if is_navigation:
            for link in parse_html(_as_html(decode(archive.read(name)))).iter("a"):
                found.setdefault(_inside(here, link.get("href") or ""), " ".join("".join(link.itertext()).split()))
        else:
            for point in archive.xml(name).iter("{*}navPoint"):
                content, label = point.find("{*}content"), point.findtext("{*}navLabel/{*}text")
                if content is not None:
                    found.setdefault(_inside(here, content.get("src") or ""), " ".join((label or "").split()))
    return found


def _headed(text: str, title: str) -> str:
    """Returns a page's text, under its title in the list of contents where it begins without a heading."""
    return text if not title or HEADING.match(text.split("\n", 1)[0]) else f"# {title}\n\n{text}"


def _encrypted(archive: Archive) -> set[str]:
    """Returns the files that are encrypted; fonts usually are, which nobody reads."""
    if ENCRYPTION not in archive.names:
        return set()
    return {unquote(reference.get("URI") or "") for reference in archive.xml(ENCRYPTION).iter("{*}CipherReference")}


def _inside(folder: str, href: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(href.split("#")[0])))


def _as_html(text: str) -> str:
    """Returns XHTML as HTML: an element that closes itself would hold all that follows."""
    text = re.sub(r"<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>", "", text, count=1, flags=re.DOTALL)
    return SELF_CLOSED.sub(_closed, text)


def _closed(match: re.Match[str]) -> str:
    tag, attributes = match[1], match[2]
    return f"<{tag}{attributes}/>" if tag.lower() in VOID else f"<{tag}{attributes}></{tag}>"

"""What a page says of other pages: its links, its canonical address, where it sends its readers on to."""

from __future__ import annotations

import re
from dataclasses import dataclass

_REFRESH = re.compile(r"\s*[\d.]+\s*[;,]\s*url\s*=\s*['\"]?([^'\"]+)", re.IGNORECASE)
_MARKDOWN_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)")
_BARE_LINK = re.compile(r"(?<![(\[<\"'=\w])https?://[^\s<>\"')\]]+")


@dataclass(frozen=True, slots=True)
class PageLinks:
    """Addresses as they are written on a page."""

    links: tuple[str, ...] = ()
    base: str = ""
    """What relative ones are relative to, where it is not the page."""
    canonical: str = ""
    refresh: str = ""


def links_of_html(text: str) -> PageLinks:
    """Returns what an HTML page links to."""
    from finetrieve.corpus.parsing.html_tree import parse_html

    page = parse_html(text)
    links, base, canonical, refresh = [], "", "", ""
    for element in page.iter("a", "area", "base", "link", "meta"):
        href = element.get("href") or ""
        if element.tag in ("a", "area"):
            if href and not href.startswith("#"):
                links.append(href)
        elif element.tag == "base":
            base = base or href
        elif element.tag == "link":
            if "canonical" in (element.get("rel") or "").lower().split():
                canonical = canonical or href
        elif (element.get("http-equiv") or "").lower() == "refresh":
            match = _REFRESH.match(element.get("content") or "")
            refresh = match[1].strip() if match else refresh
    return PageLinks(tuple(links), base, canonical, refresh)


def links_of_markdown(text: str) -> PageLinks:
    """Returns what a Markdown page, such as an llms.txt, links to."""
    return PageLinks((*_MARKDOWN_LINK.findall(text), *(link.rstrip(".,;:") for link in _BARE_LINK.findall(text))))

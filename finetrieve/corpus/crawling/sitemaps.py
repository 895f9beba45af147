"""Sitemaps (sitemaps.org): the addresses that a site lists of its pages, in XML or as text, perhaps in several files."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from finetrieve.core.failures import error_line

LIMIT = 50_000_000
"""Bytes of one sitemap, unpacked, as its standard has it."""


@dataclass(frozen=True, slots=True)
class Sitemap:
    """What one file lists."""

    pages: tuple[str, ...] = ()
    sitemaps: tuple[str, ...] = ()


def is_sitemap(data: bytes) -> bool:
    """Whether a file begins as a sitemap in XML does."""
    head = data[:4096].lower()
    return b"<urlset" in head or b"<sitemapindex" in head


def parse_sitemap(data: bytes) -> Sitemap:
    """Returns the addresses in a sitemap, as they are written; entities of one's own are not expanded.

    Raises:
        ValueError: It is not well-formed.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True)
    try:
        root = etree.fromstring(data, parser=parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ValueError(f"no well-formed XML: {error_line(error, 120)}") from None
    found: dict[str, list[str]] = {"url": [], "sitemap": []}
    for entry in root:
        kind = etree.QName(entry).localname if isinstance(entry.tag, str) else ""
        for child in entry if kind in found else ():
            if isinstance(child.tag, str) and etree.QName(child).localname == "loc" and child.text:
                found[kind].append(child.text.strip())
    return Sitemap(tuple(found["url"]), tuple(found["sitemap"]))

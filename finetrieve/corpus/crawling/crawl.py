"""A crawl of one site: from a start page, a sitemap or an llms.txt to the pages that are read, and why others are not.

What was fetched since the crawl began is taken from the store, so that one that was killed goes on where it was.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from urllib.parse import urljoin, urlsplit

from finetrieve.core.errors import InputError
from finetrieve.core.logging import get_logger
from finetrieve.core.progress import Progress
from finetrieve.core.rows import Skipped
from finetrieve.corpus.crawling.addresses import (
    OTHER_SUFFIXES,
    Scope,
    document_id,
    normalize,
    part_of_site,
    repeats_itself,
    suffix_of,
    without_query,
)
from finetrieve.corpus.crawling.fetching import REDIRECTS, Fetcher, unpack_gzip
from finetrieve.corpus.crawling.page_links import PageLinks, links_of_html, links_of_markdown
from finetrieve.corpus.crawling.page_store import CrawlResult, PageStore, StoredPage
from finetrieve.corpus.crawling.robots import RobotRules, fetch_rules
from finetrieve.corpus.crawling.sitemaps import LIMIT as SITEMAP_BYTES
from finetrieve.corpus.crawling.sitemaps import is_sitemap, parse_sitemap
from finetrieve.corpus.parsing.encoding import SNIFFED_BYTES, binary_kind, decode

logger = get_logger(__name__)

MAX_REDIRECTS = 10
MAX_SITEMAPS = 1000
LLMS, LLMS_FULL = "llms.txt", "llms-full.txt"
KINDS = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/x-rst": "restructuredtext",
    "text/prs.fallenstein.rst": "restructuredtext",
    "text/plain": "text",
}
SUFFIX_KINDS = {".md": "markdown", ".markdown": "markdown", ".mdx": "markdown", ".rst": "restructuredtext"}
"""What is sent as plain text, or without a type."""
STALE = "the site does not answer for it now; read as it was at the last visit"


@dataclass(frozen=True, slots=True)
class CrawlSettings:
    """What a crawl takes of a site."""

    start: str
    prefix: str | None
    max_pages: int
    max_bytes: int
    queries: bool
    is_wanted: Callable[[str], bool]
    """Whether a page of this name is read."""
    is_excluded: Callable[[str], bool]
    """Whether a page of this name is not even followed."""


class Crawl:
    """One crawl.

    Args:
        settings: What is taken.
        store: Where pages are kept.
        fetcher: Asks the site.
        since: Pages that were fetched after this time are not asked for again, in seconds since 1970.
        progress: Told after each page.
        touch: Called after each request.
    """

    def __init__(
        self,
        settings: CrawlSettings,
        store: PageStore,
        fetcher: Fetcher,
        since: float,
        progress: Progress,
        touch: Callable[[], None],
    ) -> None:
        self._settings, self._store, self._fetcher, self._since = settings, store, fetcher, since
        self._progress, self._touch = progress, touch
        self._skipped: dict[str, str] = {}
        self._pages: dict[str, str] = {}
        self._copies: dict[str, str] = {}
        self._queue: deque[str] = deque()
        self._seen: set[str] = set()
        self._asked = 0
        self._rules = RobotRules()
        self._scope = Scope.of(settings.start, "/")

    def run(self) -> CrawlResult:
        """Returns which pages are read.

        Raises:
            InputError: The start cannot be read, or leads to another host.
            UnreachableError: The site does not answer.
        """
        # 1. The rules, and what the start is.
        self._rules = fetch_rules(self._fetcher, self._settings.start)
        self._fetcher.delay = max(self._fetcher.delay, self._rules.delay)
        start, page = self._open_start()
        # 2. The pages that it names, and in turn theirs where they are not listed.
        follows = self._take_start(start, page)
        while self._queue:
            self._visit(self._queue.popleft(), follows)
            self._progress(len(self._pages), len(self._pages) + len(self._queue), f"{len(self._skipped):,} skipped")
        # 3. What came of it.
        self._hint(start, follows)
        skipped = [Skipped(address, reason) for address, reason in self._skipped.items()]
        copies = {page: other for page, other in self._copies.items() if other in self._pages}
        return CrawlResult(sorted(self._pages.items()), copies, skipped, time.time())

    # 1. The start.

    def _open_start(self) -> tuple[str, StoredPage]:
        address = self._settings.start
        for _ in range(MAX_REDIRECTS):
            if not self._rules.allows(address):
                host = urlsplit(address).netloc
                raise InputError(f"The robots.txt of {host} asks programs not to read '{address}'. Ask its owners to allow it.")
            page = self._fetch(address, SITEMAP_BYTES if _is_list(address) else self._settings.max_bytes)
            if page.status not in REDIRECTS or not page.location:
                if page.reason:
                    raise InputError(
                        f"Cannot read '{address}': {page.reason}. Give a page, a sitemap or an llms.txt of the site."
                    )
                return address, page
            target = normalize(page.location, address)
            if target is None or not self._scope.is_same_host(target):
                shown = target or page.location[:200]
                raise InputError(f"'{address}' sends on to '{shown}', on another host. Give that address as the start.")
            if target.startswith("https:"):  # Then all of this host is read so.
                self._scope = replace(self._scope, scheme="https")
            address = target
        raise InputError(f"'{self._settings.start}' sends on more than {MAX_REDIRECTS} times, perhaps in a circle.")

    def _take_start(self, start: str, page: StoredPage) -> bool:
        """Queues what the start names; returns whether the links of pages are followed in turn."""
        data = unpack_gzip(page.body, SITEMAP_BYTES)
        name = urlsplit(start).path.rpartition("/")[2]
        if data is not None and is_sitemap(data):
            self._scope = replace(self._scope, prefix=self._settings.prefix or "/")
            self._add_all(self._sitemap_pages(start, data), start)
            return False
        if name in (LLMS, LLMS_FULL) and _kind(start, page) in ("text", "markdown"):
            self._scope = replace(self._scope, prefix=self._settings.prefix or "/")
            if name == LLMS_FULL:
                self._pages[start] = "llms-full"
                return False
            self._pages[start] = "markdown"
            self._seen.add(start)
            self._add_all(links_of_markdown(_text(page)).links, start)
            return False
        self._scope = replace(self._scope, prefix=self._settings.prefix or part_of_site(start))
        self._add(start)
        return True

    def _sitemap_pages(self, address: str, data: bytes) -> Iterable[str]:
        """Yields the pages of a sitemap and of those that it names."""
        waiting, seen = deque([(address, data)]), {address}
        while waiting:
            place, content = waiting.popleft()
            try:
                listed = parse_sitemap(content)
            except ValueError as error:
                if place == address:
                    raise InputError(f"The sitemap '{address}' is {error}.") from None
                self._skip(place, f"a sitemap that is {error}")
                continue
            yield from listed.pages
            for link in listed.sitemaps:
                other = self._scope.resolve(link, place)
                if other is None or other in seen:
                    continue
                seen.add(other)
                found = self._sitemap(other) if len(seen) <= MAX_SITEMAPS else f"over the limit of {MAX_SITEMAPS:,} sitemaps"
                if isinstance(found, str):
                    self._skip(other, found)
                else:
                    waiting.append((other, found))

    def _sitemap(self, address: str) -> bytes | str:
        """Returns the content of a sitemap that another names, or why it is not read."""
        objection = self._objection(address)
        if objection:
            return objection
        page = self._fetch(address, SITEMAP_BYTES)
        if page.reason or page.status in REDIRECTS:
            return page.reason or f"sends on to {page.location[:200]}, where sitemaps are not looked for"
        data = unpack_gzip(page.body, SITEMAP_BYTES)
        return data if data is not None else "damaged, or too large when unpacked"

    # 2. The pages.

    def _add_all(self, links: Iterable[str], base: str, listed: bool = True) -> None:
        for link in links:
            address = self._scope.resolve(link, base)
            if address is None:
                if listed and not link.startswith(("#", "mailto:", "tel:")):
                    self._skip(link[:200], "no address of a page")
            elif self._scope.is_same_host(address):
                self._add(address)
            elif listed:
                self._skip(address, "on another host")
            else:
                self._skip(urlsplit(address).netloc, "another host, whose pages are not read")

    def _add(self, address: str) -> None:
        if "?" in address and not self._settings.queries and address != self._settings.start:
            self._skip(address, "an address with a '?' (set queries to read such)")
            address = without_query(address)
        if address not in self._seen:
            self._seen.add(address)
            self._queue.append(address)

    def _objection(self, address: str) -> str:
        """Returns why an address is not asked for, or an empty string."""
        if not self._scope.is_same_host(address):
            return "on another host"
        return "" if self._rules.allows(address) else "the site's robots.txt asks programs not to read it"

    def _visit(self, address: str, follows: bool) -> None:
        name, suffix = document_id(address), suffix_of(address)
        wanted = self._settings.is_wanted(name)
        if reason := self._scope.objection(address):
            return self._skip(address, reason)
        if suffix in OTHER_SUFFIXES:
            return self._skip(address, f"{suffix} is no page")
        if repeats_itself(address):
            return self._skip(address, "its path repeats itself, as links that lead in circles do")
        if self._settings.is_excluded(name) or not (wanted or follows):
            return self._skip(address, "left out by include and exclude")
        if reason := self._objection(address):
            return self._skip(address, reason)
        if self._asked >= self._settings.max_pages:
            return self._skip(address, f"over the limit of {self._settings.max_pages:,} pages (max_pages)")
        self._asked += 1
        page = self._fetch(address, self._settings.max_bytes)
        if page.status in REDIRECTS and page.location:
            return self._redirect(address, page.location)
        kind = _kind(address, page)
        if reason := page.reason or _unreadable(page, kind):
            return self._skip(address, reason)
        links = links_of_html(_text(page)) if kind == "html" else PageLinks()
        if links.refresh:
            return self._redirect(address, links.refresh)
        if wanted:
            self._pages[address] = kind
            canonical = self._scope.resolve(links.canonical, address) if links.canonical else None
            if canonical is not None and canonical != address and not self._scope.objection(canonical):
                self._copies[address] = canonical
                if follows:
                    self._add(canonical)
        else:
            self._skip(address, "left out by include and exclude")
        if follows:
            self._add_all(links.links, urljoin(address, links.base), listed=False)
        return None

    def _redirect(self, address: str, location: str) -> None:
        target = self._scope.resolve(location, address)
        if target is None or not self._scope.is_same_host(target):
            shown = urlsplit(target).netloc if target else location[:100]
            return self._skip(address, f"sends on to another host, {shown}")
        if reason := self._scope.objection(target):
            return self._skip(address, f"sends on to what is {reason}")
        if target == address:
            return self._skip(address, "sends on to itself")
        self._add(target)
        return None

    def _fetch(self, address: str, limit: int) -> StoredPage:
        """Returns a page as the site has it now, or as the store has it where it was fetched since the crawl began."""
        known = self._store.page(address)
        if known is not None and known.fetched >= self._since and len(known.body) <= limit:
            return known
        has_copy = known is not None and known.status == 200 and len(known.body) <= limit
        etag, modified = (known.etag, known.modified) if known is not None and has_copy else ("", "")
        answer = self._fetcher.get(address, limit, etag, modified)
        now = time.time()
        if answer.status == 304 and known is not None:
            page = replace(known, fetched=now)
        else:
            page = StoredPage(**asdict(answer), fetched=now)
        if answer.status == 0 or answer.status == 429 or answer.status >= 500:  # Perhaps another time: nothing is kept of it.
            if known is not None and has_copy:
                logger.warning(f"{address} {answer.reason}: {STALE}")
                return known
            return page
        self._store.keep(address, page)
        self._touch()
        return page

    def _skip(self, address: str, reason: str) -> None:
        self._skipped.setdefault(address, reason)

    # 3. What came of it.

    def _hint(self, start: str, follows: bool) -> None:
        """Says where more pages may be when a start page links to none."""
        if follows and len(self._pages) <= 1:
            known = self._rules.sitemaps[:1] or [urljoin(start, "/sitemap.xml")]
            logger.warning(
                f"'{start}' links to no other page below '{self._scope.prefix}'. If the site draws its links with scripts, give "
                f"its sitemap as the start, perhaps {known[0]}, or set path_prefix."
            )


def _is_list(address: str) -> bool:
    """Whether an address is named as sitemaps and llms-full.txt are, which may be larger than pages."""
    name = urlsplit(address).path.rpartition("/")[2]
    return name.endswith((".xml", ".xml.gz")) or name in (LLMS, LLMS_FULL)


def _kind(address: str, page: StoredPage) -> str:
    """Returns the format of a page, or an empty string where it is none that is read."""
    suffix = suffix_of(address)
    kind = KINDS.get(page.kind, "")
    if kind in ("", "text") and suffix in SUFFIX_KINDS and (kind or page.kind in ("", "application/octet-stream")):
        return SUFFIX_KINDS[suffix]
    if not page.kind:
        return "html" if b"<html" in page.body[:SNIFFED_BYTES].lower() else "text"
    return kind


def _unreadable(page: StoredPage, kind: str) -> str:
    if not kind:
        return f"{page.kind[:60]} is no kind of page that is read"
    if not page.body.strip():
        return "the page is empty"
    binary = binary_kind(page.body[:SNIFFED_BYTES])
    return f"holds {binary} rather than text" if binary else ""


def _text(page: StoredPage) -> str:
    return page_text(page.body, page.charset)


def page_text(body: bytes, charset: str) -> str:
    """Returns the text of a page, in the encoding that its server names where that fits."""
    if charset.lower() not in ("", "utf-8", "utf8"):
        try:
            return decode(body.decode(charset).encode("utf-8"))
        except (LookupError, UnicodeError):
            pass
    return decode(body)

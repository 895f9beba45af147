"""The pages of one web site as documents, from a start page, a sitemap or an llms.txt; fetched politely, kept in the cache."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from finetrieve.core.errors import InputError, UnreachableError
from finetrieve.core.failures import error_line
from finetrieve.core.logging import get_logger
from finetrieve.core.paths import user_cache
from finetrieve.core.progress import reporter
from finetrieve.core.rows import Skipped
from finetrieve.corpus.crawling.addresses import document_id, normalize
from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.sources.base import NamedPages, SourceRead, summary

if TYPE_CHECKING:
    from finetrieve.corpus.crawling.crawl import CrawlSettings
    from finetrieve.corpus.crawling.fetching import Fetcher
    from finetrieve.corpus.crawling.page_store import CrawlResult, PageStore

logger = get_logger(__name__)

LLMS_FULL = "llms-full"
"""The kind of a file that holds all pages."""
SAMPLED_CHARACTERS = 1 << 16
"""Of a page that is only looked at."""
COPY = "the same as the page that it names as its canonical address"


class WebSource(NamedPages):
    """The pages of one web site."""

    description: ClassVar[str] = "the pages of one web site, from a start page, a sitemap or an llms.txt"
    identity_keys: ClassVar[tuple[str, ...]] = ("start",)

    name: Literal["web"] = "web"
    start: str
    """Address of a page whose links are followed; or of a sitemap (or an index of them, also packed with gzip), an `llms.txt` or
    an `llms-full.txt`, whose list is read."""
    path_prefix: str | None = Field(default=None, pattern=r"^/")
    """Only pages whose path begins so are read, such as `/docs/`; null: those below the start page, and all that a list names."""
    queries: bool = False
    """Whether addresses with a `?` are pages of their own."""
    max_pages: int = Field(default=5000, ge=1)
    """Addresses that are asked for at most."""
    max_page_mb: float = Field(default=10, gt=0)
    """Larger pages are skipped, in MB, unpacked; sitemaps and `llms-full.txt` may have 50."""
    delay_seconds: float = Field(default=0.5, ge=0)
    """Pause between two requests; a `Crawl-delay` in the site's robots.txt makes it longer."""
    timeout_seconds: float = Field(default=20, gt=0)
    """Within which a page has to arrive whole."""
    refresh_hours: float = Field(default=12, gt=0)
    """After which the site is asked again what changed since the last visit."""
    contact: str | None = Field(default=None, pattern=r"^[\x20-\x7e]{1,200}$")
    """An address of yours for the site's owners: it is sent in the header `User-Agent`."""
    txt_format: Literal["text", "restructuredtext", "markdown"] = "text"
    """What pages of plain text hold."""

    @field_validator("start")
    @classmethod
    def _start_is_an_address(cls, start: str) -> str:
        if "@" in start.partition("://")[2].partition("/")[0]:
            raise ValueError("the address holds a user name or password; pages behind a login are not read. Leave it out.")
        address = normalize(start)
        if address is None:
            raise ValueError(f"found '{start[:200]}'; expected an address that begins with http:// or https://.")
        return address

    def reader(self) -> Web:
        """Returns what reads the documents."""
        return Web(self)


class Web:
    """Reads the `web` source."""

    def __init__(self, settings: WebSource) -> None:
        self.settings = settings

    def read(self) -> SourceRead:
        """Returns a document for each page with text, by address; its id is its path, its source its address."""
        from finetrieve.corpus.sources.pages import documents_of_pages

        result = self._result
        pages: list[tuple[str, str, CleanPage]] = []
        links: dict[str, str] = {}
        skipped = list(result.skipped)
        texts: dict[str, str] = {}
        for found in self._clean_pages(result):
            if isinstance(found.page, Skipped):
                skipped.append(found.page)
                continue
            texts[found.address] = hashlib.sha256(found.page.text.encode(errors="replace")).hexdigest()
            links[found.name] = found.address
            pages.append((found.name, found.kind, found.page))
        copies = {page for page, other in result.copies.items() if page in texts and texts.get(other) == texts[page]}
        skipped += [Skipped(address, COPY) for address in sorted(copies)]
        read = documents_of_pages([page for page in pages if links[page[0]] not in copies])
        documents = [replace(document, source=links.get(document.id, document.id)) for document in read.documents]
        unread = [Skipped(links.get(item.source, item.source), item.reason) for item in read.skipped]
        visited = datetime.fromtimestamp(result.finished, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return SourceRead(documents, [*skipped, *unread], read.words, f"visited {visited}")

    def check(self) -> list[str]:
        """Returns the ids of the pages; they are fetched first, but for what was fetched within `refresh_hours`."""
        ids = self._ids(self._result)
        if not ids:
            raise InputError(f"No pages in {self.settings.place}: {summary(self._result.skipped)}.")
        return ids

    def reach(self) -> list[str]:
        """Returns the ids of the pages of the last visit, and none where they are still to be fetched; then the site is asked."""
        from finetrieve.corpus.crawling.page_store import open_store
        from finetrieve.corpus.crawling.robots import fetch_rules

        with open_store(self._path) as store:
            known = store.result(self._key)
        if known is not None:
            return self._ids(known)
        with closing(self._fetcher()) as fetcher:
            rules = fetch_rules(fetcher, self.settings.start)
            if not rules.allows(self.settings.start):
                raise InputError(f"The site's robots.txt asks programs not to read '{self.settings.start}'.")
            answer = fetcher.get(self.settings.start, int(self.settings.max_page_mb * 1e6))
        if answer.reason:
            raise InputError(f"Cannot read '{self.settings.start}': {answer.reason}.")
        return []

    def sample(self, limit: int) -> list[str]:
        """Returns the texts of some pages, uncleaned."""
        from finetrieve.corpus.crawling.crawl import page_text
        from finetrieve.corpus.crawling.page_store import open_store

        addresses = [address for address, _ in self._result.pages]
        texts = []
        with open_store(self._path) as store:
            for address in addresses[:: max(1, -(-len(addresses) // limit))]:
                stored = store.page(address)
                if stored is not None:
                    texts.append(page_text(stored.body, stored.charset)[:SAMPLED_CHARACTERS])
        return texts

    def fingerprint(self) -> str:
        """Returns a hash of the addresses and contents of the pages."""
        from finetrieve.corpus.crawling.page_store import open_store

        digest = hashlib.sha256(self.settings.txt_format.encode())
        with open_store(self._path) as store:
            for address, kind in self._result.pages:
                stored = store.page(address)
                content = hashlib.sha256(stored.body if stored else b"").hexdigest()
                digest.update(f"{address}\0{kind}\0{content}\n".encode())
        return digest.hexdigest()

    # What was fetched, and what is.

    @property
    def _path(self) -> Path:
        host = urlsplit(self.settings.start).netloc.replace(":", "-").replace("[", "").replace("]", "")
        return user_cache() / "finetrieve" / "web" / f"{host}.sqlite"

    @property
    def _key(self) -> str:
        """Of a crawl in the store: what decides which pages are read."""
        decides = {"start", "path_prefix", "include", "exclude", "queries", "max_pages", "max_page_mb"}
        return hashlib.sha256(self.settings.model_dump_json(include=decides).encode()).hexdigest()

    @cached_property
    def _result(self) -> CrawlResult:
        from finetrieve.corpus.crawling.page_store import open_store

        fresh_after = time.time() - self.settings.refresh_hours * 3600
        with open_store(self._path, alone=True) as store:
            known = store.result(self._key)
            if known is not None and known.finished >= fresh_after:
                return known
            try:
                return self._crawl(store, fresh_after)
            except UnreachableError as error:
                if known is None:
                    raise
                when = datetime.fromtimestamp(known.finished, UTC).strftime("%Y-%m-%d %H:%M UTC")
                logger.warning(f"{error} Until then the pages are read as they were on {when}.")
                return known

    def _crawl(self, store: PageStore, fresh_after: float) -> CrawlResult:
        from finetrieve.corpus.crawling.crawl import Crawl

        started, active, finished = store.crawl(self._key)
        host = urlsplit(self.settings.start).netloc
        if active > started > finished and active >= fresh_after:
            logger.info(f"going on with the visit of {host} that was interrupted")
            since = started
        else:
            logger.info(f"reading pages of {host}, {self.settings.delay_seconds:g} s apart")
            since = time.time()
            store.begin(self._key, since)
        with closing(self._fetcher()) as fetcher:
            progress = reporter(f"pages of {host}")
            crawl = Crawl(self._crawl_settings, store, fetcher, since, progress, lambda: store.touch(self._key))
            result = crawl.run()
        store.finish(self._key, result)
        return result

    @property
    def _crawl_settings(self) -> CrawlSettings:
        from finetrieve.corpus.crawling.crawl import CrawlSettings

        settings = self.settings
        return CrawlSettings(
            start=settings.start,
            prefix=settings.path_prefix,
            max_pages=settings.max_pages,
            max_bytes=int(settings.max_page_mb * 1e6),
            queries=settings.queries,
            is_wanted=_matches(settings.include) if settings.include else lambda _: True,
            is_excluded=_matches(settings.exclude),
        )

    def _fetcher(self) -> Fetcher:
        from finetrieve.corpus.crawling.fetching import Fetcher, user_agent

        return Fetcher(self.settings.delay_seconds, self.settings.timeout_seconds, user_agent(self.settings.contact))

    def _ids(self, result: CrawlResult) -> list[str]:
        if all(kind != LLMS_FULL for _, kind in result.pages):
            return [document_id(address) for address, _ in result.pages]
        return [found.name for found in self._clean_pages(result)]

    def _clean_pages(self, result: CrawlResult) -> Iterator[_Read]:
        from finetrieve.corpus.crawling.crawl import page_text
        from finetrieve.corpus.crawling.page_store import open_store

        with open_store(self._path) as store:
            for address, kind in result.pages:
                stored = store.page(address)
                if stored is None:
                    yield _Read(address, document_id(address), kind, Skipped(address, "no longer in the cache"))
                else:
                    text = page_text(stored.body, stored.charset)
                    yield from _read_text(address, self.settings.txt_format if kind == "text" else kind, text)


@dataclass(frozen=True, slots=True)
class _Read:
    """A page that was parsed, or why it was not."""

    address: str
    name: str
    kind: str
    page: CleanPage | Skipped


def _read_text(address: str, kind: str, text: str) -> Iterator[_Read]:
    from finetrieve.corpus.parsing.formats import to_markdown
    from finetrieve.corpus.parsing.llms_txt import split_llms_full
    from finetrieve.corpus.sources.pages import counted

    name = document_id(address)
    try:
        if kind != LLMS_FULL:
            yield _Read(address, name, kind, counted(to_markdown(text, kind)))
            return
        for part in split_llms_full(text):
            place = normalize(part.address) or f"{address}#{part.name}"
            yield _Read(place, f"{name}#{part.name}", "markdown", counted(part.clean()))
    except Exception as error:  # Parsers of strange pages raise anything; one page must not end the run.
        yield _Read(address, name, kind, Skipped(address, f"cannot be parsed as {kind}: {error_line(error, 120)}"))


def _matches(patterns: list[str]) -> Callable[[str], bool]:
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines(patterns)
    return lambda name: bool(spec.match_file(name.partition("?")[0]))

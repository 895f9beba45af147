"""The rules of a site's robots.txt for programs (RFC 9309): what may be read, and how fast."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from finetrieve.core.errors import UnreachableError
from finetrieve.corpus.crawling.addresses import normalize
from finetrieve.corpus.crawling.fetching import PRODUCT, REDIRECTS, Fetcher

LIMIT = 500 * 1024
"""Bytes that are read of it; RFC 9309 asks for as many at least."""
MAX_REDIRECTS = 5
LONGEST_DELAY = 60.0
"""Seconds; a longer Crawl-delay would make a page last for minutes."""


class RobotRules:
    """What a robots.txt allows us; an empty one allows all."""

    def __init__(self, text: str = "") -> None:
        from protego import Protego

        self._rules = Protego.parse(text)

    def allows(self, address: str) -> bool:
        """Whether a page may be read."""
        return bool(self._rules.can_fetch(address, PRODUCT))

    @property
    def delay(self) -> float:
        """Seconds between two requests; 0 where none are asked for."""
        return min(float(self._rules.crawl_delay(PRODUCT) or 0.0), LONGEST_DELAY)

    @property
    def sitemaps(self) -> list[str]:
        """Addresses of sitemaps."""
        return list(self._rules.sitemaps)


def fetch_rules(fetcher: Fetcher, address: str) -> RobotRules:
    """Returns the rules of the site of an address; without a robots.txt everything may be read.

    Raises:
        UnreachableError: The server fails to say, so nothing may be read.
    """
    host, place = urlsplit(address).netloc, urljoin(address, "/robots.txt")
    for _ in range(MAX_REDIRECTS + 1):
        answer = fetcher.get(place, LIMIT)
        if answer.status in REDIRECTS:
            target = normalize(answer.location, place)
            if target is None or urlsplit(target).netloc != host:
                return RobotRules()
            place = target
        elif answer.status == 0 or answer.status >= 500 or answer.status == 429:
            raise UnreachableError(
                f"{host} {answer.reason} for its robots.txt, which says what programs may read. Run it again later."
            )
        else:
            return RobotRules(answer.body.decode("utf-8", errors="replace"))
    return RobotRules()

"""One page from a web server, politely: pauses between requests, retries that heed Retry-After, limits of size and time."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import metadata
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from finetrieve.core.errors import UnreachableError
from finetrieve.core.failures import error_line
from finetrieve.core.logging import get_logger

if TYPE_CHECKING:
    import httpx

logger = get_logger(__name__)

PRODUCT = "finetrieve"
"""The name by which robots.txt may address us."""
ACCEPT = "text/html, application/xhtml+xml, text/markdown, text/plain;q=0.9, application/xml;q=0.8, */*;q=0.1"
ATTEMPTS = 3
RETRIED = frozenset({429, 500, 502, 503, 504})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_ANSWER = "no answer"
LONGEST_WAIT = 120.0
"""Seconds that a server may ask for; if it asks for more, the work stops and can go on later."""
FAILURES_IN_A_ROW = 5
"""Pages without an answer, after which the site counts as out of reach."""
BLOCK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to one request."""

    status: int
    """0: nothing."""
    reason: str = ""
    """Why there is no page, in words."""
    location: str = ""
    """Where it sends on to, as it is written."""
    kind: str = ""
    """Media type, such as `text/html`."""
    charset: str = ""
    etag: str = ""
    modified: str = ""
    body: bytes = b""


def user_agent(contact: str | None) -> str:
    """Returns how we call ourselves to a server: product, version, what we do, whom to write to."""
    return f"{PRODUCT}/{metadata.version('finetrieve')} (reads documentation{f'; {contact}' if contact else ''})"


class Fetcher:
    """Asks one site, one request at a time.

    Args:
        delay: Seconds between two requests; robots.txt may ask for more.
        timeout: Seconds within which a page has to arrive whole.
        agent: For the header `User-Agent`.
    """

    def __init__(self, delay: float, timeout: float, agent: str) -> None:
        import httpx

        self.delay = delay
        self._timeout = timeout
        self._next = 0.0
        self._failures, self._answered = 0, False
        headers = {"User-Agent": agent, "Accept": ACCEPT, "Accept-Encoding": "gzip, deflate"}
        self._client = httpx.Client(headers=headers, follow_redirects=False, timeout=timeout)

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()

    def get(self, address: str, limit: int, etag: str = "", modified: str = "") -> Answer:
        """Returns what the server says in the end; redirects are not followed.

        Args:
            address: An http(s) address.
            limit: Bytes that the page may have, unpacked.
            etag: Of the copy at hand, so that the answer can be 304.
            modified: Likewise, its `Last-Modified`.

        Raises:
            UnreachableError: The site does not answer, or asks for a long pause.
        """
        conditions = {"If-None-Match": etag, "If-Modified-Since": modified}
        headers = {name: value for name, value in conditions.items() if value}
        for attempt in range(ATTEMPTS):
            answer, again, wait = self._try(address, limit, headers)
            if not again:
                break
            if attempt < ATTEMPTS - 1:
                self._pause(address, answer, wait if wait is not None else max(self.delay, 0.1) * 4**attempt)
        self._count(address, answer)
        return answer

    def _try(self, address: str, limit: int, headers: dict[str, str]) -> tuple[Answer, bool, float | None]:
        """Returns the answer to one request, whether to ask again, and after how many seconds the server wants that."""
        import httpx

        time.sleep(max(0.0, self._next - time.monotonic()))
        try:
            with self._client.stream("GET", address, headers=headers) as response:
                answer = _read(response, limit, time.monotonic() + self._timeout)
                return answer, response.status_code in RETRIED, _retry_after(response.headers.get("Retry-After", ""))
        except (httpx.TimeoutException, _TooSlowError):
            return Answer(0, f"did not arrive within {self._timeout:g} s (timeout_seconds)"), False, None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            return Answer(0, f"{_NO_ANSWER} ({error_line(error, 120)})"), isinstance(error, httpx.TransportError), None
        finally:
            self._next = time.monotonic() + self.delay

    def _pause(self, address: str, answer: Answer, seconds: float) -> None:
        if seconds > LONGEST_WAIT:
            host = urlsplit(address).netloc
            raise UnreachableError(
                f"{host} {answer.reason} and asks for a pause of {seconds:,.0f} s. Run it again then: what was fetched is kept."
            )
        if seconds > 1:
            logger.info(f"{address}: {answer.reason}; waiting {seconds:.0f} s")
        self._next = max(self._next, time.monotonic() + seconds)

    def _count(self, address: str, answer: Answer) -> None:
        """Stops where a site is gone rather than a page."""
        self._answered = self._answered or answer.status > 0
        self._failures = 0 if answer.status not in (0, *RETRIED) else self._failures + 1
        if not self._answered or self._failures >= FAILURES_IN_A_ROW:
            host, many = urlsplit(address).netloc, f" for {self._failures} pages in a row" if self._answered else ""
            why = answer.reason  # said of a site, not of a page
            if why.startswith(_NO_ANSWER):
                why = why.removeprefix(f"{_NO_ANSWER} (").removesuffix(")")
            raise UnreachableError(
                f"{host} does not answer{many}: {why}. Check the address and the network, and run it again: "
                "what was fetched is kept."
            )


class _TooSlowError(Exception):
    """The page is not there in time."""


def _read(response: httpx.Response, limit: int, deadline: float) -> Answer:
    """Returns the answer with its body, unpacked within the limit, or with the reason why there is none."""
    headers = response.headers
    if response.status_code in REDIRECTS:
        location = headers.get("Location", "")
        return Answer(response.status_code, "" if location else "sends on to nowhere", location)
    if response.status_code != 200:
        said = f"answered {response.status_code} {response.reason_phrase}".strip()
        return Answer(response.status_code, "" if response.status_code == 304 else said)
    kind, _, rest = headers.get("Content-Type", "").partition(";")
    charset = rest.partition("charset=")[2].partition(";")[0].strip(" \"'")
    etag, modified = headers.get("ETag", ""), headers.get("Last-Modified", "")
    body = _body(response, limit, deadline)
    reason = body if isinstance(body, str) else ""
    return Answer(200, reason, "", kind.strip().lower(), charset, etag, modified, body if isinstance(body, bytes) else b"")


def _body(response: httpx.Response, limit: int, deadline: float) -> bytes | str:
    """Returns the body, or why it is not read."""
    too_large = f"over the limit of {limit / 1e6:g} MB (max_page_mb)"
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and int(length) > limit:
        return too_large
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        return f"packed as '{encoding[:20]}', which was not asked for"
    unpack = _plain if encoding in ("identity", "") else _unpacker()
    parts, size = [], 0
    try:
        for block in response.iter_raw(BLOCK_BYTES):
            if time.monotonic() > deadline:
                raise _TooSlowError
            part = unpack(block, limit + 1 - size)
            size += len(part)
            parts.append(part)
            if size > limit:
                return too_large
    except zlib.error:
        return f"is no {encoding} data, as its header says"
    return b"".join(parts)


def _plain(block: bytes, room: int) -> bytes:
    return block[:room]


def _unpacker() -> Callable[[bytes, int], bytes]:
    """Returns what unpacks gzip or zlib data block by block, never more than there is room for."""
    return zlib.decompressobj(wbits=47).decompress


def unpack_gzip(data: bytes, limit: int) -> bytes | None:
    """Returns what a gzip file holds, or the data where it is none; None if it is damaged or holds more bytes than the limit."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        unpacked = zlib.decompressobj(wbits=47).decompress(data, limit + 1)
    except zlib.error:
        return None
    return unpacked if len(unpacked) <= limit else None


def _retry_after(value: str) -> float | None:
    """Returns the seconds of a `Retry-After`, which has them or a date."""
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None

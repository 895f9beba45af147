"""Addresses of web pages: one form for each, and which of them are in the part of a site that is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

PAGE_SUFFIXES = (".html", ".htm", ".xhtml", ".php", ".asp", ".aspx", ".jsp", ".md", ".markdown", ".mdx", ".rst", ".txt", ".xml")
OTHER_SUFFIXES = frozenset([
    ".7z", ".avi", ".bz2", ".css", ".csv", ".doc", ".docx", ".eot", ".epub", ".exe", ".gif", ".gz", ".ico", ".inv", ".jar",
    ".jpeg", ".jpg", ".js", ".json", ".mjs", ".mov", ".mp3", ".mp4", ".odt", ".ogg", ".pdf", ".png", ".ppt", ".pptx", ".rar",
    ".rss", ".svg", ".tar", ".tgz", ".tif", ".tiff", ".ttf", ".wav", ".webm", ".webp", ".whl", ".woff", ".woff2", ".xls",
    ".xlsx", ".xz", ".yaml", ".yml", ".zip",
])  # fmt: skip
"""Endings of what is linked from pages and is none."""
MAX_REPEATS = 3
"""Of one part of a path."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


def normalize(link: str, base: str = "") -> str | None:
    """Returns an http(s) address in the one form in which it is compared, without its fragment; None for anything else.

    Args:
        link: As it is written, perhaps relative.
        base: The address of the page that it is on.
    """
    try:
        parts = urlsplit(urljoin(base, link.strip()) if base else link.strip())
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc:
        return None
    host = f"[{host}]" if ":" in host else host
    netloc = host if port in (None, _DEFAULT_PORTS[scheme]) else f"{host}:{port}"
    path = urlsplit(urljoin(f"{scheme}://{netloc}/", "/" + parts.path.lstrip("/"))).path
    return urlunsplit((scheme, netloc, _quoted(path) or "/", _quoted(parts.query), ""))


def _quoted(text: str) -> str:
    """Returns a path or query with what needs it percent-encoded, each in one way (RFC 3986, section 6.2.2)."""
    quoted = quote(text, safe="/%:@!$&'()*+,;=~-._?[]")

    def one_way(match: re.Match[str]) -> str:
        character = unquote(match[0])
        return character if _UNRESERVED.fullmatch(character) else match[0].upper()

    return re.sub(r"%[0-9a-fA-F]{2}", one_way, quoted)


def without_query(address: str) -> str:
    """Returns an address without what follows its `?`."""
    return address.partition("?")[0]


def suffix_of(address: str) -> str:
    """Returns the ending of an address's last part, as `.html`, or an empty string."""
    last = urlsplit(address).path.rpartition("/")[2]
    match = re.search(r"\.[A-Za-z][A-Za-z0-9]{0,8}$", last)
    return match[0].lower() if match else ""


def document_id(address: str) -> str:
    """Returns the name of a page inside its site: its path, and what follows a `?`."""
    parts = urlsplit(address)
    path = unquote(parts.path, errors="replace").lstrip("/") or "index.html"
    return f"{path}?{parts.query}" if parts.query else path


def repeats_itself(address: str) -> bool:
    """Whether a path has one part again and again, as where a relative link on a page leads ever deeper: `/a/b/b/b/b/`."""
    parts = [part for part in urlsplit(address).path.split("/") if part]
    return any(parts.count(part) > MAX_REPEATS for part in set(parts))


def part_of_site(address: str) -> str:
    """Returns the path below which the pages lie to which a start page belongs."""
    path = urlsplit(address).path
    if path.endswith("/"):
        return path
    return path.rpartition("/")[0] + "/" if suffix_of(address) in PAGE_SUFFIXES else f"{path}/"


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a site that is read."""

    scheme: str
    netloc: str
    """Host, and the port where it is not the usual one."""
    prefix: str = "/"
    """Paths begin so."""

    @classmethod
    def of(cls, address: str, prefix: str) -> Scope:
        """Returns the part of the site of an address."""
        parts = urlsplit(address)
        return cls(parts.scheme, parts.netloc, prefix)

    def resolve(self, link: str, base: str) -> str | None:
        """Returns the address of a link; `http` and `https` of this host are one site."""
        address = normalize(link, base)
        if address is None:
            return None
        parts = urlsplit(address)
        return urlunsplit(parts._replace(scheme=self.scheme)) if parts.netloc == self.netloc else address

    def is_same_host(self, address: str) -> bool:
        """Whether an address is on this host and port."""
        return urlsplit(address).netloc == self.netloc

    def objection(self, address: str) -> str:
        """Returns why an address is not in the part that is read, or an empty string."""
        if not self.is_same_host(address):
            return "on another host"
        path = urlsplit(address).path
        if path.startswith(self.prefix) or path == self.prefix.rstrip("/"):
            return ""
        return f"outside of '{self.prefix}', the part of the site that is read (path_prefix)"

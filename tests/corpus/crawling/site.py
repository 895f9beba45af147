"""A web site on this machine, served by a real HTTP server, that remembers what it was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Headers = dict[str, str]


@dataclass
class Page:
    """What the server answers for a path."""

    body: bytes | str = b""
    kind: str = "text/html; charset=utf-8"
    status: int = 200
    headers: Headers = field(default_factory=dict)
    seconds: float = 0.0
    """Before the answer."""
    drip: float = 0.0
    """Between two bytes."""


Answer = Page | Callable[[Headers], Page]


class Site:
    """A site of pages by path."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.times: list[float] = []
        self.headers: dict[str, Headers] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.requests.append(self.path)
                site.times.append(time.monotonic())
                site.headers[self.path] = {name.lower(): value for name, value in self.headers.items()}
                found = site.pages.get(self.path, Page("not here", "text/plain", 404))
                page = found if isinstance(found, Page) else found(site.headers[self.path])
                time.sleep(page.seconds)
                body = page.body.encode() if isinstance(page.body, str) else page.body
                try:
                    self.send_response(page.status)
                    for name, value in {"Content-Type": page.kind, "Content-Length": str(len(body)), **page.headers}.items():
                        if value:
                            self.send_header(name, value)
                    self.end_headers()
                    if page.status != 304:
                        for at in range(0, len(body), 1 if page.drip else max(len(body), 1)):
                            self.wfile.write(body[at : at + (1 if page.drip else len(body))])
                            time.sleep(page.drip)
                except OSError:  # The client has gone.
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def page(self, path: str, title: str, text: str, *links: str, head: str = "", **changes: object) -> None:
        """Adds an HTML page."""
        anchors = "".join(f'<li><a href="{link}">To {link}</a></li>' for link in links)
        html = (
            f"<html><head><title>{title} | Acme</title>{head}</head><body><nav><ul>{anchors}</ul></nav>"
            f"<main><h1>{title}</h1><p>{text}</p></main><footer>Acme footer</footer></body></html>"
        )
        self.pages[path] = Page(html, **changes)  # type: ignore[arg-type]

    def asked(self, path: str) -> int:
        """Returns how often a path was asked for."""
        return self.requests.count(path)

    def close(self) -> None:
        """Stops the server."""
        self.server.shutdown()
        self.server.server_close()

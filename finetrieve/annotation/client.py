"""Requests to an Argilla 2 server: retried while it restarts, and refused with one clear line for what a user can mend.

Argilla's SDK leaves out when an answer was given, which reconciling needs, prints bars of its own, and does not outlive a
restart; the REST interface beneath it has everything.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from finetrieve.core.errors import InputError
from finetrieve.core.failures import error_line

if TYPE_CHECKING:
    import httpx

MAJOR_VERSION = 2
PAGE = 500
"""Records that are read at once."""
FIRST_CONTACT_SECONDS = 10.0
REQUEST_SECONDS = 120.0
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 5.0
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_TRIES_OF_500 = 4
"""A server that is going down or full may say so once or twice; one that always says it has a fault that no waiting mends."""
_EXCERPT = 300
_KEY = re.compile(r"[\x21-\x7e]+")

Json = dict[str, Any]


@dataclass(frozen=True)
class Connection:
    """Where an Argilla server is and how to sign in to it.

    Attributes:
        url: The server's address, without a slash at the end.
        api_key: The key of the account that pushes and pulls; not shown by `repr`.
        workspace: The workspace in which the datasets lie; None is the only one that the key may see.
        embedded: Whether it is the server that Finetrieve starts by itself.
    """

    url: str
    api_key: str = field(repr=False)
    workspace: str | None
    embedded: bool


class RefusedError(RuntimeError):
    """The server understood a request and refused it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Server:
    """An Argilla server that was found to be one that we can work with."""

    def __init__(
        self, connection: Connection, retry_seconds: float = 120.0, reconnect: Callable[[], Connection] | None = None
    ) -> None:
        """Contacts the server.

        Args:
            connection: Where it is, and the key.
            retry_seconds: How long a server that stops answering is waited for.
            reconnect: Brings a server that is gone back, and says where it is now; None for one that is not ours.

        Raises:
            InputError: Nothing answers there, it is no Argilla 2, or it refuses the key.
        """
        self._retry_seconds, self._reconnect = retry_seconds, reconnect
        self.connection = connection
        self._client = self._open(connection)
        self._check()

    @property
    def url(self) -> str:
        """The server's address."""
        return self.connection.url

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """Returns the JSON of `/api/v1` + path."""
        return self.request("GET", path, params=parameters)

    def items(self, path: str, **parameters: Any) -> list[Json]:
        """Returns the `items` of a list."""
        found: list[Json] = self.get(path, **parameters)["items"]
        return found

    def request(self, method: str, path: str, body: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """Returns the JSON of an answer, None for an empty one; waits for a server that restarts.

        Every request that we send may be sent twice: what a lost answer left done is done again without effect.

        Raises:
            RefusedError: The server says no.
            InputError: It says that the key may not do this.
            ConnectionError: It did not come back in time.
        """
        import httpx

        content = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"} if content is not None else {}
        started, wait = time.monotonic(), _FIRST_WAIT
        for attempt in itertools.count(1):
            try:
                response = self._client.request(method, f"/api/v1{path}", content=content, params=params, headers=headers)
                if response.status_code not in _RETRIED or (response.status_code == 500 and attempt >= _TRIES_OF_500):
                    return self._read(response)
                problem = f"it answers {response.status_code}"
            except httpx.TransportError as error:
                problem = error_line(error, _EXCERPT)
            if time.monotonic() - started > self._retry_seconds:
                raise ConnectionError(
                    f"the Argilla server at {self.url} does not answer any more ({problem}; waited "
                    f"{self._retry_seconds:g} s). What was sent is kept; run the same command again."
                )
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
            self._revive()
        raise AssertionError("counting does not end")

    def _revive(self) -> None:
        """Brings our own server back, which may then listen elsewhere."""
        if self._reconnect is None:
            return
        connection = self._reconnect()
        if connection != self.connection:
            self._client.close()
            self.connection, self._client = connection, self._open(connection)

    def _open(self, connection: Connection) -> httpx.Client:
        import httpx

        # Said here, since the libraries beneath would quote the key.
        if not _KEY.fullmatch(connection.api_key):
            raise InputError(f"The API key for {connection.url} has white space or signs that no key has. Set it anew.")
        return httpx.Client(
            base_url=connection.url,
            headers={"X-Argilla-Api-Key": connection.api_key},
            timeout=httpx.Timeout(REQUEST_SECONDS, connect=FIRST_CONTACT_SECONDS),
            trust_env=not connection.embedded,
        )

    def _check(self) -> None:
        """Raises InputError unless an Argilla 2 server answers and knows the key."""
        import httpx

        try:
            response = self._client.get("/api/v1/version", timeout=FIRST_CONTACT_SECONDS)
        except (httpx.TransportError, httpx.InvalidURL, UnicodeError) as error:
            raise InputError(
                f"No Argilla server answers at {self.url} ({error_line(error, _EXCERPT)}). Check annotation.url or "
                "ARGILLA_API_URL; without either, the embedded server is used."
            ) from None
        version = _version_of(response)
        if version is None:
            raise InputError(f"What answers at {self.url} is no Argilla {MAJOR_VERSION} server (status {response.status_code}).")
        if version.split(".")[0] != str(MAJOR_VERSION):
            raise InputError(f"The Argilla server at {self.url} has version {version}; expected {MAJOR_VERSION}.x.")
        self.me: Json = self.get("/me")

    def _read(self, response: httpx.Response) -> Any:
        if response.status_code == 401:
            raise InputError(
                f"The Argilla server at {self.url} does not know the API key. Copy the right one from its page 'My settings'."
            )
        if response.status_code == 403:
            raise InputError(
                f"The Argilla user '{getattr(self, 'me', {}).get('username', '')}' may not do this at {self.url}; "
                "pushing and pulling need an owner's or an admin's API key."
            )
        if response.status_code >= 400:
            raise RefusedError(response.status_code, f"Argilla refuses ({response.status_code}): {response.text[:_EXCERPT]}")
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            raise InputError(f"What answers at {self.url} is no Argilla server: {response.text[:80]!r}.") from None


def _version_of(response: httpx.Response) -> str | None:
    try:
        found = response.json()
    except ValueError:
        return None
    version = found.get("version") if response.status_code == 200 and isinstance(found, dict) else None
    return str(version) if version else None


# The few things that are asked of it.


def find_workspace(server: Server) -> Json:
    """Returns the workspace of the connection, or the only one that there is.

    Raises:
        InputError: There is none of that name, or none was named and there are several.
    """
    found = server.items("/me/workspaces")
    names = sorted(str(workspace["name"]) for workspace in found)
    listed = f"The key may see: {', '.join(names)}." if names else "The key may see none."
    wanted = server.connection.workspace
    if not wanted and len(found) == 1:
        return found[0]
    if not wanted:
        raise InputError(f"Name a workspace of {server.url} in annotation.workspace. {listed}")
    for workspace in found:
        if workspace["name"] == wanted:
            return workspace
    raise InputError(f"The Argilla server at {server.url} has no workspace '{wanted}' (annotation.workspace). {listed}")


def find_dataset(server: Server, workspace: Json, name: str) -> Json | None:
    """Returns the dataset of a name in a workspace, or None."""
    found = server.items("/me/datasets", workspace_id=workspace["id"])
    return next((item for item in found if item["name"] == name and item["workspace_id"] == workspace["id"]), None)


def read_records(server: Server, dataset_id: str, include: Sequence[str], on_page: Callable[[int, int], None]) -> Iterator[Json]:
    """Yields every record of a dataset once.

    Pages are cut by position, which moves when records come or go meanwhile: what was seen twice is left out, and what was
    missed for that is read again.

    Args:
        server: The server.
        dataset_id: The dataset's.
        include: `responses`, `suggestions`.
        on_page: Told (records read, records in all).
    """
    seen: set[str] = set()
    for _ in range(2):
        offset, total = 0, 1
        while offset < total:
            page = server.get(f"/datasets/{dataset_id}/records", offset=offset, limit=PAGE, include=list(include))
            total = int(page["total"])
            for record in page["items"]:
                if record["id"] not in seen:
                    seen.add(record["id"])
                    yield record
            offset += PAGE
            on_page(min(offset, total), total)
        if len(seen) >= total:
            return


def find_untouched(server: Server, dataset_id: str, record_ids: Sequence[str]) -> list[str]:
    """Returns those of some records (250 at most) that are still there and that nobody has answered, by their server ids."""
    # Not one by one: Argilla 2.8.0 answers 500 for a single record that has vectors.
    wanted = {"type": "terms", "scope": {"entity": "record", "property": "id"}, "values": list(record_ids)}
    found = server.request(
        "POST",
        f"/datasets/{dataset_id}/records/search",
        {"filters": {"and": [wanted]}},
        params={"include": ["responses"], "limit": len(record_ids)},
    )
    return [item["record"]["id"] for item in found["items"] if not item["record"].get("responses")]

"""A real Argilla server and its web UI, started on this machine: no Docker, Elasticsearch or Redis.

`embedded/` runs inside the server's own environment, the rest in ours.
"""

from __future__ import annotations

from finetrieve.argilla_server.supervisor import RunningServer, ServerStatus, account, ensure_server, server_status, stop_server

__all__ = ["RunningServer", "ServerStatus", "account", "ensure_server", "server_status", "stop_server"]

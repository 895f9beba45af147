"""What is served, and what takes its place when another version is promoted: the old one answers until the new one is loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from finetrieve.core.failures import error_line
from finetrieve.core.logging import get_logger

if TYPE_CHECKING:
    from finetrieve.app.search import SearchComparison

logger = get_logger(__name__)


class LiveComparison:
    """A comparison that follows the registry.

    Args:
        current: What is served at first.
        key: Stands for it: the version, and in what role it answers.
        newest: Returns the key of what should be served now; None where that never changes.
        load: Loads what should be served now.
        seconds: How often to look.
    """

    def __init__(
        self,
        current: SearchComparison,
        key: str = "",
        newest: Callable[[], str] | None = None,
        load: Callable[[], SearchComparison] | None = None,
        seconds: float = 5.0,
    ) -> None:
        self.current = current
        self.lock = threading.Lock()
        """Held by whoever computes with the models: a tokenizer serves one thread at a time."""
        self._key, self._newest, self._load, self._seconds = key, newest, load, seconds
        self._stopped, self._said = threading.Event(), ""

    def start(self) -> None:
        """Begins to look, in a thread that ends with the process."""
        if self._newest is not None:
            threading.Thread(target=self._follow, name="follow-production", daemon=True).start()

    def stop(self) -> None:
        """Ends looking."""
        self._stopped.set()

    def check(self) -> bool:
        """Loads what should be served now, if it is another; returns whether it was.

        What cannot be loaded is said in a warning, and the old one goes on.
        """
        if self._newest is None or self._load is None:
            return False
        try:
            key = self._newest()
            if key == self._key:
                return False
            loaded = self._load()
        except Exception as error:  # whatever the registry or a file of it raises: answering goes on
            line = error_line(error, 200)
            if line != self._said:  # once, not every few seconds
                logger.warning("Another version cannot be loaded yet: %s", line)
            self._said = line
            return False
        self.current, self._key, self._said = loaded, key, ""
        logger.info("Now served: %s", next(iter(loaded.names.values()), ""))
        return True

    def _follow(self) -> None:
        while not self._stopped.wait(self._seconds):
            self.check()

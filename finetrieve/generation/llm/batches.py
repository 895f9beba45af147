"""Batch mode: requests handed over together, at half the price, answered within a day, collected by this run or a later one."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from finetrieve.core.errors import InputError
from finetrieve.core.failures import error_line
from finetrieve.core.settings import Settings
from finetrieve.generation.llm.providers.base import BatchItem, Reply
from finetrieve.generation.llm.providers.errors import ProviderError
from finetrieve.generation.llm.request import CHARACTERS_PER_TOKEN, EXPECTED_ANSWER_TOKENS, Request
from finetrieve.generation.llm.response_cache import CachedResponse, ResponseCache

if TYPE_CHECKING:
    from finetrieve.generation.budget import Budget
    from finetrieve.generation.llm.distilabel_llm import ProviderLLM
    from finetrieve.generation.llm.llm_settings import LlmSettings
    from finetrieve.generation.run_state import RunState

BATCH_PRICE = 0.5
"""Of a request's price, at OpenAI and Anthropic alike."""
_CHECK_SECONDS = 0.5
SUBMITTED = "submitted"
"""The kind of stop reason of a run that handed requests over and did not wait for their answers."""


class BatchRecord(Settings):
    """A batch that was handed over, or was about to be when the process was killed."""

    tag: str
    """Hash of its requests."""
    id: str | None
    """The provider's; None until it is known."""
    keys: list[str]
    """Of the response cache, hexadecimal."""
    at: float
    """When, in seconds since 1970."""


class BatchRecords:
    """The batches of a provider that were not collected yet: a file each, beside the response cache."""

    def __init__(self, directory: Path, scope: str) -> None:
        self._folder = directory / "batches" / scope

    def add(self, record: BatchRecord) -> bool:
        """Notes a batch before it is handed over; False where another process is handing over the same requests."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            with self._path(record).open("x", encoding="utf-8") as file:
                file.write(record.model_dump_json())
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            return False
        return True

    def replace(self, record: BatchRecord) -> None:
        """Notes what became known of a batch."""
        fresh = self._path(record).with_suffix(".new")
        fresh.write_text(record.model_dump_json(), encoding="utf-8")
        fresh.replace(self._path(record))

    def remove(self, record: BatchRecord) -> None:
        """Forgets a batch."""
        self._path(record).unlink(missing_ok=True)

    def __iter__(self) -> Iterator[BatchRecord]:
        """Yields the batches, the oldest first.

        Raises:
            InputError: A file is none of ours, or was cut off.
        """
        found = []
        for path in self._folder.glob("*.json"):
            try:
                found.append(BatchRecord.model_validate_json(path.read_text(encoding="utf-8")))
            except (OSError, ValidationError):
                raise InputError(
                    f"'{path}' cannot be read: it notes a batch that was handed over. Delete it to have its requests asked again."
                ) from None
        return iter(sorted(found, key=lambda record: record.at))

    def _path(self, record: BatchRecord) -> Path:
        return self._folder / f"{record.tag}.json"


class BatchExchange:
    """Hands over the requests of one recipe and collects their answers into the response cache."""

    def __init__(
        self, llm: ProviderLLM, recipe: LlmSettings, cache: ResponseCache, state: RunState, budget: Budget, directory: Path
    ) -> None:
        assert recipe.batch is not None
        self._llm, self._recipe, self._settings = llm, recipe, recipe.batch
        self._cache, self._state, self._budget = cache, state, budget
        scope = hashlib.sha256(f"{recipe.provider}\x1f{recipe.base_url}".encode()).hexdigest()[:12]
        self._records = BatchRecords(directory, scope)

    async def exchange(self, requests: Sequence[Request], send_one: Callable[[Request], Awaitable[None]]) -> None:
        """Brings the answers of requests into the cache, or stops the run; what it has not after that has to be sent singly.

        Args:
            requests: Those that the cache does not answer.
            send_one: Sends one singly, before the first batch: what is wrong with all of them is found at the price of one.
        """
        try:
            await self._exchange(requests, send_one)
        except ProviderError as error:
            known = {"connection": "unreachable", "timeout": "unreachable", "too_long": "request", "unsupported": "request"}
            self._state.stop(known.get(error.kind, error.kind), f"batch: {error}")
        except (OSError, TypeError, ValueError, KeyError) as error:
            self._state.stop(
                "server", f"batch: the provider's answer cannot be read: {type(error).__name__}: {error_line(error, 200)}"
            )

    async def _exchange(self, requests: Sequence[Request], send_one: Callable[[Request], Awaitable[None]]) -> None:
        keys = {request.key for request in requests}
        ends = time.monotonic() + 60.0 * self._settings.wait_minutes
        # 1. What earlier runs handed over.
        await self._find_lost()
        tried = {key for record in self._records for key in _keys(record)}
        await self._collect_ended()
        # 2. What is new.
        new = [request for request in requests if request.key not in tried]
        if new:
            await send_one(new[0])
        if self._is_stopped() or not await self._submit(new[1:]):
            return
        # 3. The answers.
        while waiting := [record for record in self._records if not keys.isdisjoint(_keys(record))]:
            if time.monotonic() >= ends or self._is_stopped():
                self._state.stop(SUBMITTED, await self._progress(waiting))
                return
            await self._pause(min(self._settings.poll_seconds, ends - time.monotonic()))
            await self._collect_ended()

    def _is_stopped(self) -> bool:
        """Whether nothing more may be handed over; that another recipe of the run has handed its requests over is no reason."""
        reason = self._state.stop_reason()
        return reason is not None and reason.kind != SUBMITTED

    async def _pause(self, seconds: float) -> None:
        """Waits, but not on while the run is stopped."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._is_stopped():
            await asyncio.sleep(min(left, _CHECK_SECONDS))

    async def _find_lost(self) -> None:
        """Finds what was handed over by a process that was killed before it knew the batch's id."""
        for record in self._records:
            if record.id is None:
                found = await self._llm.client.find_batch(record.tag, len(record.keys), record.at)
                if found is None:
                    self._records.remove(record)
                else:
                    self._records.replace(record.model_copy(update={"id": found}))

    async def _submit(self, requests: Sequence[Request]) -> bool:
        """Hands requests over, in as many batches as it takes; returns whether the run goes on."""
        for start in range(0, len(requests), self._settings.most):
            part = requests[start : start + self._settings.most]
            if spent := self._beyond_budget(part):
                self._state.stop("budget", spent)
                return False
            keys = [request.key.hex() for request in part]
            tag = hashlib.sha256("".join(sorted(keys)).encode()).hexdigest()[:32]
            record = BatchRecord(tag=tag, id=None, keys=keys, at=time.time())
            if not self._records.add(record):
                continue
            items = [BatchItem(request.key.hex(), request.messages, request.schema) for request in part]
            try:
                found = await self._llm.client.submit_batch(items, tag)
            except BaseException as error:
                if isinstance(error, ProviderError) and error.answered:  # refused: there is no batch
                    self._records.remove(record)
                raise
            self._records.replace(record.model_copy(update={"id": found}))
        return True

    def _beyond_budget(self, requests: Sequence[Request]) -> str | None:
        """Counts the requests of a batch; returns what the budget is too small for, by an estimate of what it will use."""
        characters = sum(len(message["content"]) for request in requests for message in request.messages)
        read, written = round(characters / CHARACTERS_PER_TOKEN), EXPECTED_ANSWER_TOKENS * len(requests)
        used, budget = self._state.total(), self._budget
        money = BATCH_PRICE * (self._recipe.cost(read, written) or 0.0)
        for name, there, more, limit in (
            ("requests", used.requests, len(requests), budget.requests),
            ("tokens", used.input_tokens + used.output_tokens, read + written, budget.tokens),
            ("money", used.money, money, budget.money),
        ):
            if limit is not None and there + more > limit:
                return f"{name}: with a batch of {len(requests):,} requests about {there + more:,.4g} of {limit:,.4g}"
        self._state.add(self._recipe.label, requests=len(requests))
        return None

    async def _collect_ended(self) -> None:
        """Puts the answers of all batches that ended into the cache, those of other runs included.

        Raises:
            ProviderError: A batch was refused as a whole.
        """
        for record in self._records:
            if record.id is None:  # another process is handing it over
                continue
            status = await self._llm.client.batch_status(record.id)
            if not status.ended:
                continue
            responses: dict[bytes, CachedResponse] = {}
            async for key, reply in self._llm.client.batch_replies(record.id):
                if isinstance(reply, Reply):
                    cost = BATCH_PRICE * (self._recipe.cost(reply.input_tokens, reply.output_tokens) or 0.0)
                    tokens = {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens}
                    self._state.add(self._recipe.label, cost, **tokens)
                    if reply.finish == "stop" and reply.text.strip():
                        responses[bytes.fromhex(key)] = CachedResponse(reply.text, reply.input_tokens, reply.output_tokens, False)
            self._cache.put_all(responses, self._recipe.generator)
            self._records.remove(record)
            if status.error and not responses:
                raise ProviderError("request", f"{record.id}: {status.error}", answered=True)

    async def _progress(self, waiting: Sequence[BatchRecord]) -> str:
        """Returns what is under way, for people."""
        states = []
        for record in waiting:
            if record.id is None:
                continue
            status = await self._llm.client.batch_status(record.id)
            states.append(f"{record.id}: {status.done:,} of {len(record.keys):,}")
        number = sum(len(record.keys) for record in waiting)
        return (
            f"{number:,} requests are with the provider at half the price ({', '.join(states)} answered). Run the same command "
            "later: it collects the answers, and asks for nothing twice. They take up to 24 hours."
        )


def _keys(record: BatchRecord) -> set[bytes]:
    return {bytes.fromhex(key) for key in record.keys}

"""The request scheduler: sends many LLM requests at once in a sliding window, each with an outcome of its own.

What the response cache holds costs nothing. A connection error is waited out and tried again; a response that cannot be used is
asked for again, once with the reason; what would fail every time (a wrong key, an unknown model, an empty account, a spent
budget) stops the run with everything kept that was answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import tenacity
from distilabel.constants import SIGINT_HANDLER_CALLED_ENV_NAME

from finetrieve.generation.budget import Budget
from finetrieve.generation.llm.batches import BatchExchange
from finetrieve.generation.llm.distilabel_llm import ProviderLLM
from finetrieve.generation.llm.llm_settings import LlmSettings
from finetrieve.generation.llm.providers.base import Messages, Reply
from finetrieve.generation.llm.providers.errors import FATAL, TRANSIENT, ProviderError
from finetrieve.generation.llm.rate_limits import RateLimit
from finetrieve.generation.llm.request import CHARACTERS_PER_TOKEN, EXPECTED_ANSWER_TOKENS, Outcome, Request
from finetrieve.generation.llm.response_cache import CachedResponse, ResponseCache
from finetrieve.generation.parse_response import InvalidResponseError
from finetrieve.generation.run_state import RunState

MAX_BACKOFF = 30.0
"""Seconds between two tries, unless the server asks for more."""
MAX_RETRY_AFTER = 300.0
_MAX_HALVINGS = 4
_MAX_UNREACHED = 3
"""So many connections that never came about, before any answer, mean that there is no server."""
_MAX_REFUSED = 3
"""So many requests that were refused as they are, before any answer, mean that the settings are."""
_ALONE_SECONDS = 5.0
"""What is wrong with all requests mostly shows sooner; an answer may take longer."""
_CHECK_SECONDS = 0.1
_LOOKUPS_AT_ONCE = 128
"""Requests that are taken and looked up in the cache together, while the others in flight have to wait."""


STOPPED = Outcome()


@dataclass(slots=True)
class _Batch:
    """What is known of the requests of one call: of those that wait for their turn, nothing yet."""

    keys: list[bytes] = field(default_factory=list)
    """In the requests' order."""
    outcomes: dict[bytes, Outcome] = field(default_factory=dict)
    sent: set[bytes] = field(default_factory=set)
    """Keys that the cache did not hold."""
    again: int = 0
    """Requests with the key of another, whose outcome they share."""


class RequestScheduler:
    """Sends the requests of one recipe; lives as long as the process that runs it."""

    def __init__(
        self,
        llm: ProviderLLM,
        recipe: LlmSettings,
        cache: ResponseCache,
        run_state: RunState,
        budget: Budget,
        batches: BatchExchange | None = None,
    ) -> None:
        self._llm, self._recipe, self._batches = llm, recipe, batches
        self._cache, self._state, self._budget = cache, run_state, budget
        self._requests, self._tokens = RateLimit(recipe.requests_per_minute), RateLimit(recipe.tokens_per_minute)
        self._request_seconds = None if llm.client.runs_in_process else recipe.timeout
        self._opened = asyncio.Event()
        self._not_before = 0.0
        self._answered = False
        self._unreached = 0
        self._refused = 0
        self._failed_in_row = 0
        self._stopped = False
        self._checked_at = 0.0

    def send(self, requests: Iterable[Request]) -> list[Outcome]:
        """Returns the outcomes, in the requests' order; a request is taken when its turn has come and not kept longer."""
        batch = _Batch()
        missing = self._uncached(requests, batch)
        if self._batches is not None and (asked := list(missing)):
            exchange = self._batches.exchange(asked, lambda request: self._send_all(iter([request]), batch.outcomes))
            self._llm.event_loop.run_until_complete(exchange)
            self._checked_at = 0.0
            missing = self._unanswered(asked, batch)
        if (first := next(missing, None)) is not None:
            waiting = itertools.chain([first], missing)
            self._llm.event_loop.run_until_complete(self._send_all(waiting, batch.outcomes))
            for _ in missing:  # after a stop: what the cache holds is there all the same
                pass
        if batch.again:  # texts that are there twice share an answer
            self._state.add(self._recipe.label, done=batch.again, hits=batch.again)
        return [batch.outcomes.get(key, STOPPED) for key in batch.keys]

    def _unanswered(self, requests: list[Request], batch: _Batch) -> Iterator[Request]:
        """Yields what has to be sent singly after the batches, and puts what they answered into the batch."""
        cached = self._cache.get([request.key for request in requests])
        for request in requests:
            if request.key in batch.outcomes:
                continue
            if (outcome := _cached_outcome(request, cached.get(request.key))) is not None:
                batch.outcomes[request.key] = outcome
                self._state.add(self._recipe.label, done=1)
            else:
                yield request

    def _uncached(self, requests: Iterable[Request], batch: _Batch) -> Iterator[Request]:
        """Yields the requests that have to be sent, each text once, and puts what the cache holds into the batch."""
        waiting = iter(requests)
        while part := list(itertools.islice(waiting, _LOOKUPS_AT_ONCE)):
            cached = self._cache.get([request.key for request in part])
            missing: dict[bytes, Request] = {}
            hits = 0
            for request in part:
                batch.keys.append(request.key)
                if request.key in batch.sent:
                    batch.again += 1
                elif (outcome := _cached_outcome(request, cached.get(request.key))) is not None:
                    batch.outcomes[request.key] = outcome
                    hits += 1
                else:
                    batch.sent.add(request.key)
                    missing[request.key] = request
            if hits:
                self._state.add(self._recipe.label, done=hits, hits=hits)
            for key in list(missing):
                yield missing.pop(key)

    async def _send_all(self, waiting: Iterator[Request], outcomes: dict[bytes, Outcome]) -> None:
        workers = [
            asyncio.create_task(self._run_worker(waiting, outcomes, first=number == 0))
            for number in range(self._recipe.concurrency)
        ]
        watcher = asyncio.create_task(self._watch_for_interrupt(workers))
        try:
            await asyncio.gather(*workers)
        except asyncio.CancelledError:
            pass  # the watcher did it
        finally:
            for task in (watcher, *workers):
                task.cancel()
            await asyncio.gather(watcher, *workers, return_exceptions=True)

    async def _run_worker(self, waiting: Iterator[Request], outcomes: dict[bytes, Outcome], first: bool) -> None:
        # The first request goes alone: what is wrong with all of them is found at the price of one.
        if not first:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._opened.wait(), _ALONE_SECONDS)
        for request in waiting:
            if self._is_stopped():
                break
            outcome = await self._outcome(request)
            if outcome is STOPPED:
                break
            outcomes[request.key] = outcome
            self._state.add(self._recipe.label, done=1, failed=int(outcome.text is None))
        self._opened.set()

    async def _watch_for_interrupt(self, workers: list[asyncio.Task[None]]) -> None:
        """Cancels the workers on Ctrl-C, of which distilabel tells its processes by an environment variable."""
        while os.environ.get(SIGINT_HANDLER_CALLED_ENV_NAME) is None:
            await asyncio.sleep(_CHECK_SECONDS)
        self._stop("interrupted", "interrupted")
        for worker in workers:
            worker.cancel()

    def _is_stopped(self) -> bool:
        """Whether no further request may be started."""
        if self._stopped:
            return True
        if time.monotonic() - self._checked_at >= _CHECK_SECONDS:
            self._checked_at = time.monotonic()
            self._stopped = self._state.stop_reason() is not None
        return self._stopped

    def _stop(self, kind: str, reason: str) -> None:
        self._state.stop(kind, reason)
        self._stopped = True

    async def _outcome(self, request: Request) -> Outcome:
        """Returns the outcome of one request, sent as often as it takes."""
        messages, share, limit = request.messages, 1.0, None
        attempts, halvings = 0, 0
        last = Outcome()
        while attempts < self._recipe.asks:
            try:
                reply = await self._reply(messages, request.schema, limit)
            except ProviderError as error:
                if error.kind == "too_long" and halvings < _MAX_HALVINGS:
                    halvings, share = halvings + 1, share / 2
                    messages = request.shortened(share)
                    continue
                return self._failed(error)
            except RunStoppedError:
                return STOPPED
            attempts += 1
            try:
                parsed = _parse(reply, request)
            except InvalidResponseError as error:
                last = Outcome(failure=error.problem, reason=f"{error}, in {attempts} tries", raw=reply.text)
                base = request.messages if share == 1.0 else request.shortened(share)
                if error.problem == "truncated":
                    limit = self._llm.client.more_room(limit)
                # Told once what was wrong, then asked afresh. Instructions that it answered with are not repeated: it may obey.
                correct = attempts == 1 and reply.text.strip() and error.problem != "instructions"
                messages = _with_reason(base, reply, error) if correct else base
                continue
            response = CachedResponse(reply.text, reply.input_tokens, reply.output_tokens, share < 1.0)
            self._cache.put(request.key, response, self._recipe.generator)
            return Outcome(reply.text, parsed, share < 1.0)
        return last

    async def _reply(self, messages: Messages, schema: dict[str, Any] | None, limit: int | None) -> Reply:
        """Returns a reply, after as many tries as faults of the line ask for.

        Raises:
            ProviderError: The last one.
            RunStoppedError: The run was stopped meanwhile.
        """
        tries = tenacity.AsyncRetrying(
            stop=self._tries_are_used_up,
            sleep=self._sleep,
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, ProviderError) and error.kind in TRANSIENT),
            wait=_wait,
            reraise=True,
        )
        async for attempt in tries:
            with attempt:
                return await self._try_once(messages, schema, limit, attempt.retry_state.attempt_number)
        raise AssertionError("tenacity either returns or raises")

    def _tries_are_used_up(self, state: tenacity.RetryCallState) -> bool:
        """A limit that counts per minute outlasts a few tries: what hits one is tried for longer."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ProviderError):
            error.tries = state.attempt_number
            if error.kind == "rate_limit" and self._recipe.retries and (state.seconds_since_start or 0.0) < MAX_RETRY_AFTER:
                return False
        return state.attempt_number > self._recipe.retries

    async def _sleep(self, seconds: float) -> None:
        """Sleeps, but not on while the run is stopped.

        Raises:
            RunStoppedError: The run was stopped meanwhile.
        """
        ends = time.monotonic() + seconds
        while not self._is_stopped() and (left := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 2 * _CHECK_SECONDS))
        if self._is_stopped():
            raise RunStoppedError

    async def _try_once(self, messages: Messages, schema: dict[str, Any] | None, limit: int | None, number: int) -> Reply:
        estimate = sum(len(message["content"]) for message in messages) / CHARACTERS_PER_TOKEN + EXPECTED_ANSWER_TOKENS
        await self._wait_for_turn(estimate, retry=number > 1)
        label = self._recipe.label
        try:
            reply = await asyncio.wait_for(self._llm.client.complete(messages, schema, limit), self._request_seconds)
        except TimeoutError:
            self._opened.set()
            raise ProviderError("timeout", f"no answer in {self._recipe.timeout:g} s") from None
        except ProviderError as error:
            self._note_error(error)
            raise
        self._answered, self._unreached, self._refused, self._failed_in_row = True, 0, 0, 0
        self._opened.set()
        self._tokens.correct(reply.input_tokens + reply.output_tokens - estimate)
        self._state.add(label, self._cost(reply), input_tokens=reply.input_tokens, output_tokens=reply.output_tokens)
        return reply

    async def _wait_for_turn(self, tokens: float, retry: bool) -> None:
        """Waits until limits, the server's wish and the budget let a request go, and counts it.

        Raises:
            RunStoppedError: The run was stopped meanwhile, or the budget is spent.
        """
        moment = max(self._requests.reserve(), self._tokens.reserve(tokens))
        while (pause := max(moment, self._not_before) - time.monotonic()) > 0:
            await self._sleep(pause)
        if self._is_stopped():
            raise RunStoppedError
        if spent := self._state.take_request(self._recipe.label, self._budget, retry):
            self._stop("budget", spent)
            raise RunStoppedError

    def _note_error(self, error: ProviderError) -> None:
        """Notes what an error says about all requests."""
        if error.kind in FATAL:
            self._stop(error.kind, error.text)
            raise RunStoppedError
        if not self._answered and error.never_reached:
            self._unreached += 1
            if self._unreached >= _MAX_UNREACHED:
                self._stop("unreachable", error.text)
                raise RunStoppedError
            return  # the others wait until a server is there
        if not self._answered and error.kind in ("request", "unsupported"):
            self._refused += 1
            if self._refused >= _MAX_REFUSED:
                self._stop("request", error.text)
                raise RunStoppedError
            return  # the others wait until the settings are known to be good
        if error.kind == "rate_limit" and error.retry_after is not None:
            self._not_before = max(self._not_before, time.monotonic() + min(error.retry_after, MAX_RETRY_AFTER))
        self._opened.set()

    def _failed(self, error: ProviderError) -> Outcome:
        """Returns the outcome of a request whose tries are used up; after several in a row there is nobody who answers."""
        if error.kind in TRANSIENT:
            self._failed_in_row += 1
            if self._failed_in_row >= max(_MAX_UNREACHED, self._recipe.concurrency):
                self._stop("unreachable" if error.kind in ("connection", "timeout") else error.kind, error.text)
        reason = f"{error}, in {error.tries} {'try' if error.tries == 1 else 'tries'}" if error.kind in TRANSIENT else str(error)
        return Outcome(failure=error.kind, reason=reason)

    def _cost(self, reply: Reply) -> float:
        return self._recipe.cost(reply.input_tokens, reply.output_tokens) or 0.0


class RunStoppedError(Exception):
    """The run was told to stop; nothing more is sent."""


def _wait(state: tenacity.RetryCallState) -> float:
    """Returns the seconds to wait: what the server asked for, or a jittered and growing time."""
    error = state.outcome.exception() if state.outcome else None
    wanted = error.retry_after if isinstance(error, ProviderError) else None
    if wanted is not None:
        return min(wanted, MAX_RETRY_AFTER)
    return float(tenacity.wait_random_exponential(multiplier=0.5, max=MAX_BACKOFF)(state))


def _parse(reply: Reply, request: Request) -> Any:
    if reply.finish == "refused":
        raise InvalidResponseError("refusal", "the model refused")
    if reply.finish == "length":
        raise InvalidResponseError("truncated", f"the answer was cut off after {reply.output_tokens} tokens")
    return request.parse(reply.text)


def _with_reason(messages: Messages, reply: Reply, error: InvalidResponseError) -> Messages:
    """Returns the conversation in which the model is told what was wrong with its answer."""
    correction = f"That answer cannot be used: {error}. Answer again, in the form that was asked for."
    return [*messages, {"role": "assistant", "content": reply.text}, {"role": "user", "content": correction}]


def _cached_outcome(request: Request, cached: CachedResponse | None) -> Outcome | None:
    """Returns the outcome that a cached response gives, if it passes today's validation."""
    if cached is None:
        return None
    try:
        return Outcome(cached.text, request.parse(cached.text), cached.shortened)
    except InvalidResponseError:
        return None

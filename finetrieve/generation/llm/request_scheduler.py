"""Asks an LLM many questions at once: a sliding window of requests, each with a fate of its own.

What the cache holds costs nothing. A fault of the line is waited out and tried again; an answer that cannot be used is asked
for again, once with the reason; what would fail every time (a wrong key, an unknown model, an empty account, a spent budget)
stops the run with everything kept that was answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import tenacity
from distilabel.constants import SIGINT_HANDLER_CALLED_ENV_NAME

from finetrieve.generation.llm.providers.base import AnsweringLLM, Messages, Reply
from finetrieve.generation.llm.providers.errors import FATAL, TRANSIENT, Fault
from finetrieve.generation.llm.rate_limits import Pace
from finetrieve.generation.llm.response_cache import Answer, AnswerCache
from finetrieve.generation.parse_response import UnusableAnswer
from finetrieve.generation.run_state import Ledger
from finetrieve.generation.settings import Budget, TripletRecipe

CHARACTERS_PER_TOKEN = 4.0
EXPECTED_ANSWER_TOKENS = 60
TRUNCATED_MAX_TOKENS = 2048
"""Asked for after an answer that was cut off."""
MAX_BACKOFF = 30.0
"""Seconds between two tries, unless the server asks for more."""
MAX_RETRY_AFTER = 300.0
_HALVINGS = 4
_UNREACHED = 3
"""So many connections that never came about, before any answer, mean that there is no server."""
_REFUSED = 3
"""So many requests that were refused as they are, before any answer, mean that the settings are."""
_ALONE_SECONDS = 5.0
"""What is wrong with all requests mostly shows sooner; an answer may take longer."""
_LOOK_SECONDS = 0.1
_LOOKED_UP_AT_ONCE = 128
"""Requests that are taken and looked up in the cache together, while the others in flight have to wait."""


@dataclass(frozen=True, slots=True)
class Request:
    """One query to be asked for."""

    key: bytes
    """Of the answer cache."""
    messages: Messages
    read: Callable[[str], Any]
    """Raises UnusableAnswer for an answer that cannot be used."""
    shortened: Callable[[float], Messages]
    """The messages with only that share of the chunk."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: a text, or a failure, or neither when the run was stopped before."""

    text: str | None = None
    read: Any = None
    """What the request's `read` made of the text."""
    shortened: bool = False
    failure: str = ""
    """`refusal`, `unparsable`, `timeout`, ...; empty with a text."""
    reason: str = ""
    raw: str = ""
    """What the model answered, when that was the failure."""


STOPPED = Outcome()


@dataclass(slots=True)
class _Batch:
    """What is known of the requests of one call: of those that wait for their turn, nothing yet."""

    keys: list[bytes] = field(default_factory=list)
    """In the requests' order."""
    outcomes: dict[bytes, Outcome] = field(default_factory=dict)
    asked: set[bytes] = field(default_factory=set)
    """Keys that the cache did not hold."""
    again: int = 0
    """Requests that others of `asked` answer."""


class Asker:
    """Asks for the queries of one recipe; lives as long as the process that runs it."""

    def __init__(
        self,
        llm: AnsweringLLM,
        recipe: TripletRecipe,
        schema: dict[str, Any] | None,
        cache: AnswerCache,
        ledger: Ledger,
        budget: Budget,
    ) -> None:
        self._llm, self._recipe, self._schema = llm, recipe, schema
        self._cache, self._ledger, self._budget = cache, ledger, budget
        self._requests, self._tokens = Pace(recipe.requests_per_minute), Pace(recipe.tokens_per_minute)
        self._opened = asyncio.Event()
        self._not_before = 0.0
        self._answered = False
        self._unreached = 0
        self._refused = 0
        self._lost = 0
        self._stopped = False
        self._looked = 0.0

    def ask(self, requests: Iterable[Request]) -> list[Outcome]:
        """Returns the outcomes, in the requests' order; a request is taken when its turn has come and not kept longer."""
        batch = _Batch()
        missing = self._missing(requests, batch)
        if (first := next(missing, None)) is not None:
            waiting = itertools.chain([first], missing)
            self._llm.event_loop.run_until_complete(self._ask_all(waiting, batch.outcomes))
            for _ in missing:  # after an order to stop: what the cache holds is there all the same
                pass
        if batch.again:  # texts that are there twice share an answer
            self._ledger.add(self._recipe.label, done=batch.again, hits=batch.again)
        return [batch.outcomes.get(key, STOPPED) for key in batch.keys]

    def _missing(self, requests: Iterable[Request], batch: _Batch) -> Iterator[Request]:
        """Yields the requests that have to be asked for, each text once, and puts what the cache holds into the batch."""
        waiting = iter(requests)
        while part := list(itertools.islice(waiting, _LOOKED_UP_AT_ONCE)):
            cached = self._cache.get([request.key for request in part])
            missing: dict[bytes, Request] = {}
            hits = 0
            for request in part:
                batch.keys.append(request.key)
                if request.key in batch.asked:
                    batch.again += 1
                elif (outcome := _kept(request, cached.get(request.key))) is not None:
                    batch.outcomes[request.key] = outcome
                    hits += 1
                else:
                    batch.asked.add(request.key)
                    missing[request.key] = request
            if hits:
                self._ledger.add(self._recipe.label, done=hits, hits=hits)
            for key in list(missing):
                yield missing.pop(key)

    async def _ask_all(self, waiting: Iterator[Request], outcomes: dict[bytes, Outcome]) -> None:
        workers = [
            asyncio.create_task(self._work(waiting, outcomes, first=number == 0)) for number in range(self._recipe.concurrency)
        ]
        watcher = asyncio.create_task(self._watch(workers))
        try:
            await asyncio.gather(*workers)
        except asyncio.CancelledError:
            pass  # the watcher did it
        finally:
            for task in (watcher, *workers):
                task.cancel()
            await asyncio.gather(watcher, *workers, return_exceptions=True)

    async def _work(self, waiting: Iterator[Request], outcomes: dict[bytes, Outcome], first: bool) -> None:
        # The first request goes alone: what is wrong with all of them is found at the price of one.
        if not first:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._opened.wait(), _ALONE_SECONDS)
        for request in waiting:
            if self._halted():
                break
            outcome = await self._had(request)
            if outcome is STOPPED:
                break
            outcomes[request.key] = outcome
            self._ledger.add(self._recipe.label, done=1, failed=int(outcome.text is None))
        self._opened.set()

    async def _watch(self, workers: list[asyncio.Task[None]]) -> None:
        """Cancels the workers on Ctrl-C, of which distilabel tells its processes by an environment variable."""
        while os.environ.get(SIGINT_HANDLER_CALLED_ENV_NAME) is None:
            await asyncio.sleep(_LOOK_SECONDS)
        self._stop("interrupted", "interrupted")
        for worker in workers:
            worker.cancel()

    def _halted(self) -> bool:
        """Whether no further request may be started."""
        if self._stopped:
            return True
        if time.monotonic() - self._looked >= _LOOK_SECONDS:
            self._looked = time.monotonic()
            self._stopped = self._ledger.stopped() is not None
        return self._stopped

    def _stop(self, kind: str, reason: str) -> None:
        self._ledger.stop(kind, reason)
        self._stopped = True

    async def _had(self, request: Request) -> Outcome:
        """Returns the outcome of one request, asked for as often as it takes."""
        messages, share, limit = request.messages, 1.0, None
        asks, halvings = 0, 0
        last = Outcome()
        while asks < self._recipe.asks:
            try:
                reply = await self._replied(messages, limit)
            except Fault as fault:
                if fault.kind == "too_long" and halvings < _HALVINGS:
                    halvings, share = halvings + 1, share / 2
                    messages = request.shortened(share)
                    continue
                return self._given_up(fault)
            except _Halted:
                return STOPPED
            asks += 1
            try:
                read = _read(reply, request)
            except UnusableAnswer as error:
                last = Outcome(failure=error.problem, reason=f"{error}, in {asks} tries", raw=reply.text)
                base = request.messages if share == 1.0 else request.shortened(share)
                if error.problem == "truncated":
                    limit = max(TRUNCATED_MAX_TOKENS, 2 * (limit or self._recipe.sampling.max_tokens or 0))
                # Told once what was wrong, then asked afresh. Orders that it answered with are not said to it again: it may obey.
                told = asks == 1 and reply.text.strip() and error.problem != "instructions"
                messages = _with_reason(base, reply, error) if told else base
                continue
            answer = Answer(reply.text, reply.input_tokens, reply.output_tokens, share < 1.0)
            self._cache.put(request.key, answer, f"{self._recipe.provider}/{self._recipe.model}")
            return Outcome(reply.text, read, share < 1.0)
        return last

    async def _replied(self, messages: Messages, limit: int | None) -> Reply:
        """Returns a reply, after as many tries as faults of the line ask for.

        Raises:
            Fault: The last one.
            _Halted: The run was stopped meanwhile.
        """
        tries = tenacity.AsyncRetrying(
            stop=self._tries_are_used_up,
            sleep=self._sleep,
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, Fault) and error.kind in TRANSIENT),
            wait=_wait,
            reraise=True,
        )
        async for attempt in tries:
            with attempt:
                return await self._once(messages, limit, attempt.retry_state.attempt_number)
        raise AssertionError("tenacity either returns or raises")

    def _tries_are_used_up(self, state: tenacity.RetryCallState) -> bool:
        """A limit that counts per minute outlasts a few tries: what hits one is tried for longer."""
        fault = state.outcome.exception() if state.outcome else None
        if isinstance(fault, Fault):
            fault.tries = state.attempt_number
            if fault.kind == "rate_limit" and self._recipe.retries and (state.seconds_since_start or 0.0) < MAX_RETRY_AFTER:
                return False
        return state.attempt_number > self._recipe.retries

    async def _sleep(self, seconds: float) -> None:
        """Sleeps, but not on while the run is stopped.

        Raises:
            _Halted: The run was stopped meanwhile.
        """
        ends = time.monotonic() + seconds
        while not self._halted() and (left := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 2 * _LOOK_SECONDS))
        if self._halted():
            raise _Halted

    async def _once(self, messages: Messages, limit: int | None, number: int) -> Reply:
        estimate = sum(len(message["content"]) for message in messages) / CHARACTERS_PER_TOKEN + EXPECTED_ANSWER_TOKENS
        await self._turn(estimate, retry=number > 1)
        label = self._recipe.label
        try:
            reply = await asyncio.wait_for(
                self._llm.ask(messages, self._schema, limit), self._recipe.timeout if self._llm.answers_in_time else None
            )
        except TimeoutError:
            self._opened.set()
            raise Fault("timeout", f"no answer in {self._recipe.timeout:g} s") from None
        except Fault as fault:
            self._judge(fault)
            raise
        self._answered, self._unreached, self._refused, self._lost = True, 0, 0, 0
        self._opened.set()
        self._tokens.correct(reply.input_tokens + reply.output_tokens - estimate)
        self._ledger.add(label, self._money(reply), input_tokens=reply.input_tokens, output_tokens=reply.output_tokens)
        return reply

    async def _turn(self, tokens: float, retry: bool) -> None:
        """Waits until limits, the server's wish and the budget let a request go, and counts it.

        Raises:
            _Halted: The run was stopped meanwhile, or the budget is spent.
        """
        moment = max(self._requests.reserve(), self._tokens.reserve(tokens))
        while (pause := max(moment, self._not_before) - time.monotonic()) > 0:
            await self._sleep(pause)
        if self._halted():
            raise _Halted
        if spent := self._ledger.take(self._recipe.label, self._budget, retry):
            self._stop("budget", spent)
            raise _Halted

    def _judge(self, fault: Fault) -> None:
        """Draws from a fault what concerns all requests."""
        if fault.kind in FATAL:
            self._stop(fault.kind, fault.text)
            raise _Halted
        if not self._answered and fault.never_reached:
            self._unreached += 1
            if self._unreached >= _UNREACHED:
                self._stop("unreachable", fault.text)
                raise _Halted
            return  # the others wait until a server is there
        if not self._answered and fault.kind in ("request", "unsupported"):
            self._refused += 1
            if self._refused >= _REFUSED:
                self._stop("request", fault.text)
                raise _Halted
            return  # the others wait until the settings are known to be good
        if fault.kind == "rate_limit" and fault.retry_after is not None:
            self._not_before = max(self._not_before, time.monotonic() + min(fault.retry_after, MAX_RETRY_AFTER))
        self._opened.set()

    def _given_up(self, fault: Fault) -> Outcome:
        """Returns the outcome of a request whose tries are used up; after several in a row there is nobody who answers."""
        if fault.kind in TRANSIENT:
            self._lost += 1
            if self._lost >= max(_UNREACHED, self._recipe.concurrency):
                self._stop("unreachable" if fault.kind in ("connection", "timeout") else fault.kind, fault.text)
        reason = f"{fault}, in {fault.tries} {'try' if fault.tries == 1 else 'tries'}" if fault.kind in TRANSIENT else str(fault)
        return Outcome(failure=fault.kind, reason=reason)

    def _money(self, reply: Reply) -> float:
        price = self._recipe.price
        return (reply.input_tokens * price.input + reply.output_tokens * price.output) / 1e6 if price else 0.0


class _Halted(Exception):  # noqa: N818  # no error: the run was told to stop
    """The run was stopped; nothing more is asked."""


def _wait(state: tenacity.RetryCallState) -> float:
    """Returns the seconds to wait: what the server asked for, or a jittered and growing time."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, Fault) else None
    if asked is not None:
        return min(asked, MAX_RETRY_AFTER)
    return float(tenacity.wait_random_exponential(multiplier=0.5, max=MAX_BACKOFF)(state))


def _read(reply: Reply, request: Request) -> Any:
    if reply.finish == "refused":
        raise UnusableAnswer("refusal", "the model refused")
    if reply.finish == "length":
        raise UnusableAnswer("truncated", f"the answer was cut off after {reply.output_tokens} tokens")
    return request.read(reply.text)


def _with_reason(messages: Messages, reply: Reply, error: UnusableAnswer) -> Messages:
    """Returns the conversation in which the model is told what was wrong with its answer."""
    said = f"That answer cannot be used: {error}. Answer again, in the form that was asked for."
    return [*messages, {"role": "assistant", "content": reply.text}, {"role": "user", "content": said}]


def _kept(request: Request, answer: Answer | None) -> Outcome | None:
    """Returns the outcome that a cached answer gives, if it passes today's validation."""
    if answer is None:
        return None
    try:
        return Outcome(answer.text, request.read(answer.text), answer.shortened)
    except UnusableAnswer:
        return None

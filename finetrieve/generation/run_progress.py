"""What a run that asks an LLM shows while it runs, and the error that says why it ended early."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from finetrieve.core.errors import InputError
from finetrieve.core.generation_report import Usage
from finetrieve.core.progress import Progress
from finetrieve.generation.budget import Budget
from finetrieve.generation.llm.batches import SUBMITTED
from finetrieve.generation.run_state import RunState

_POLL_SECONDS = 0.3
_WHAT_TO_DO = {
    "key": "Check the key: the provider refused it.",
    "model": "Check model and base_url: the provider knows no such model.",
    "quota": "The account has no credit left, or its limit is reached: raise it at the provider.",
    "unreachable": "Check base_url, and that the server runs.",
    "request": "The provider refuses every request as it is: check model, base_url and sampling.",
    "server": "The provider answers with errors only: try again later.",
    "rate_limit": "Lower concurrency, or set requests_per_minute and tokens_per_minute to the account's limits.",
    "budget": "Raise {key}, or set its when_spent to go_on to train on what there is.",
}


def check_stopped(
    run_state: RunState, budget: Budget, total: int, what: str = "Generation", key: str = "generation.budget"
) -> None:
    """Raises what ended a run early, if something did.

    Args:
        run_state: Of the run.
        budget: Whether a spent one ends it.
        total: Queries of the run.
        what: Was done, as messages call it.
        key: Of the budget in the configuration.

    Raises:
        InputError: The provider cannot be used, the budget is spent, or a batch was handed over.
        KeyboardInterrupt: A person interrupted it.
        RuntimeError: A step failed.
    """
    stopped = run_state.stop_reason()
    if stopped is None:
        return
    kind, reason = stopped
    if kind == "interrupted":
        raise KeyboardInterrupt
    if kind == "budget" and budget.when_spent == "go_on":
        return
    if kind in ("input", SUBMITTED):
        raise InputError(reason)
    if kind == "error":
        raise RuntimeError(reason)
    done = run_state.total().done
    ended = "The budget for answers is spent" if kind == "budget" else f"{what} stopped"
    raise InputError(
        f"{ended}: {reason}. {_WHAT_TO_DO[kind].format(key=key)} {done:,} of {total:,} queries are answered and kept: "
        "the same command asks only for the rest."
    )


@contextmanager
def reported(run_state: RunState, total: int, on_progress: Progress | None) -> Iterator[None]:
    """Calls `on_progress` with the usage so far, from another thread."""
    if on_progress is None:
        yield
        return
    done = threading.Event()
    path = run_state.path

    def watch() -> None:
        own = RunState(path)  # SQLite's connections stay in their thread
        while not done.wait(_POLL_SECONDS):
            _report_usage(own.total(), total, on_progress)
        own.close()

    thread = threading.Thread(target=watch, name="generation-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    _report_usage(run_state.total(), total, on_progress)


def _report_usage(usage: Usage, total: int, on_progress: Progress) -> None:
    parts = []
    if usage.requests or usage.hits:
        share = usage.hits / usage.done if usage.done else 0.0
        parts = [f"{share:.0%} from the cache"]
    if usage.requests:
        parts.append(f"{usage.input_tokens + usage.output_tokens:,} tokens")
    if usage.money:
        left = usage.money / max(usage.done - usage.hits, 1) * (total - usage.done)
        parts.append(f"cost {usage.money:.4f}, about {left:.4f} to come")
    if usage.failed:
        parts.append(f"{usage.failed:,} failed")
    on_progress(min(usage.done, total), total, ", ".join(parts))

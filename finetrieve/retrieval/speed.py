"""How fast this machine reads texts with a model: measured in a few seconds, to reckon from."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetrieve.retrieval.base_model import resolve_base_model

_AT_ONCE = 16
"""Texts of a measurement's step: few, so that a slow machine stops soon after its time."""
_MOST = 512
"""Texts in all; a GPU needs no more to be told from a CPU."""


@dataclass(frozen=True)
class Speed:
    """How fast a model reads."""

    tokens_per_second: float
    device: str
    """`cpu`, `cuda`, `mps`."""


def is_on_this_machine(base_model: str) -> bool:
    """Returns whether the model can be loaded without a download."""
    found = resolve_base_model(base_model)
    if isinstance(found, Path):
        return True
    from huggingface_hub import try_to_load_from_cache

    weights = (try_to_load_from_cache(found, name) for name in ("model.safetensors", "pytorch_model.bin"))
    return any(isinstance(path, str) for path in weights)


def measure_speed(
    base_model: str,
    texts: Sequence[str],
    max_tokens: int,
    seconds: float = 2.0,
    clock: Callable[[], float] = time.perf_counter,
) -> Speed:
    """Returns how fast the model reads the texts, cut to `max_tokens`; the first few only warm it up.

    Args:
        base_model: A directory, `embedded` or a Hub id.
        texts: At least one; they are read again and again if they are few.
        max_tokens: Of a text.
        seconds: After which no further batch is begun.
        clock: `time.process_time` leaves out what other programs take.

    Raises:
        InputError: The model cannot be loaded.
    """
    from finetrieve.retrieval.encoder import encode, load_encoder

    encoder = load_encoder(base_model, max_tokens)
    batch = [texts[number % len(texts)] for number in range(_AT_ONCE)]
    n_tokens = sum(len(ids) for ids in encoder.tokenizer(batch, truncation=True, max_length=encoder.max_seq_length)["input_ids"])
    encode(encoder, batch[:2], precision="auto")  # as training and evaluation compute
    n_read, started = 0, clock()
    while n_read == 0 or (clock() - started < seconds and n_read < _MOST):
        encode(encoder, list(dict.fromkeys(batch)), _AT_ONCE, precision="auto")
        n_read += _AT_ONCE
    share = len(set(batch)) / _AT_ONCE  # a text that stands twice is read once
    return Speed(n_tokens * share * n_read / _AT_ONCE / max(clock() - started, 1e-6), encoder.device.type)

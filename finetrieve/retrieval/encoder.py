"""Encoders: an embedding model loaded, and asked for vectors."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.errors import InputError
from finetrieve.retrieval.base_model import first_line, hub_commit, hub_reference, resolve_base_model, unreachable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import torch
    from sentence_transformers import SentenceTransformer

Progress = Callable[[int, int], None]
Precision = Literal["fp32", "auto"]
Role = Literal["query", "document"]
_WORTH_BF16 = 1.15
"""Times as fast as fp32 that bfloat16 multiplies where it is used: autocast converts the weights at every pass."""


def load_encoder(ref: str | Path, max_tokens: int | None = None, device: str | None = None) -> SentenceTransformer:
    """Returns the model, ready to encode, on the GPU where there is one.

    Args:
        ref: `embedded`, a directory or a Hub id.
        max_tokens: Texts are cut after so many tokens; never more than the model can read. None keeps the model's own limit.
        device: `cpu`, `cuda`, ...; None chooses.

    Raises:
        InputError: The model cannot be found or loaded.
    """
    model = resolve_base_model(ref)  # before the slow imports: a broken model is answered at once

    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    name, commit, local_only = (
        (hub_reference(model)[0], *hub_commit(model)) if isinstance(model, str) else (str(model), "", False)
    )
    had_bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        encoder = SentenceTransformer(name, device=device, revision=commit or None, local_files_only=local_only)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError, SafetensorError) as error:
        if isinstance(model, str):
            raise unreachable(model, error) from None
        raise InputError(f"Model directory '{model}' cannot be loaded: {first_line(error)}") from None
    finally:
        if had_bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    if max_tokens is not None:
        encoder.max_seq_length = min(max_tokens, _longest_input(encoder))
    return encoder


def _longest_input(encoder: SentenceTransformer) -> int:
    """Returns how many tokens the model can read: its position embeddings, where it says so."""
    config = getattr(getattr(encoder[0], "auto_model", None), "config", None)
    positions = getattr(config, "max_position_embeddings", None)
    return int(positions) if isinstance(positions, int) and positions > 0 else 1 << 20


def encode(
    encoder: SentenceTransformer,
    texts: Sequence[str],
    batch_size: int = 64,
    on_progress: Progress | None = None,
    *,
    role: Role = "document",
    precision: Precision = "fp32",
) -> FloatMatrix:
    """Returns unit vectors `(n_texts, dim)`, row i for text i; each distinct text is encoded once.

    Args:
        encoder: A loaded model.
        texts: What to encode.
        batch_size: Texts per forward pass.
        on_progress: Called with (distinct texts done, distinct texts in all).
        role: Which of the model's prompts stands in front, where it has them (`query: ` and the like).
        precision: `fp32`, or `auto` for bfloat16 where the hardware is faster in it.

    Raises:
        ValueError: The model returned numbers that are not finite.
    """
    rows: dict[str, int] = {}
    for text in texts:
        rows.setdefault(text, len(rows))
    distinct = list(rows)
    # Texts of like length share a batch, to spend little on padding; the longest first, so that a lack of memory shows at once.
    order = sorted(range(len(distinct)), key=lambda row: -len(distinct[row]))
    vectors = np.zeros((len(distinct), encoder.get_embedding_dimension() or 0), dtype=np.float32)
    span = batch_size * 8
    with computing_in(precision, encoder):
        for start in range(0, len(order), span):
            part = order[start : start + span]
            vectors[part] = _encode_part(encoder, [distinct[row] for row in part], batch_size, role)
            if on_progress is not None:
                on_progress(start + len(part), len(order))
    if not np.isfinite(vectors).all():
        raise ValueError("The model returned vectors that are not finite: its training diverged or its weights are damaged.")
    return vectors[[rows[text] for text in texts]] if len(rows) < len(texts) else vectors


def _encode_part(encoder: SentenceTransformer, texts: list[str], batch_size: int, role: Role) -> FloatMatrix:
    call = encoder.encode_query if role == "query" else encoder.encode_document
    vectors = np.asarray(call(texts, batch_size=batch_size, show_progress_bar=False, convert_to_numpy=True), dtype=np.float32)
    return unit_rows(vectors)


def unit_rows(vectors: FloatMatrix) -> FloatMatrix:
    """Returns the rows at length 1; a row of zeros stays so."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: FloatMatrix = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths != 0)
    return scaled


def computing_in(precision: Precision, encoder: SentenceTransformer) -> AbstractContextManager[None]:
    """Returns a context in which the model computes in the precision."""
    import contextlib

    import torch

    if precision == "auto" and bf16_is_fast(encoder.device):
        return torch.autocast(encoder.device.type, dtype=torch.bfloat16)  # type: ignore[no-any-return, unused-ignore]
    return contextlib.nullcontext()


def bf16_is_fast(device: torch.device) -> bool:
    """Returns whether the device multiplies matrices in bfloat16 natively, and a CPU faster than in fp32.

    A CPU is asked once per process: with AVX512_BF16 and without AMX some take half the time for bfloat16, others twice.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and _cpu_gains_by_bf16()


@cache
def _cpu_gains_by_bf16() -> bool:
    import torch

    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    if not any(getattr(torch.cpu, name, lambda: False)() for name in checks):
        return False
    return _bf16_speedup() > _WORTH_BF16


def _bf16_speedup() -> float:
    """Returns how many times as fast the CPU multiplies bfloat16 as fp32, in the shapes of a small model; takes some 0.1 s."""
    import torch

    inputs = torch.ones(1024, 384), torch.ones(384, 1536)
    halved = inputs[0].bfloat16(), inputs[1].bfloat16()
    seconds: dict[str, list[float]] = {"fp32": [], "bf16": []}
    with torch.no_grad():
        for _ in range(6):  # in turn, so that what else the machine does meets both
            for name, (left, right) in (("fp32", inputs), ("bf16", halved)):
                started = time.perf_counter()
                torch.mm(left, right)
                seconds[name].append(time.perf_counter() - started)
    return min(seconds["fp32"]) / min(seconds["bf16"])

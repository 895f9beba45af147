"""What the machine offers: number format, and how many texts fit into memory at once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BYTES_PER_UNIT = 80
"""Memory of training per layer, token and hidden unit: the activations that the backward pass wants, in fp32."""
MEMORY_SHARE = 0.25
"""Of the free memory, what one mini-batch may take: weights, optimizer and the rest of the machine want some too."""
WHOLE_BATCH_SHARE = 0.5
"""Likewise, of what a whole batch may take where nothing is computed twice."""
_TEXTS_PER_CHUNK = 2
"""Chunk-sized texts that a step computes per chunk: its queries and our lay questions are as much again."""
LARGEST = {"cuda": 256, "cpu": 32}
"""Mini-batch beyond which there is nothing to gain; on a CPU larger ones fall out of its caches and are slower."""


def choose_precision(wanted: str, device: torch.device) -> str:
    """Returns `bf16`, `fp16` or `fp32`; for `auto` the fastest that is safe on the device."""
    from finetrieve.retrieval.encoder import bf16_is_fast

    if wanted != "auto":
        return wanted
    if bf16_is_fast(device):
        return "bf16"
    return "fp16" if device.type == "cuda" else "fp32"


def set_dropout(model: SentenceTransformer, share: float) -> None:
    """Sets the share of activations that every layer zeroes in training.

    At zero a CPU computes attention in one fused operation, which it cannot with dropout: a step takes half the time.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share


def set_training_attention(model: SentenceTransformer) -> None:
    """Has a CPU compute attention step by step: the backward pass of its fused operation takes longer than all the rest.

    Where a model knows no such way, it keeps its own.
    """
    transformer = getattr(model[0], "auto_model", None)
    if model.device.type == "cpu" and transformer is not None and hasattr(transformer, "set_attn_implementation"):
        with suppress(ValueError, AttributeError, KeyError):
            transformer.set_attn_implementation("eager")


def choose_mini_batch(model: SentenceTransformer, max_tokens: int, batch_size: int) -> int:
    """Returns how many texts go through the model at once: a power of two for which the memory suffices, at most `batch_size`."""
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    hidden = int(getattr(config, "hidden_size", 768))
    layers = int(getattr(config, "num_hidden_layers", 12))
    fitting = int(free_memory(model.device) * MEMORY_SHARE / (BYTES_PER_UNIT * layers * hidden * max_tokens))
    limit = max(1, min(fitting, batch_size, LARGEST.get(model.device.type, 64)))
    return 1 << (limit.bit_length() - 1)


def batch_fits(model: SentenceTransformer, max_tokens: int, batch_size: int) -> bool:
    """Returns whether the activations of a batch of chunks, with as many queries again, fit into the memory that is free."""
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    hidden = int(getattr(config, "hidden_size", 768))
    layers = int(getattr(config, "num_hidden_layers", 12))
    needed = BYTES_PER_UNIT * layers * hidden * max_tokens * batch_size * _TEXTS_PER_CHUNK
    return needed < free_memory(model.device) * WHOLE_BATCH_SHARE


def free_memory(device: torch.device) -> int:
    """Returns the bytes that are free on the device; on a CPU the least of what the machine and the container have left."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return min(_machine_memory(), _container_memory())


def _machine_memory() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 8 << 30
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


def _container_memory() -> int:
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = (folder / "memory.max").read_text().strip(), (folder / "memory.current").read_text().strip()
    except OSError:
        return 1 << 62
    return 1 << 62 if limit == "max" else max(0, int(limit) - int(used))

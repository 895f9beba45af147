"""Each recipe once against the real small model: its row is valid, or what the model could not do is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from finetrieve.core.errors import UnreachableError
from finetrieve.core.rows import Chunk, GeneratedQuery, Reject, WrittenRow
from finetrieve.core.tables import to_rows, to_table
from finetrieve.generation.generate import GenerationResult, generate
from finetrieve.generation.llm.gguf_models import PACKAGED_MODELS, gguf_file
from finetrieve.generation.recipes.base import RECIPES
from finetrieve.generation.settings import GenerationSettings

MODEL = "smollm2"
CHUNKS = [
    Chunk("c0", "d0", "m.md", "Pages", "", "To share a page, open its menu and choose Share. Readers see all changes at once.", 20, 0),
    Chunk("c1", "d1", "m.md", "Network", "", "The guest network has a name of its own. Guests reach the internet only.", 20, 0),
]
ASKED: dict[str, Any] = {
    "provider": "llamacpp",
    "model": MODEL,
    "context_window": 2048,
    "asks": 2,
    "sampling": {"temperature": 0.0, "max_tokens": 120, "seed": 1},
}
LINE = {"type": "string", "minLength": 10, "maxLength": 80}
LEAST: dict[str, dict[str, Any]] = {
    "triplet": {"negative": False, "styles": {"how_to": 1}},
    "prompt": {
        "prompt": "Write a question that this text answers.\n\n{{ text }}",
        "answer": {"question": LINE},
        "columns": {"query": "question"},
    },
    "few_shot": {"queries": ["how do i print a page", "guest wifi slow"]},
    "descriptions": {"descriptions": 1, "abstract": False},
    "tasks": {"kinds": ["classification"], "tasks": 1},
    "graph": {"personas": 0, "embedding_model": None},
    "axes": {"query_types": {"factual": "It asks for a fact."}, "reasoning_types": {"stated": "The passage says it."}, "threshold": 0},
}
"""Recipe -> the settings with which it asks for as little as it can. A new recipe is asked with its defaults."""

"""The embedded model's tokenizer, and documents written down in one line."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from finetrieve.retrieval.base_model import load_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """Of all-MiniLM-L6-v2, as it comes with the installation."""
    return load_tokenizer("embedded")

"""A real but tiny encoder: the embedded model's tokenizer before a random two-layer BERT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module", autouse=True)
def own_cache(cache_folder: Path) -> Iterator[None]:
    """A user's cache for these tests alone, in which each finds the tiny model's scores on our own questions."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_CACHE_HOME", str(cache_folder))
        yield


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the directory of a sentence-transformers model with 16 dimensions that encodes in no time."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    from finetrieve.retrieval.base_model import resolve_base_model

    parts = tmp_path_factory.mktemp("bert")
    tokenizer = AutoTokenizer.from_pretrained(str(resolve_base_model("embedded")))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(str(parts))
    tokenizer.save_pretrained(str(parts))
    transformer = Transformer(str(parts), max_seq_length=64)
    model = SentenceTransformer(modules=[transformer, Pooling(16), Normalize()], device="cpu")
    directory = tmp_path_factory.mktemp("models") / "tiny"
    model.save_pretrained(str(directory), create_model_card=False)
    return directory

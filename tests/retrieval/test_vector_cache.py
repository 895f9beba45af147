"""Vectors that are made once, whatever happens to the file that keeps them."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from finetrieve.retrieval import late_interaction as late
from finetrieve.retrieval import vector_cache as module
from finetrieve.retrieval.base_model import EMBEDDED
from finetrieve.retrieval.encoder import encode, load_encoder
from finetrieve.retrieval.late_interaction import encode_with_tokens
from finetrieve.retrieval.vector_cache import MOST_MODELS, CachedEmbedder, KeptVectors

TEXTS = ["pumps are cleaned with water", "valves are closed by hand", "doors are painted", "doors are painted"]


@pytest.fixture(scope="module")
def encoder() -> SentenceTransformer:
    return load_encoder(EMBEDDED, device="cpu")


def asked(folder: Path, texts: list[str], role: str = "document") -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Returns the vectors, and what a new embedder said of the documents that it had to encode."""
    calls: list[tuple[int, int]] = []
    embedder = CachedEmbedder(EMBEDDED, on_progress=lambda done, total: calls.append((done, total)), folder=folder)
    return embedder.embed(texts, role), calls  # type: ignore[arg-type]


@pytest.mark.slow
def test_only_texts_that_no_run_asked_for_are_encoded_and_the_vectors_are_the_models(
    tmp_path: Path, encoder: SentenceTransformer
) -> None:
    first, calls = asked(tmp_path, TEXTS[:2])
    assert calls == [(2, 2)]
    assert first == pytest.approx(encode(encoder, TEXTS[:2]), abs=1e-6)
    every, calls = asked(tmp_path, TEXTS)
    assert calls == [(1, 1)]
    assert every == pytest.approx(encode(encoder, TEXTS), abs=1e-6)
    again, calls = asked(tmp_path, TEXTS[::-1])
    assert calls == []
    assert (again == every[::-1]).all()


def test_a_model_whose_vectors_are_all_kept_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(tmp_path, TEXTS)

    def loaded(*_: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(module, "load_encoder", loaded)
    assert asked(tmp_path, TEXTS)[0].shape == (4, 384)
    with pytest.raises(AssertionError):
        asked(tmp_path, ["a new text"])


def test_a_text_as_query_is_another_text_than_as_document(tmp_path: Path) -> None:
    asked(tmp_path, TEXTS, "query")
    assert asked(tmp_path, TEXTS)[1] == [(3, 3)]


@pytest.mark.slow
def test_a_model_with_other_content_makes_its_own_vectors(tmp_path: Path, encoder: SentenceTransformer) -> None:
    kept = asked(tmp_path / "vectors", TEXTS)[0]
    other = load_encoder(EMBEDDED, device="cpu")
    for parameter in other.parameters():
        parameter.data.mul_(1.01)
    other.save(str(tmp_path / "other"))
    embedder = CachedEmbedder(tmp_path / "other", folder=tmp_path / "vectors")
    made = embedder.embed(TEXTS, "document")
    assert not np.allclose(made, kept, atol=1e-4)
    assert made == pytest.approx(encode(other, TEXTS), abs=1e-6)


def test_no_texts_give_no_rows(tmp_path: Path) -> None:
    assert asked(tmp_path, [])[0].shape == (0, 384)


def test_parts_that_were_kept_before_an_interrupt_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TEXTS_AT_ONCE", 1)
    calls = []

    def interrupted(done: int, total: int) -> None:
        calls.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CachedEmbedder(EMBEDDED, on_progress=interrupted, folder=tmp_path).embed(TEXTS, "document")
    assert calls == [(1, 3), (2, 3)]
    assert asked(tmp_path, TEXTS)[1] == [(1, 2), (2, 2)]


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    first = asked(tmp_path, TEXTS)[0]
    [path] = tmp_path.glob("*.sqlite")
    path.write_bytes(b"half of something else " * 100)
    assert (asked(tmp_path, TEXTS)[0] == first).all()
    assert asked(tmp_path, TEXTS)[1] == []


def test_where_nothing_can_be_kept_the_vectors_are_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    vectors, calls = asked(tmp_path / "file" / "vectors", TEXTS)
    assert vectors.shape == (4, 384)
    assert calls == [(3, 3)]


def test_the_models_that_were_asked_longest_ago_are_forgotten(tmp_path: Path) -> None:
    vector = {b"key": bytes(16)}
    for number in range(MOST_MODELS):
        KeptVectors(tmp_path, f"{number}").put(vector)
        os.utime(tmp_path / f"{number}.sqlite", (number, number))
    assert KeptVectors(tmp_path, "0").get([b"key"])  # and is now the newest
    KeptVectors(tmp_path, "one more").put(vector)
    assert {path.stem for path in tmp_path.glob("*.sqlite")} == {"0", "one more", *map(str, range(2, MOST_MODELS))}


def test_more_bytes_than_may_be_kept_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KeptVectors(tmp_path, "old").put({bytes([number]): bytes(4000) for number in range(50)})
    os.utime(tmp_path / "old.sqlite", (0, 0))
    monkeypatch.setattr(module, "MOST_BYTES", 100_000)
    KeptVectors(tmp_path, "new").put({b"key": bytes(16)})
    assert [path.stem for path in tmp_path.glob("*.sqlite")] == ["new"]


def test_one_pass_makes_and_keeps_both_kinds_of_vectors(tmp_path: Path, encoder: SentenceTransformer) -> None:
    calls: list[tuple[int, int]] = []
    embedder = CachedEmbedder(EMBEDDED, on_progress=lambda done, total: calls.append((done, total)), folder=tmp_path)
    tokens = embedder.embed_tokens(TEXTS, "document")
    assert calls == [(3, 3)]
    assert embedder.embed(TEXTS, "document") == pytest.approx(encode(encoder, TEXTS), abs=1e-5)
    expected = encode_with_tokens(encoder, TEXTS)[1]
    assert (tokens.ids == expected.ids).all() and (tokens.starts == expected.starts).all()
    assert tokens.vectors == pytest.approx(expected.vectors, abs=1e-3)
    assert len(calls) == 1


def test_token_vectors_are_kept_and_dense_ones_alone_keep_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(tmp_path, TEXTS)
    [path] = tmp_path.glob("*.sqlite")
    with closing(sqlite3.connect(path)) as connection:
        [(longest,)] = connection.execute("SELECT max(length(vector)) FROM vectors")
    assert longest == 4 * 384
    first = CachedEmbedder(EMBEDDED, folder=tmp_path).embed_tokens(TEXTS, "document")
    monkeypatch.setattr(module, "load_encoder", None)
    again = CachedEmbedder(EMBEDDED, folder=tmp_path).embed_tokens(TEXTS[::-1], "document")
    assert (again.take([3, 2, 1, 0]).vectors == first.vectors).all()


def test_where_nothing_can_be_kept_one_pass_still_makes_both(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    calls: list[tuple[int, int]] = []
    folder = tmp_path / "file" / "vectors"
    embedder = CachedEmbedder(EMBEDDED, on_progress=lambda done, total: calls.append((done, total)), folder=folder)
    embedder.embed_tokens(TEXTS, "document")
    assert embedder.embed(TEXTS, "document").shape == (4, 384)
    assert calls == [(3, 3)]


def test_many_token_vectors_are_mapped_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = CachedEmbedder(EMBEDDED, folder=tmp_path)
    whole = embedder.embed_tokens(TEXTS, "document")
    monkeypatch.setattr(module, "TEXTS_AT_ONCE", 1)
    monkeypatch.setattr(late, "BYTES_IN_MEMORY", whole.vectors.nbytes // 2)
    mapped = embedder.embed_tokens(TEXTS, "document")
    assert isinstance(mapped.vectors, np.memmap) and not isinstance(whole.vectors, np.memmap)
    assert (mapped.vectors == whole.vectors).all() and (mapped.starts == whole.starts).all()
    assert (late.late_scores(whole, mapped) == late.late_scores(whole, whole)).all()

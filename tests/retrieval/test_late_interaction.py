"""Late interaction: scores worked out by hand, and those of sentence-transformers on the real model."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import maxsim

from finetrieve.retrieval import late_interaction as late
from finetrieve.retrieval.base_model import EMBEDDED
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.encoder import encode, load_encoder
from finetrieve.retrieval.hybrid_index import SearchIndex, build_index
from finetrieve.retrieval.late_interaction import TokenIdf, TokenVectors, encode_with_tokens, joined, late_scores, token_shares

DOCUMENTS = [
    "Rotate the signing key in the admin console. The old key stays valid for one hour.",
    "Backups run every night and are kept for thirty days in a second region.",
    "Invite people by e-mail.",
    "",
]
QUERIES = ["how do I rotate a key", "invitation"]


def tokens_of(texts: list[list[list[float]]], ids: list[list[int]]) -> TokenVectors:
    """Returns token vectors from one list of vectors and one of ids per text."""
    vectors = np.array([vector for text in texts for vector in text], np.float16)
    starts = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    return TokenVectors(vectors, np.array([number for text in ids for number in text], np.int32), starts)


# Two chunks and two queries in a plane.
CHUNKS = tokens_of([[[1, 0], [0, 1]], [[0.6, 0.8]]], [[5, 7], [7]])
ASKED = tokens_of([[[1, 0], [0.6, 0.8]], [[0, -1]]], [[5, 7], [9]])


@pytest.fixture(scope="module")
def encoder() -> SentenceTransformer:
    return load_encoder(EMBEDDED, device="cpu")


def test_a_query_scores_by_the_mean_of_its_tokens_best_cosines() -> None:
    # first query, chunk 0: best 1 and .8; chunk 1: best .6 and 1. Second query: best of 0 and -1, and -.8.
    expected = np.array([[0.9, 0.8], [0.0, -0.8]])
    assert late_scores(ASKED, CHUNKS) == pytest.approx(expected, abs=1e-3)


def test_tokens_count_by_their_weights() -> None:
    weights = np.array([3, 1, 2], np.float32)
    assert token_shares(ASKED, weights).tolist() == [0.75, 0.25, 1.0]
    expected = np.array([[0.75 * 1 + 0.25 * 0.8, 0.75 * 0.6 + 0.25 * 1], [0.0, -0.8]])
    assert late_scores(ASKED, CHUNKS, weights) == pytest.approx(expected, abs=1e-3)


def test_a_rare_token_weighs_more_and_one_that_no_chunk_has_the_most() -> None:
    chunks = tokens_of([[[1, 0]] * 3, [[1, 0]]], [[5, 7, 7], [7]])  # token 7 is in both chunks, 5 in one
    expected = [math.log(1 + 1.5 / 1.5), math.log(1 + 0.5 / 2.5), math.log(1 + 2.5 / 0.5)]
    idf = TokenIdf(chunks)
    assert idf.weights(np.array([5, 7, 10_000], np.int32)) == pytest.approx(expected)
    assert idf.as_dict() == pytest.approx({5: expected[0], 7: expected[1]}, abs=1e-5)
    assert TokenIdf(joined([])).weights(np.array([3], np.int32)) == pytest.approx([math.log(2)])


def test_scores_are_those_of_sentence_transformers(encoder: SentenceTransformer) -> None:
    chunks, queries = (encode_with_tokens(encoder, texts)[1] for texts in (DOCUMENTS, QUERIES))

    def as_list(tokens: TokenVectors) -> list[torch.Tensor]:
        return [torch.from_numpy(tokens.part(row, row + 1).vectors.astype(np.float32)) for row in range(len(tokens))]

    expected = maxsim(as_list(queries), as_list(chunks), length_normalize=True).numpy()
    assert late_scores(queries, chunks) == pytest.approx(expected, abs=1e-5)
    assert expected.argmax(axis=1).tolist() == [0, 2]


def test_token_vectors_are_the_models_last_hidden_states(encoder: SentenceTransformer) -> None:
    dense, tokens = encode_with_tokens(encoder, DOCUMENTS, batch_size=2)
    assert dense == pytest.approx(encode(encoder, DOCUMENTS), abs=1e-5)
    [states] = encoder.encode(DOCUMENTS[:1], output_value="token_embeddings")
    expected = torch.nn.functional.normalize(states[1:-1], dim=-1).numpy()  # without [CLS] and [SEP]
    first = tokens.part(0, 1)
    assert first.vectors == pytest.approx(expected, abs=2e-3)
    assert encoder.tokenizer.convert_ids_to_tokens(first.ids.tolist())[:4] == ["rotate", "the", "signing", "key"]
    assert len(tokens) == 4 and (np.diff(tokens.starts) > 0).all()  # the empty text keeps its special tokens


def test_blocks_give_what_one_block_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    sizes = random.integers(1, 9, 40)
    vectors = random.normal(size=(int(sizes.sum()), 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = random.integers(0, 50, len(vectors)).astype(np.int32)
    chunks = TokenVectors(vectors.astype(np.float16), ids, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))
    whole, idf = late_scores(chunks, chunks), TokenIdf(chunks).as_dict()
    monkeypatch.setattr(late, "_TOKENS_AT_ONCE", 5)
    monkeypatch.setattr(late, "_QUERY_TOKENS_AT_ONCE", 11)
    assert late_scores(chunks, chunks) == pytest.approx(whole, abs=1e-6)
    assert TokenIdf(chunks).as_dict() == idf
    assert np.diagonal(whole) == pytest.approx(1, abs=2e-3)


def test_bfloat16_is_used_where_it_is_asked_for_and_left_as_it_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "bf16_is_fast", lambda _: True)
    setting = torch.backends.mkldnn.matmul
    before = setting.fp32_precision
    exact, fast = late_scores(ASKED, CHUNKS), late_scores(ASKED, CHUNKS, precision="auto")
    assert fast == pytest.approx(exact, abs=1e-2)
    assert setting.fp32_precision == before


def test_texts_are_taken_and_cut() -> None:
    taken = CHUNKS.take([1, 0, 1])
    assert taken.ids.tolist() == [7, 5, 7, 7] and taken.starts.tolist() == [0, 1, 3, 4]
    assert late_scores(ASKED, taken) == pytest.approx(late_scores(ASKED, CHUNKS)[:, [1, 0, 1]])
    assert CHUNKS.cut(1).vectors.tolist() == [[1], [0], [1]]
    assert len(CHUNKS.take([])) == 0 and late_scores(ASKED, CHUNKS.take([])).shape == (2, 0)


class Plane:
    """An embedder of the texts that are named, with vectors in a plane."""

    def __init__(self) -> None:
        self.n_passes = 0

    def embed(self, texts: list[str], role: str) -> np.ndarray:
        return np.array([[1, 0] if "a" in text else [0, 1] for text in texts], np.float32)

    def embed_tokens(self, texts: list[str], role: str) -> TokenVectors:
        self.n_passes += 1
        return CHUNKS if role == "document" else ASKED.part(0, len(texts))


def test_an_index_scores_in_three_ways_and_some_texts_alone() -> None:
    index = build_index(["a thing", "bolts"], Plane(), with_tokens=True)
    queries = index.prepare(["a bolts", "bolts"])
    parts = index.parts(queries)
    assert parts.dense.tolist() == [[1, 0], [0, 1]]
    assert (parts.lexical[:, 0] == 0).all() and (parts.lexical[:, 1] > 0).all()
    # "5" is in one chunk, "7" in both: weights ln 2 and ln 1.2
    share = math.log(2) / (math.log(2) + math.log(1.2))
    assert parts.late is not None
    assert parts.late[0] == pytest.approx([share + 0.8 * (1 - share), 0.6 * share + 1 - share], abs=1e-3)
    some = index.late_of(queries, np.array([[1], [0]]))
    assert some[:, 0] == pytest.approx([parts.late[0, 1], parts.late[1, 0]])
    assert index.parts(queries.part(1, 2)).late == pytest.approx(parts.late[1:])


def test_an_index_without_token_vectors_asks_for_none() -> None:
    model = Plane()
    index = build_index(["a thing", "bolts"], model)
    assert index.parts(index.prepare(["bolts"])).late is None and model.n_passes == 0
    with pytest.raises(ValueError, match="without token vectors"):
        index.late(index.prepare(["bolts"]))
    assert isinstance(SearchIndex(Bm25(["a"]), model, np.ones((1, 2), np.float32)), SearchIndex)

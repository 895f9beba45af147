"""The ranking loss against numbers worked out by hand and against sentence-transformers' own."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from finetrieve.training.contrast import SYMMETRIC, Contrast
from finetrieve.training.losses import LOSSES, LossPlan, build_loss, trained_dims
from finetrieve.training.ranking_loss import CachedRankingLoss, RankingLoss, distinct_chunks
from finetrieve.training.settings import TrainingSettings

GTE = Contrast(("query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"))

QUERIES = ["how do I rotate a key", "where are backups kept", "can I invite people by mail", "key rotation"]
CHUNKS = [
    "Rotate the key in the console.",
    "Backups are kept in a second region.",
    "Invite people.",
    "Rotate the key in the console.",
]


@pytest.fixture
def model(tiny_model: Path) -> SentenceTransformer:
    return SentenceTransformer(str(tiny_model), device="cpu")


def features(model: SentenceTransformer, rows: list[int]) -> list[dict[str, torch.Tensor]]:
    return [model.preprocess([QUERIES[row] for row in rows]), model.preprocess([CHUNKS[row] for row in rows])]


def gradients(model: SentenceTransformer, loss: torch.Tensor) -> list[torch.Tensor]:
    model.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    return [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]


def test_the_loss_is_the_softmax_worked_out_by_hand(model: SentenceTransformer) -> None:
    # Cosines of query 0 with the two chunks: 1 and 0; of query 1: 0.6 and 0.8; its own chunk is the second.
    queries, chunks = torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    value = RankingLoss(model, scale=2.0, mini_batch_size=8).calculate_loss([[queries], [chunks]], torch.tensor([[0, 1], [0, 0]]))
    by_hand = (math.log(math.exp(2) + 1) - 2 + math.log(math.exp(1.2) + math.exp(1.6)) - 1.6) / 2
    assert float(value) == pytest.approx(by_hand, abs=1e-6)


def test_a_chunk_is_told_from_its_own_negative_and_from_no_other(model: SentenceTransformer) -> None:
    # As above; query 0 has a negative whose cosine with its chunk is 0.6, query 1 has none.
    queries, chunks = torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    negatives = torch.tensor([[0.6, 0.8], [0.6, 0.8]])
    labels = torch.tensor([[0, 1], [1, 0]])
    to_chunk = (math.log(math.exp(2) + 1) - 2 + math.log(math.exp(1.2) + math.exp(1.6)) - 1.6) / 2
    to_query = (math.log(math.exp(2) + math.exp(1.2)) - 2 + 0) / 2
    value = RankingLoss(model, 2.0, 8).calculate_loss([[queries], [chunks], [negatives]], labels)
    assert float(value) == pytest.approx((to_chunk + to_query) / 2, abs=1e-6)

    # In both directions the other queries of the batch count as well.
    to_query = math.log(math.exp(2) + math.exp(1.2) + math.exp(1.2)) - 2 + math.log(math.exp(1.6) + math.exp(0)) - 1.6
    value = RankingLoss(model, 2.0, 8, SYMMETRIC).calculate_loss([[queries], [chunks], [negatives]], labels)
    assert float(value) == pytest.approx((to_chunk + to_query / 2) / 2, abs=1e-6)


def test_a_row_without_a_negative_has_its_own_query_in_the_place(model: SentenceTransformer) -> None:
    batch, again = features(model, [0, 1]), features(model, [0, 1])
    own = model.preprocess([QUERIES[0], QUERIES[1]])
    assert RankingLoss(model, 20.0, 8)([*batch, own]).item() == pytest.approx(_halved(model, again), abs=1e-5)
    other = model.preprocess(["a longer text that has nothing to do with keys", QUERIES[1]])
    assert RankingLoss(model, 20.0, 8)([*features(model, [0, 1]), other]).item() > _halved(model, features(model, [0, 1]))


def _halved(model: SentenceTransformer, batch: list[dict[str, torch.Tensor]]) -> float:
    """The other direction has half the weight, and nothing to lose without negatives."""
    return RankingLoss(model, 20.0, 8)(batch).item() / 2


def test_without_repeated_chunks_it_is_sentence_transformers_loss(model: SentenceTransformer) -> None:
    ours, theirs = RankingLoss(model, 20.0, 2), MultipleNegativesRankingLoss(model, scale=20.0)
    batch = [features(model, [0, 1, 2]) for _ in range(2)]
    assert ours(batch[0]).item() == pytest.approx(theirs(batch[1], None).item(), abs=1e-4)


@pytest.mark.parametrize(
    "contrast",
    [
        GTE,
        SYMMETRIC,
        Contrast(("query_to_doc", "doc_to_query")),
        Contrast(hardness_mode="in_batch_negatives", hardness_strength=9.0),
        replace(GTE, hardness_mode="all_negatives", hardness_strength=5.0),
        replace(SYMMETRIC, hardness_mode="in_batch_negatives", hardness_strength=9.0),
    ],
)
def test_directions_and_hardness_are_those_of_sentence_transformers(model: SentenceTransformer, contrast: Contrast) -> None:
    model.eval()
    options: dict[str, Any] = vars(contrast)
    theirs = MultipleNegativesRankingLoss(model, scale=20.0, **options)
    value = RankingLoss(model, 20.0, 2, contrast)(features(model, [0, 1, 2]))
    assert value.item() == pytest.approx(theirs(features(model, [0, 1, 2]), None).item(), abs=1e-4)
    expected = gradients(model, theirs(features(model, [0, 1, 2]), None))
    for left, right in zip(
        gradients(model, RankingLoss(model, 20.0, 8, contrast)(features(model, [0, 1, 2]))), expected, strict=True
    ):
        torch.testing.assert_close(left, right, atol=1e-4, rtol=1e-3)


def test_another_query_of_a_chunk_is_no_negative_in_any_direction(model: SentenceTransformer) -> None:
    queries = torch.tensor(model.encode([QUERIES[row] for row in (0, 1, 3)]))  # the first and the third ask for one chunk
    chunks = torch.tensor(model.encode(CHUNKS[:2]))
    far = torch.tensor(-torch.inf)
    to_chunks, among_queries, among_chunks = queries @ chunks.T * 20, queries @ queries.T * 20, chunks @ chunks.T * 20
    rows = [
        torch.stack([*to_chunks[0], among_queries[0, 1], to_chunks[0, 0], to_chunks[1, 0], among_chunks[0, 1], far]),
        torch.stack([*to_chunks[1], *among_queries[1, [0, 2]], *to_chunks[:, 1], among_chunks[1, 0]]),
        torch.stack([*to_chunks[2], among_queries[2, 1], to_chunks[2, 0], to_chunks[1, 0], among_chunks[0, 1], far]),
    ]
    own = [to_chunks[0, 0], to_chunks[1, 1], to_chunks[2, 0]]
    by_hand = sum(row.logsumexp(0).item() - right.item() for row, right in zip(rows, own, strict=True)) / 3
    model.eval()
    assert RankingLoss(model, 20.0, 8, GTE)(features(model, [0, 1, 3])).item() == pytest.approx(by_hand, abs=1e-4)


def test_hard_negatives_are_the_written_ones_and_raised_by_their_cosine(model: SentenceTransformer) -> None:
    # As above: cosines 1 and 0, 0.6 and 0.8; the first query's negative has 0.6 with its chunk.
    queries, chunks = torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    negatives, labels = torch.tensor([[0.6, 0.8], [0.6, 0.8]]), torch.tensor([[0, 1], [1, 0]])

    def value(mode: Any) -> float:
        loss = RankingLoss(model, 2.0, 8, Contrast(hardness_mode=mode, hardness_strength=5.0))
        return float(loss.calculate_loss([[queries], [chunks], [negatives]], labels))

    def by_hand(other_chunk: float, negative: float) -> float:
        to_chunk = math.log(math.exp(2) + 1) - 2 + math.log(math.exp(1.2 + other_chunk) + math.exp(1.6)) - 1.6
        return (to_chunk + math.log(math.exp(2) + math.exp(1.2 + negative)) - 2) / 4

    assert value("hard_negatives") == pytest.approx(by_hand(0, 5 * 0.6), abs=1e-6)
    assert value("in_batch_negatives") == pytest.approx(by_hand(5 * 0.6, 0), abs=1e-6)
    assert value("all_negatives") == pytest.approx(by_hand(5 * 0.6, 5 * 0.6), abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"directions": ["query_to_doc", "doc_to_doc"]}, r"not for the loss 'joint'.*losses: cached_mnrl, mnrl\."),
        ({"loss": "cached_symmetric", "partition_mode": "per_direction"}, "not for the loss 'cached_symmetric'"),
        ({"loss": "cached_gist", "hardness": {"mode": "all_negatives"}}, r"cached_gist'.*cached_mnrl, cached_symmetric, mnrl\."),
        ({"loss": "mnrl", "directions": ["doc_to_query"]}, "expected query_to_doc"),
        ({"loss": "mnrl", "directions": ["query_to_doc", "query_to_doc"]}, "once each"),
        (
            {"loss": "mnrl", "directions": ["query_to_doc", "doc_to_doc"], "partition_mode": "per_direction"},
            "Choose partition_mode joint",
        ),
    ],
)
def test_what_a_loss_cannot_do_is_one_clear_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingSettings.model_validate(settings)


@pytest.mark.parametrize("loss", ["mnrl", "cached_mnrl"])
def test_directions_and_hardness_reach_the_loss(model: SentenceTransformer, loss: str) -> None:
    wanted = TrainingSettings.model_validate(
        {"loss": loss, "directions": list(GTE.directions), "hardness": {"mode": "all_negatives", "strength": 3}}
    )
    assert wanted.contrast == replace(GTE, hardness_mode="all_negatives", hardness_strength=3.0)
    built = build_loss(loss, model, LossPlan(20.0, 2, "", contrast=wanted.contrast), [])
    assert getattr(built, "contrast") == wanted.contrast  # noqa: B009 (torch's type knows tensors and modules alone)
    symmetric = build_loss("cached_symmetric", model, LossPlan(20.0, 2, "", contrast=Contrast(hardness_strength=3.0)), [])
    assert getattr(symmetric, "contrast") == replace(SYMMETRIC, hardness_strength=3.0)  # noqa: B009


def test_a_repeated_chunk_is_no_negative_of_its_own_query(model: SentenceTransformer) -> None:
    queries = model.encode([QUERIES[row] for row in (0, 1, 3)])  # (3, dim), unit length
    chunks = model.encode(CHUNKS[:2])  # (2, dim): the third row's chunk is the first row's
    scores = torch.tensor(queries @ chunks.T * 20.0)
    by_hand = torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1, 0]))
    assert RankingLoss(model, 20.0, 8)(features(model, [0, 1, 3])).item() == pytest.approx(by_hand.item(), abs=1e-4)
    assert len(distinct_chunks(*features(model, [0, 1, 3]))[1]["input_ids"]) == 2


def test_every_query_keeps_its_chunk_when_rows_are_sorted_and_merged(model: SentenceTransformer) -> None:
    queries, chunks, targets, order = distinct_chunks(*features(model, [3, 2, 1, 0]))
    assert sorted(order.tolist()) == [0, 1, 2, 3]
    decode = model.tokenizer.batch_decode
    asked = decode(queries["input_ids"], skip_special_tokens=True)
    found = decode(chunks["input_ids"][targets], skip_special_tokens=True)
    expected = {query.lower(): chunk.lower().replace(".", " .") for query, chunk in zip(QUERIES, CHUNKS, strict=True)}
    assert {query: chunk.replace(".", " .").replace("  ", " ") for query, chunk in zip(asked, found, strict=True)} == expected


@pytest.mark.parametrize(
    "contrast", [Contrast(), SYMMETRIC, GTE, replace(GTE, hardness_mode="all_negatives", hardness_strength=5.0)]
)
@pytest.mark.parametrize("mini_batch_size", [1, 3, 8])
def test_cached_gradients_are_those_of_the_whole_batch(
    model: SentenceTransformer, mini_batch_size: int, contrast: Contrast
) -> None:
    model.eval()  # no dropout: both see the same network
    plain = gradients(model, RankingLoss(model, 20.0, 8, contrast)(features(model, [0, 1, 2, 3])))
    cached = gradients(model, CachedRankingLoss(model, 20.0, mini_batch_size, contrast)(features(model, [0, 1, 2, 3])))
    for left, right in zip(plain, cached, strict=True):
        torch.testing.assert_close(left, right, atol=1e-4, rtol=1e-3)


def test_cached_gradients_with_negatives_are_those_of_the_whole_batch(model: SentenceTransformer) -> None:
    model.eval()
    others = ["where are keys sold", QUERIES[1], "who invited me", "what is a key signature in music"]
    batches = [[*features(model, [0, 1, 2, 3]), model.preprocess(others)] for _ in range(2)]
    plain = gradients(model, RankingLoss(model, 20.0, 8)(batches[0]))
    for left, right in zip(plain, gradients(model, CachedRankingLoss(model, 20.0, 3)(batches[1])), strict=True):
        torch.testing.assert_close(left, right, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", sorted(LOSSES.names()))
def test_every_loss_trains_under_matryoshka(model: SentenceTransformer, tiny_model: Path, name: str) -> None:
    loss = build_loss(name, model, LossPlan(20.0, 2, str(tiny_model)), [8, 4, 999])
    value = loss(features(model, [0, 1, 2]), None)
    assert all(torch.isfinite(gradient).all() for gradient in gradients(model, value))
    assert value.item() > 0


def test_the_full_length_is_always_trained_and_longer_ones_never() -> None:
    assert trained_dims([384, 256, 64], 128) == [128, 64]
    assert trained_dims([], 128) == [128]

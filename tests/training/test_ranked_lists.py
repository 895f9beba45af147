"""Lists whose order is known: their divergence against numbers worked out by hand, and what training on them does."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer

from finetrieve.core.rows import Chunk, RankedChunk
from finetrieve.training.joint_loss import JointLoss, JointPlan
from finetrieve.training.ranked_lists import RankedTexts, arrange_lists, list_divergence, ranked_texts
from finetrieve.training.settings import TrainingSettings
from finetrieve.training.train import lists_note

QUERIES = ["how do I rotate a key", "where are backups kept"]
CHUNKS = ["Rotate the key in the console.", "Backups are kept in a second region."]
LISTS = (RankedTexts("key rotation", (CHUNKS[0], "Invite people by mail.", "Volume"), (0.1, 0.2, 0.7)),)
PLAIN = {"keep_base": 0.0, "distil": 0.0, "lay_weight": 0.0}


def test_the_divergence_is_over_a_querys_own_list() -> None:
    scores = torch.tensor([[1.0, 0.0, 9.0], [0.0, 0.0, 0.0]])
    shares, listed = torch.tensor([[0.75, 0.25, 0.0], [0.0, 1.0, 0.0]]), torch.tensor([[1, 1, 0], [0, 1, 1]]).bool()
    softmax = math.e / (math.e + 1)
    first = 0.75 * math.log(0.75 / softmax) + 0.25 * math.log(0.25 / (1 - softmax))
    assert list_divergence(scores, shares, listed).item() == pytest.approx((first + math.log(2)) / 2, rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "per_step", "why"),
    [
        ("joint", 8, ""),
        ("joint", 0, "training.ranking_lists is 0"),
        ("cached_mnrl", 8, "the loss 'cached_mnrl' has no part for it"),
    ],
)
def test_a_training_that_leaves_the_order_of_lists_out_says_so(loss: str, per_step: int, why: str) -> None:
    lists = [RankedChunk(query, f"c{row}", 0.5, "log", "clicks") for query in ("a", "b") for row in range(2)]
    note = lists_note(TrainingSettings(loss=loss, ranking_lists=per_step), lists)
    assert bool(note) == bool(why) and why in note and (not why or "of 2 queries" in note)
    assert lists_note(TrainingSettings(loss=loss), []) == ""


def test_a_text_of_two_lists_is_encoded_once() -> None:
    second = RankedTexts("mail", ("Invite people by mail.",), (1.0,))
    texts, shares, listed = arrange_lists([*LISTS, second])
    assert sorted(texts) == sorted(LISTS[0].texts) and shares.shape == (2, 3)
    assert shares.sum(dim=1).tolist() == pytest.approx([1.0, 1.0]) and listed.sum(dim=1).tolist() == [3, 1]


def test_rows_become_the_lists_of_their_queries_with_the_text_that_is_embedded() -> None:
    chunk = Chunk("c", "d", "d", "Keys", "Rotation", "Press.", 1, 0)
    rows = [RankedChunk("q", "c", 1.0, "a", "labels"), RankedChunk("q", "c", 1.0, "b", "labels")]
    assert ranked_texts(rows, [chunk]) == (RankedTexts("q", ("Keys > Rotation\nPress.",), (1.0,)),) * 2


@pytest.mark.slow
@pytest.mark.parametrize("cached", [False, True])
def test_training_moves_the_scores_towards_the_lists(tiny_model: Path, cached: bool) -> None:
    model = SentenceTransformer(str(tiny_model), device="cpu")
    loss = JointLoss(model, JointPlan(**PLAIN, lists=LISTS, list_weight=5.0, mini_batch_size=2, cached=cached))
    alone = JointLoss(model, JointPlan(**PLAIN, mini_batch_size=2, cached=cached))
    features = [model.preprocess(QUERIES), model.preprocess(CHUNKS)]
    with torch.no_grad():
        assert loss(features).item() > alone(features).item()

    def order() -> list[int]:
        vectors = model.encode([LISTS[0].query, *LISTS[0].texts], normalize_embeddings=True)
        return sorted(range(3), key=lambda row: float(vectors[0] @ vectors[1 + row]))

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        value = loss(features)
        value.backward()
        optimizer.step()
    assert order() == [0, 1, 2]

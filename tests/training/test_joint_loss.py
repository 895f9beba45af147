"""The joint loss against numbers worked out by hand, against sentence-transformers' MaxSim, and with cached gradients."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.util.similarity import maxsim

from finetrieve.retrieval.multi_vector import chunk_tokens
from finetrieve.retrieval.vector_cache import CachedEmbedder
from finetrieve.training.frozen_scorer import SearchedChunks
from finetrieve.training.joint_loss import JointLoss, JointPlan
from finetrieve.training.losses import LossPlan, build_loss
from finetrieve.training.packed_texts import divergence, encode_packed, late_similarities, similarities

QUERIES = ["how do I rotate a key", "where are backups kept", "can I invite people by mail"]
CHUNKS = ["Rotate the key in the console.", "Backups are kept in a second region.", "Invite people by mail or link."]
LAY = (("phone is dead", "Charging\nPlug the cable in."), ("too loud", "Volume\nPress the lower key."))
PLAIN = {"keep_base": 0.0, "distil": 0.0, "lay_weight": 0.0}


@pytest.fixture
def model(tiny_model: Path) -> SentenceTransformer:
    return SentenceTransformer(str(tiny_model), device="cpu")


@pytest.fixture
def other(tiny_model: Path) -> SentenceTransformer:
    """Returns a model with other weights."""
    found = SentenceTransformer(str(tiny_model), device="cpu")
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in found.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return found


def batch(model: SentenceTransformer, rows: list[int]) -> list[dict[str, torch.Tensor]]:
    return [model.preprocess([QUERIES[row] for row in rows]), model.preprocess([CHUNKS[row] for row in rows])]


def text_of(dense: list[float], *tokens: list[float]) -> torch.Tensor:
    return torch.tensor([dense, *tokens], dtype=torch.float32)


def test_late_scores_are_the_weighted_mean_of_the_best_cosines() -> None:
    # One query with two tokens of weights 0.75 and 0.25; the first chunk has one token, the second two.
    queries = text_of([1, 0], [1, 0], [0, 1])[None]
    chunks = torch.stack([text_of([1, 0], [0.6, 0.8], [0, 0]), text_of([0, 1], [0, 1], [0.8, -0.6])])
    late = late_similarities(queries, chunks, torch.tensor([[0.75, 0.25]]))
    assert late[0].tolist() == pytest.approx([0.75 * 0.6 + 0.25 * 0.8, 0.75 * 0.8 + 0.25 * 1.0])


def test_padding_is_never_the_best_match() -> None:
    queries = text_of([1, 0], [1, 0])[None]
    opposite = text_of([1, 0], [-1, 0], [0, 0])[None]  # the zeros would score 0, more than -1
    assert late_similarities(queries, opposite, torch.tensor([[1.0]])).item() == pytest.approx(-1)


def test_with_equal_weights_it_is_sentence_transformers_mean_maxsim(model: SentenceTransformer) -> None:
    special = model.tokenizer.all_special_ids
    queries, chunks = (encode_packed(model, part, special) for part in batch(model, [0, 1, 2]))
    lists = [[text[1:][text[1:].abs().sum(dim=1) > 0] for text in part] for part in (queries, chunks)]
    weights = (queries[:, 1:].abs().sum(dim=2) > 0).float()
    weights = weights / weights.sum(dim=1, keepdim=True)
    ours = similarities(queries, chunks, weights)[1]
    torch.testing.assert_close(ours, maxsim(lists[0], lists[1], length_normalize=True), atol=1e-5, rtol=1e-4)


def test_the_loss_is_the_sum_of_both_cross_entropies(model: SentenceTransformer) -> None:
    features = batch(model, [0, 1])
    special = model.tokenizer.all_special_ids
    queries, chunks = (encode_packed(model, part, special) for part in batch(model, [0, 1]))
    weights = (queries[:, 1:].abs().sum(dim=2) > 0).float()
    dense, late = (part.detach() for part in similarities(queries, chunks, weights / weights.sum(dim=1, keepdim=True)))
    by_hand = sum(
        math.log(sum(math.exp(scale * float(score)) for score in row)) - scale * float(row[number])
        for scores, scale in ((dense, 20), (late, 40))
        for number, row in enumerate(scores)
    )
    loss = JointLoss(model, JointPlan(**PLAIN))
    assert loss(features).item() == pytest.approx(by_hand / 2, abs=1e-4)


def test_a_divergence_is_zero_for_equal_scores_and_worked_out_by_hand_for_others() -> None:
    scores = torch.tensor([[0.0, 1.0], [2.0, 0.0]])
    assert divergence(scores, scores).item() == pytest.approx(0, abs=1e-7)
    one = torch.tensor([[0.0, 0.0]])  # evenly, against 3/4 and 1/4
    teacher = torch.tensor([[math.log(3.0), 0.0]])
    assert divergence(one, teacher).item() == pytest.approx(0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5))


def test_keeping_the_base_costs_nothing_at_the_start_and_something_after_a_change(
    model: SentenceTransformer, other: SentenceTransformer
) -> None:
    plain = JointLoss(model, JointPlan(**PLAIN))(batch(model, [0, 1, 2])).item()
    kept = JointPlan(**{**PLAIN, "keep_base": 1.0})
    # What is kept of the base model is stored in bfloat16.
    assert JointLoss(model, kept, base=model)(batch(model, [0, 1, 2])).item() == pytest.approx(plain, abs=2e-2)
    assert JointLoss(model, kept, base=other)(batch(model, [0, 1, 2])).item() > plain + 0.05


def test_a_frozen_model_answers_the_same_for_a_text_that_it_has_seen(
    model: SentenceTransformer, other: SentenceTransformer
) -> None:
    loss = JointLoss(model, JointPlan(**{**PLAIN, "keep_base": 1.0}), base=other)
    first = loss(batch(model, [0, 1, 2])).item()
    calls = 0

    def counted(*args: Any) -> None:
        nonlocal calls
        calls += 1

    hook = other.register_forward_pre_hook(counted)
    assert loss(batch(model, [0, 1, 2])).item() == pytest.approx(first, abs=1e-4)
    hook.remove()
    assert calls == 0


def searched_chunks(embedder: CachedEmbedder, model: SentenceTransformer) -> SearchedChunks:
    read = dict(zip(CHUNKS, chunk_tokens(model, CHUNKS), strict=True))
    return SearchedChunks(embedder, read, model.tokenizer.all_special_ids)


def test_what_search_has_kept_of_the_chunks_is_not_made_again(
    model: SentenceTransformer, other: SentenceTransformer, tmp_path: Path
) -> None:
    other.save(str(tmp_path / "base"))
    embedder = CachedEmbedder(tmp_path / "base", folder=tmp_path / "vectors")
    plan = JointPlan(**{**PLAIN, "keep_base": 1.0})
    anew = JointLoss(model, plan, base=other)(batch(model, [0, 1, 2])).item()

    embedder.embed_tokens(CHUNKS[:2], "document")
    read: list[int] = []
    hook = other.register_forward_pre_hook(lambda _module, given: read.append(len(given[0]["input_ids"])))
    loss = JointLoss(model, plan, base=other, searched=searched_chunks(embedder, model))
    assert loss(batch(model, [0, 1, 2])).item() == pytest.approx(anew, abs=2e-2)
    hook.remove()
    assert read == [3, 1]  # the queries, and the chunk that nobody has searched


def test_what_search_has_kept_of_another_text_is_not_taken(model: SentenceTransformer, tiny_model: Path, tmp_path: Path) -> None:
    embedder = CachedEmbedder(tiny_model, folder=tmp_path)
    embedder.embed_tokens(CHUNKS, "document")
    [whole, *_] = model.preprocess(CHUNKS[:1])["input_ids"].numpy()
    assert list(searched_chunks(embedder, model).packed([whole.tobytes()]))
    model.max_seq_length = len(whole) - 2
    [cut, *_] = model.preprocess(CHUNKS[:1])["input_ids"].numpy()
    assert searched_chunks(embedder, model).packed([cut.tobytes(), whole.tobytes()]) == {}


def test_the_step_s_own_late_scores_teach_the_vector_and_are_not_moved_by_it(model: SentenceTransformer) -> None:
    """With late interaction weighing nothing but a teacher's part, only the dense vector would get a gradient from it."""
    dense = torch.tensor([[0.9, 0.1]], requires_grad=True)
    late = torch.tensor([[0.2, 0.8]], requires_grad=True)
    divergence(dense * 20, late.detach() * 40).backward()  # type: ignore[no-untyped-call]
    assert dense.grad is not None and late.grad is None
    assert dense.grad[0, 0] > 0 > dense.grad[0, 1]  # towards the chunk that the late scores prefer
    with_teacher = JointLoss(model, JointPlan(**{**PLAIN, "distil": 1.0}))(batch(model, [0, 1, 2])).item()
    assert with_teacher > JointLoss(model, JointPlan(**PLAIN))(batch(model, [0, 1, 2])).item()


def test_a_teacher_of_one_s_own_takes_the_place_of_the_step_s_scores(
    model: SentenceTransformer, other: SentenceTransformer
) -> None:
    plan = JointPlan(**{**PLAIN, "distil": 1.0})
    own = JointLoss(model, plan)(batch(model, [0, 1, 2])).item()
    assert JointLoss(model, plan, teacher=other)(batch(model, [0, 1, 2])).item() != pytest.approx(own, abs=1e-3)


def test_lay_questions_are_drawn_alike_for_the_same_batch_and_seed(model: SentenceTransformer) -> None:
    plan = JointPlan(**{**PLAIN, "lay_weight": 1.0}, n_lay=1, lay_pairs=LAY)
    values = {JointLoss(model, plan, seed=3)(batch(model, [0, 1])).item() for _ in range(3)}
    assert len(values) == 1
    plain = JointLoss(model, JointPlan(**PLAIN))(batch(model, [0, 1])).item()
    both = JointLoss(model, JointPlan(**{**PLAIN, "lay_weight": 1.0}, n_lay=2, lay_pairs=LAY), seed=3)(
        batch(model, [0, 1])
    ).item()
    assert both > plain


def test_cached_gradients_are_the_gradients(model: SentenceTransformer, other: SentenceTransformer) -> None:
    settings = {
        "keep_base": 1.0,
        "distil": 1.0,
        "lay_weight": 1.0,
        "n_lay": 2,
        "lay_pairs": LAY,
        "dims": (8,),
        "token_dims": (8,),
    }
    negatives = model.preprocess(["where is the key", "how do I delete backups", "is there a printer"])
    found = []
    for cached in (False, True):
        model.zero_grad()
        plan = JointPlan(**settings, cached=cached, mini_batch_size=2)  # type: ignore[arg-type]
        loss = JointLoss(model, plan, base=other, seed=5)([*batch(model, [0, 1, 2]), dict(negatives)])
        loss.backward()  # type: ignore[no-untyped-call]
        found.append((loss.item(), [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]))
    assert found[0][0] == pytest.approx(found[1][0], abs=1e-4)
    for plain, cached_gradient in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(plain, cached_gradient, atol=1e-4, rtol=1e-3)


def test_rare_tokens_count_more(model: SentenceTransformer) -> None:
    weights = torch.ones(len(model.tokenizer))
    key = model.tokenizer.convert_tokens_to_ids("key")
    weights[key] = 50.0
    loss = JointLoss(model, JointPlan(**PLAIN), token_weights=weights)
    features = model.preprocess([QUERIES[0]])
    shares = loss._weights_of(features)[0]
    assert shares.sum().item() == pytest.approx(1)
    assert shares[features["input_ids"][0] == key].item() > 0.8


def test_a_cross_encoder_as_the_teacher_scores_no_step_and_leaves_it_to_the_late_scores(
    model: SentenceTransformer, tmp_path: Path
) -> None:
    from transformers import BertConfig, BertForSequenceClassification

    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "num_labels": 1}
    BertForSequenceClassification(BertConfig(**shape)).save_pretrained(str(tmp_path / "cross"))
    model.tokenizer.save_pretrained(str(tmp_path / "cross"))
    plan = LossPlan(20.0, 8, str(tmp_path), JointPlan(**PLAIN | {"distil": 1.0}), teacher=str(tmp_path / "cross"))
    own = JointLoss(model, JointPlan(**PLAIN | {"distil": 1.0}))(batch(model, [0, 1, 2])).item()
    assert build_loss("joint", model, plan, [])(batch(model, [0, 1, 2])).item() == pytest.approx(own, abs=1e-4)


def test_in_the_last_steps_the_vector_learns_from_the_teacher_alone(model: SentenceTransformer) -> None:
    features = batch(model, [0, 1, 2])
    special = model.tokenizer.all_special_ids
    queries, chunks = (encode_packed(model, part, special) for part in batch(model, [0, 1, 2]))
    weights = (queries[:, 1:].abs().sum(dim=2) > 0).float()
    dense, late = similarities(queries, chunks, weights / weights.sum(dim=1, keepdim=True))
    cross_entropy = torch.nn.functional.cross_entropy(late * 40, torch.arange(3)).item()
    from_teacher = divergence(dense * 20, late * 40).item()
    loss = JointLoss(model, JointPlan(**{**PLAIN, "distil": 1.5}, distil_alone_from=4))
    loss.step = 3
    usual = torch.nn.functional.cross_entropy(dense * 20, torch.arange(3)).item() + cross_entropy + 1.5 * from_teacher
    assert loss(features).item() == pytest.approx(usual, abs=1e-4)
    loss.step = 4
    assert loss(features).item() == pytest.approx(cross_entropy + 2 * 1.5 * from_teacher, abs=1e-4)


def test_without_a_teacher_no_step_leaves_the_labels_out(model: SentenceTransformer) -> None:
    for plan in ({**PLAIN}, {**PLAIN, "distil": 1.0, "late_weight": 0.0}):
        loss = JointLoss(model, JointPlan(**plan, distil_alone_from=0))  # type: ignore[arg-type]
        usual = JointLoss(model, JointPlan(**plan))  # type: ignore[arg-type]
        assert loss(batch(model, [0, 1, 2])).item() == pytest.approx(usual(batch(model, [0, 1, 2])).item(), abs=1e-5)

"""A cross-encoder as the teacher: which lists it orders, that it scores none twice, and that the model learns its order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from test_train import corpus, settings
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from finetrieve.core.corpus import Corpus
from finetrieve.core.rows import Pair, RankedChunk, embedded_text
from finetrieve.own_data.teacher import Teacher
from finetrieve.retrieval.base_model import EMBEDDED, resolve_base_model
from finetrieve.training.ranked_lists import arrange_lists, list_divergence, ranked_texts
from finetrieve.training.teacher_lists import PAIRS_AT_ONCE, teacher_lists, teacher_scores
from finetrieve.training.train import TrainingResult, train_model

PAIRS, CHUNKS = corpus()
TRAINED = [pair for pair in PAIRS if pair.split == "train"]


def save_cross_encoder(folder: Path, seed: int = 0, n_labels: int = 1) -> Path:
    """Returns a cross-encoder of one small layer, with weights so large that it prefers some texts clearly."""
    tokenizer = AutoTokenizer.from_pretrained(str(resolve_base_model(EMBEDDED)))
    torch.manual_seed(seed)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = BertForSequenceClassification(BertConfig(vocab_size=len(tokenizer), num_labels=n_labels, **shape))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(20.0) if weight.ndim == 2 else None
        model.classifier.weight.mul_(6.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_cross_encoder(tmp_path_factory.mktemp("cross"))


def lists_of(tiny_model: Path, teacher: Path, most: int = 10_000, **changed: Any) -> dict[str, list[RankedChunk]]:
    wanted = settings(teacher=str(teacher), **changed)
    found: dict[str, list[RankedChunk]] = {}
    for row in teacher_lists(TRAINED, CHUNKS, wanted, str(tiny_model), most, seed=3):
        found.setdefault(row.query, []).append(row)
    return found


def test_a_list_has_the_querys_own_chunk_and_the_nearest_others_with_the_softmax_of_the_scores(
    tiny_model: Path, cross_encoder: Path
) -> None:
    found = lists_of(tiny_model, cross_encoder, teacher_chunks=3)
    assert set(found) == {pair.query for pair in TRAINED}
    pair, texts = TRAINED[5], {chunk.id: embedded_text(chunk) for chunk in CHUNKS}
    rows = found[pair.query]
    _, scores = next(Teacher(Corpus.from_rows(CHUNKS), str(tiny_model)).scores([pair.query]))
    nearest = [CHUNKS[row].id for row in np.argsort(-scores[0], kind="stable")]
    assert [row.chunk_id for row in rows] == [pair.chunk_id, *(name for name in nearest if name != pair.chunk_id)][:4]
    read, teacher = [(pair.query, texts[row.chunk_id]) for row in rows], CrossEncoder(str(cross_encoder))
    logits = torch.tensor(teacher.predict(read, activation_fn=torch.nn.Identity()))
    assert [row.target for row in rows] == pytest.approx(torch.softmax(logits, 0).tolist(), abs=1e-4)
    squeezed = torch.tensor(teacher.predict(read))  # into 0..1, where all texts would be nearly alike
    assert [row.target for row in rows] != pytest.approx(torch.softmax(squeezed, 0).tolist(), abs=1e-2)


def test_all_chunks_of_a_query_are_in_its_list_and_no_text_twice(tiny_model: Path, cross_encoder: Path) -> None:
    twin = replace(CHUNKS[0], id="twin")
    asked = [Pair("how do I rotate a key", chunk_id, "train", "generated", "") for chunk_id in (CHUNKS[0].id, CHUNKS[1].id)]
    wanted = settings(teacher=str(cross_encoder), teacher_chunks=100)
    rows = teacher_lists(asked, [*CHUNKS, twin], wanted, str(tiny_model), 10, seed=3)
    assert [row.chunk_id for row in rows[:2]] == [CHUNKS[0].id, CHUNKS[1].id]
    assert len(rows) == len(CHUNKS) and "twin" not in [row.chunk_id for row in rows]
    assert sum(row.target for row in rows) == pytest.approx(1)


def test_no_more_queries_are_scored_than_the_steps_can_learn(tiny_model: Path, cross_encoder: Path) -> None:
    few = lists_of(tiny_model, cross_encoder, most=7)
    assert len(few) == 7 and few == lists_of(tiny_model, cross_encoder, most=7)


def test_what_was_scored_before_a_kill_is_not_scored_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = str(save_cross_encoder(tmp_path / "cross", seed=7))
    pairs = [(f"how do I clean pump {number}", f"pump {number} is cleaned with water") for number in range(PAIRS_AT_ONCE + 9)]

    def interrupt(done: int, total: int) -> None:
        assert (done, total) == (PAIRS_AT_ONCE, len(pairs))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teacher_scores(teacher, pairs, interrupt)
    told = list[tuple[int, int]]()
    found = teacher_scores(teacher, pairs, lambda *facts: told.append(facts))
    assert told == [(9, 9)]
    monkeypatch.setattr(CrossEncoder, "predict", None)
    assert teacher_scores(teacher, pairs[::-1]) == found


def train_with(tiny_model: Path, place: Path, **changed: Any) -> TrainingResult:
    wanted = settings(**{"average": [0.0], "lay_questions": 0, "keep_base": 0.0, "max_steps": 10, "evaluations": 1, **changed})
    return train_model(PAIRS, CHUNKS, wanted, str(tiny_model), place / "model", place / "checkpoints", seed=3)


@pytest.mark.slow
def test_the_model_learns_the_teachers_order_and_the_record_and_card_name_it(
    tiny_model: Path, cross_encoder: Path, tmp_path: Path
) -> None:
    much = {"ranking_lists": 32, "max_steps": 24, "epochs": 8, "learning_rate": 3e-3}
    alone = train_with(tiny_model, tmp_path / "alone", **much)
    taught = train_with(tiny_model, tmp_path / "taught", teacher=str(cross_encoder), **much)
    rows = [row for found in lists_of(tiny_model, cross_encoder).values() for row in found]
    lists = ranked_texts(rows, CHUNKS)
    texts, shares, listed = arrange_lists(lists)

    def far_from_the_teacher(model_dir: Path) -> float:
        model = SentenceTransformer(str(model_dir), device="cpu")
        vectors = (model.encode(part, convert_to_tensor=True) for part in ([ranked.query for ranked in lists], texts))
        queries, chunks = vectors
        return list_divergence(queries @ chunks.T * 20, shares, listed).item()

    assert far_from_the_teacher(taught.model_dir) < 0.8 * far_from_the_teacher(alone.model_dir)
    record = taught.record.as_json()
    assert record["teacher"] == str(cross_encoder) and record["n_teacher_lists"] == len(lists)
    assert record["n_ranking_lists"] == 0  # those are of one's own data
    card = (taught.model_dir / "README.md").read_text()
    assert f"the cross-encoder `{cross_encoder.name}` gave to lists of chunks for {len(lists):,} queries" in card
    assert str(cross_encoder) not in card
    assert alone.record.as_json()["n_teacher_lists"] == 0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ranking_lists": 0}, "is a cross-encoder and teaches nothing, since training.ranking_lists is 0"),
        ({"distil": 0.0}, "teaches nothing, since nothing is distilled"),
        ({"loss": "mnrl"}, "teaches nothing to the loss 'mnrl'"),
    ],
)
def test_a_teacher_that_nothing_is_learnt_from_is_named(
    changed: dict[str, Any],
    words: str,
    tiny_model: Path,
    cross_encoder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(CrossEncoder, "predict", None)  # it is not asked
    with caplog.at_level("WARNING"):
        train_with(tiny_model, tmp_path, teacher=str(cross_encoder), max_steps=1, **changed)
    assert words in caplog.text

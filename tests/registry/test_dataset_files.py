"""A dataset written for others: every form says the same, the card counts, and what is personal is nowhere in it."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, Pair
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.own_data.pair_files import read_pairs
from finetrieve.own_data.settings import PairSettings
from finetrieve.registry.dataset_files import Dataset, dataset_of, write_dataset

KEY, ADDRESS = "sk-proj-abcdEFGH12345678", "jane.doe@example.org"
CHUNKS = [
    Chunk("c0", "pump.md", "pump.md", "The pump", "Use", f"The pump moves water. Ask {ADDRESS}, with the key {KEY}.", 9, 0),
    Chunk("c1", "valve.md", "valve.md", "The valve", "", "The valve stops water.", 9, 0),
]
PAIRS = [
    Pair("what moves water?", "c0", "train", "generated", "what_is"),
    Pair("what moves water?", "c1", "train", "own", "tickets"),
    Pair("what stops water?", "c1", "test", "held_out", "tickets"),
    Pair(f"the pump of {ADDRESS} is stuck", "c0", "train", "own", "tickets"),
    Pair("a text that is no chunk", "free", "train", "own", "tickets"),
]
METRICS = EvaluationResult.read(
    {
        "corpus": {"documents": 2, "fingerprint": "x"},
        "generation": {"generators": {"rules 9": 1}},
        "eval_sets": {
            "tickets": {
                "kind": "human",
                "n_queries": 1,
                "arms": {"finetuned": {"ndcg@10": {"value": 0.5, "low": 0.25, "high": 0.75}}},
            }
        },
    }
)


def written(folder: Path, form: str, with_chunks: bool = True) -> Dataset:
    folder.mkdir()
    dataset = dataset_of(PAIRS, CHUNKS)
    write_dataset(folder, dataset, form, with_chunks=with_chunks, name="org/pumps", licence="apache-2.0", metrics=METRICS)
    return dataset


@pytest.mark.parametrize("form", ["hub", "beir", "llamaindex", "ragas"])
def test_every_form_is_one_that_pairs_are_read_from_and_holds_nothing_personal(tmp_path: Path, form: str) -> None:
    dataset = written(tmp_path / form, form)
    assert dataset.left_out == 2
    place = {"hub": "data/train-00000-of-00001.parquet", "beir": "", "llamaindex": "train.json", "ragas": "train.jsonl"}[form]
    labels = read_pairs(PairSettings(path=str(tmp_path / form / place), split="train"))
    assert sorted((label.query, label.text) for label in labels) == [
        ("what moves water?", "The pump moves water. Ask [e-mail address], with the key [key]."),
        ("what moves water?", CHUNKS[1].text),
    ]
    everything = b"".join(path.read_bytes() for path in (tmp_path / form).rglob("*") if path.is_file())
    assert KEY.encode() not in everything and ADDRESS.encode() not in everything and b"jane" not in everything
    card = (tmp_path / form / "README.md").read_text()
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["license"] == "apache-2.0" and header["pretty_name"] == "org/pumps"
    assert "| train | 1 | 0 | 1 |" in card and "| test | 0 | 1 | 0 |" in card and "rules 9 (1)" in card


def test_the_hubs_form_has_a_file_per_split_that_its_card_names(tmp_path: Path) -> None:
    written(tmp_path / "hub", "hub")
    configs = yaml.safe_load((tmp_path / "hub" / "README.md").read_text().split("---\n")[1])["configs"]
    assert [(item["config_name"], [file["split"] for file in item["data_files"]]) for item in configs] == [
        ("pairs", ["train", "test"]),
        ("corpus", ["corpus"]),
    ]
    for item in configs:
        for file in item["data_files"]:
            assert len(list((tmp_path / "hub").glob(file["path"]))) == 1
    [row] = pq.read_table(tmp_path / "hub" / "data" / "test-00000-of-00001.parquet").to_pylist()
    assert (row["query"], row["provenance"], row["doc_id"]) == ("what stops water?", "held_out", "valve.md")


@pytest.mark.parametrize("form", ["hub", "beir"])
def test_without_chunks_no_text_of_a_document_is_written(tmp_path: Path, form: str) -> None:
    written(tmp_path / form, form, with_chunks=False)
    everything = b"".join(path.read_bytes() for path in (tmp_path / form).rglob("*") if path.is_file())
    assert b"stops water." not in everything and b"The valve" not in everything and b"what stops water?" in everything
    assert not (tmp_path / form / "corpus").exists() and not (tmp_path / form / "corpus.jsonl").exists()


def test_a_form_that_does_not_exist_or_consists_of_texts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Unknown form 'beer'\. Did you mean 'beir'"):
        written(tmp_path / "a", "beer")
    with pytest.raises(InputError, match="choose hub or beir"):
        written(tmp_path / "b", "ragas", with_chunks=False)

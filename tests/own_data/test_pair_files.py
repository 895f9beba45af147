"""Pairs of one's own, in every form in which people have them, say the same; a mistake is one line with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetrieve.core.errors import InputError
from finetrieve.own_data.pair_files import pairs_fingerprint, read_pairs
from finetrieve.own_data.settings import PairSettings, pairs_from_argument

PUMP, VALVE = "The pump moves water.", "The valve stops water."
ROWS = [{"query": "what moves water?", "positive": PUMP}, {"query": "what stops  water?", "positive": VALVE}]


@pytest.mark.parametrize(("name", "text"), [("a.csv", ""), ("a.csv", "query,positive\n"), ("a.jsonl", ""), ("a.json", "[]")])
def test_a_file_without_rows_is_told_what_a_row_looks_like(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=rf"{name}': it has no rows\. A row has a query and what answers it, such as: query"):
        read_pairs(PairSettings(path=str(tmp_path / name)))


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def write_forms(folder: Path) -> dict[str, Path]:
    """Writes the same two pairs in every form, and returns form -> path."""
    forms = {
        "jsonl": ("pairs.jsonl", lines(*ROWS)),
        "json": ("pairs.json", json.dumps(ROWS)),
        "csv": ("pairs.csv", f"question,passage\nwhat moves water?,{PUMP}\nwhat stops water?,{VALVE}\n"),
        "tsv": ("pairs.tsv", f"anchor\tpositive\nwhat moves water?\t{PUMP}\nwhat stops water?\t{VALVE}\n"),
        "llamaindex": (
            "llamaindex.json",
            json.dumps(
                {
                    "queries": {"q1": "what moves water?", "q2": "what stops water?"},
                    "corpus": {"d1": PUMP, "d2": VALVE},
                    "relevant_docs": {"q1": ["d1"], "q2": ["d2"]},
                    "mode": "text",
                }
            ),
        ),
        "ragas": (
            "ragas.jsonl",
            lines(
                *(
                    {"user_input": row["query"], "reference_contexts": [row["positive"]], "reference": "an answer"}
                    for row in ROWS
                )
            ),
        ),
        "ragas csv": (
            "ragas.csv",
            f"user_input,reference_contexts,reference\nwhat moves water?,\"['{PUMP}']\",a\nwhat stops water?,\"['{VALVE}']\",b\n",
        ),
        "nvidia inline": ("nvidia.jsonl", lines(*({"query": row["query"], "pos_doc": row["positive"], "neg_doc": []} for row in ROWS))),
        "nvidia": (
            "nvidia.json",
            json.dumps(
                {
                    "corpus": [{"path": "nvidia-corpus"}],
                    "data": [
                        {"question_id": "1", "question": "what moves water?", "pos_doc": [{"id": "d1"}], "neg_doc": []},
                        {"question_id": "2", "question": "what stops water?", "pos_doc": [{"id": "d2"}], "neg_doc": []},
                    ],
                }
            ),
        ),
    }  # fmt: skip
    found = {}
    for form, (name, text) in forms.items():
        found[form] = folder / name
        found[form].write_text(text)
    (folder / "nvidia-corpus").mkdir()
    pq.write_table(pa.table({"id": ["d1", "d2"], "text": [PUMP, VALVE]}), folder / "nvidia-corpus" / "train.parquet")
    found["parquet"] = folder / "pairs.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), found["parquet"])
    found["beir"] = folder / "beir"
    (found["beir"] / "qrels").mkdir(parents=True)
    (found["beir"] / "queries.jsonl").write_text(
        lines({"_id": "q1", "text": "what moves water?"}, {"_id": "q2", "text": "what stops water?"})
    )
    (found["beir"] / "corpus.jsonl").write_text(lines({"_id": "d1", "text": PUMP}, {"_id": "d2", "text": VALVE}))
    (found["beir"] / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\n")
    return found


def test_every_form_says_the_same(tmp_path: Path) -> None:
    for form, path in write_forms(tmp_path).items():
        labels = read_pairs(PairSettings(path=str(path)))
        assert [(label.query, label.text, label.score) for label in labels] == [
            ("what moves water?", PUMP, 1.0),
            ("what stops water?", VALVE, 1.0),
        ], form
        assert [label.document for label in labels] == (["d1", "d2"] if form in ("beir", "llamaindex", "nvidia") else ["", ""]), (
            form
        )
        before = pairs_fingerprint(PairSettings(path=str(path)))
        assert before == pairs_fingerprint(PairSettings(path=str(path)))


def test_negatives_and_scores_are_labels_that_do_not_answer(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(
        lines(
            {"query": "q", "positive": PUMP, "negatives": [VALVE, "x"], "score": 0.8},
            {"query": "q", "positive": VALVE, "score": 0},
        )
    )
    assert [(label.text, label.score) for label in read_pairs(PairSettings(path=str(path)))] == [
        (PUMP, 0.8),
        (VALVE, 0.0),
        ("x", 0.0),
        (VALVE, 0.0),
    ]
    path.write_text(lines({"a": "q", "b": "pump.md", "negative_1": "no", "negative_2": "nor"}))
    named = PairSettings(path=str(path), query_column="a", positive_column="b")
    assert [(label.text, label.score) for label in read_pairs(named)] == [("pump.md", 1.0), ("no", 0.0), ("nor", 0.0)]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("p.jsonl", lines({"qery": "q", "positive": "x"}), "p.jsonl, line 1: no column with a query: looked for query, question"),
        ("p.jsonl", lines({"query": "q", "other": "x"}), "no column with what answers the query: looked for positive"),
        ("p.jsonl", lines(ROWS[0], {"query": " ", "positive": "x"}), "p.jsonl, line 2: 'query' is empty"),
        ("p.jsonl", lines(ROWS[0], {"query": "q", "positive": ""}), "p.jsonl, line 2: 'positive' is empty"),
        ("p.jsonl", lines({"query": ["q"], "positive": "x"}), "p.jsonl, line 1: 'query' is ['q'], expected text"),
        ("p.jsonl", lines({"query": "q", "positive": 1.5}), "p.jsonl, line 1: 'positive' is 1.5, expected text, an id, or a list"),
        ("p.jsonl", lines({**ROWS[0], "score": "good"}), "p.jsonl, line 1: 'score' is 'good', expected a number"),
        ("p.jsonl", lines({**ROWS[0], "score": 0}), "no query in it has an answer with a score above 0"),
        ("p.jsonl", '{"query": "q"\n', "p.jsonl, line 1: invalid JSON"),
        ("p.csv", "query,positive\n", "No pairs in"),
        ("p.md", "x", "expected a file that ends in .jsonl"),
        ("p.json", json.dumps({"queries": {"q": "x"}, "corpus": {}, "relevant_docs": {"q": ["d"]}}), "document 'd' is not in 'corpus'"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_place_and_what_was_seen(tmp_path: Path, name: str, text: str, expected: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        read_pairs(PairSettings(path=str(tmp_path / name)))
    [line] = str(caught.value).splitlines()
    assert expected in line


def test_a_folder_needs_its_split_named_where_it_has_several(tmp_path: Path) -> None:
    folder = write_forms(tmp_path)["beir"]
    (folder / "qrels" / "train.tsv").rename(folder / "qrels" / "val.tsv")
    assert len(read_pairs(PairSettings(path=str(folder)))) == 2
    (folder / "qrels" / "test.tsv").write_text("q1\td9\t1\n")
    with pytest.raises(InputError, match=r"no qrels/train.tsv. Name one of these as split: test, val"):
        read_pairs(PairSettings(path=str(folder)))
    with pytest.raises(InputError, match=r"line 1: document 'd9' is not in corpus.jsonl"):
        read_pairs(PairSettings(path=str(folder), split="test"))
    with pytest.raises(InputError, match="No such file or folder of pairs"):
        read_pairs(PairSettings(path=str(tmp_path / "nothing")))


def test_a_dataset_on_the_hub_is_named_as_the_hub_names_it() -> None:
    assert pairs_from_argument("hf:org/name@v1") == {"dataset": "org/name", "revision": "v1"}
    assert pairs_from_argument("data/pairs.csv") == {"path": "data/pairs.csv"}
    with pytest.raises(InputError, match="expected hf:OWNER/NAME"):
        pairs_from_argument("hf:name")
    assert PairSettings(dataset="org/name").label == "name"

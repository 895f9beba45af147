"""Evaluation sets: BEIR folders as people have them, mistakes answered with file and line, duplicates, generated queries."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, DuplicateChunk, Pair
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.evaluation.beir_files import check_known
from finetrieve.evaluation.eval_sets import EvalSet, check_eval_set, fingerprint, load_eval_set
from finetrieve.evaluation.pair_sets import generated_eval_set
from finetrieve.evaluation.settings import EvalSetSettings, EvaluationSettings
from finetrieve.retrieval.base_model import EMBEDDED, load_tokenizer
from tests.imported_modules import imported

ROOT = Path(__file__).resolve().parents[2]
QUERIES = [("q1", "How do I reset the phone?"), ("q2", "What is a widget?"), ("q3", "Can I use two cards?")]
DOCUMENTS = ["reset.md", "widgets.md", "cards.md"]
QRELS = "query-id\tcorpus-id\tscore\nq1\treset.md\t1\nq2\twidgets.md\t2\nq2\tcards.md\t0\n"


def _chunk(doc_id: str, number: int = 0) -> Chunk:
    return Chunk(f"{doc_id}#{number}", doc_id, doc_id, "", "", f"About {doc_id} {number}", 8, number)


CHUNKS = [_chunk(document) for document in DOCUMENTS]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set that asks about the pipeline's own documents."""
    place = tmp_path / "phones"
    (place / "qrels").mkdir(parents=True)
    (place / "queries.jsonl").write_text("".join(json.dumps({"_id": key, "text": text}) + "\n" for key, text in QUERIES))
    (place / "qrels" / "test.tsv").write_text(QRELS)
    return place


def _add_corpus(folder: Path, *documents: str) -> None:
    rows = [{"_id": name, "title": name, "text": f"All there is to know about {name}, at some length."} for name in documents]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _load(folder: Path, split: str | None = None, duplicates: tuple[DuplicateChunk, ...] = ()) -> EvalSet:
    settings = EvalSetSettings(path=folder, split=split)
    return load_eval_set(settings, CHUNKS, duplicates, DOCUMENTS, ChunkSettings(), load_tokenizer(EMBEDDED))


def test_a_set_over_the_pipelines_documents_searches_its_chunks(folder: Path) -> None:
    check_eval_set(EvalSetSettings(path=folder), DOCUMENTS)
    found = _load(folder)
    assert (found.name, found.kind, found.unit, found.n_documents) == ("phones", "human", "document", 3)
    assert found.chunks == CHUNKS
    assert found.queries == {"q1": "How do I reset the phone?", "q2": "What is a widget?"}
    assert found.qrels == {"q1": {"reset.md": 1}, "q2": {"widgets.md": 2, "cards.md": 0}}
    assert found.notes == ("1 of 3 queries have no relevant document in this split and are left out.",)


def test_questions_that_are_not_scored_are_told_apart_by_why(folder: Path) -> None:
    (folder / "qrels" / "dev.tsv").write_text("q3\tcards.md\t1\n")
    with (folder / "queries.jsonl").open("a") as file:
        file.write('{"_id": "q4", "text": "?"}\n{"_id": "q5", "text": "!"}\n')
    (folder / "qrels" / "train.tsv").write_text("q4\tcards.md\t1\n")
    assert _load(folder).notes == (
        "1 of 5 queries are dev questions of this set: they choose, and are not scored.",
        "1 of 5 queries are of split 'train', not scored.",
        "1 of 5 queries have no relevant document in this split and are left out.",
    )


def test_a_set_with_its_own_corpus_searches_that(folder: Path) -> None:
    _add_corpus(folder, *DOCUMENTS, "more.md")
    check_eval_set(EvalSetSettings(path=folder), ["something else"])
    found = _load(folder)
    assert found.n_documents == 4
    assert {chunk.doc_id for chunk in found.chunks} == {*DOCUMENTS, "more.md"}


@pytest.mark.parametrize(
    "text",
    [
        "q1\treset.md\t1\nq2\twidgets.md\t2\n",
        QRELS.replace("\n", "\r\n"),
        "\ufeff" + QRELS,
        QRELS + "\n\n",
        QRELS.replace("query-id\tcorpus-id\tscore", "query\tdocument\trelevance"),
        QRELS.replace("1\n", "1.0\n").replace("2\n", "2.0\n"),
        QRELS + QRELS.split("\n", 1)[1],
    ],
    ids=[
        "no header",
        "Windows line ends",
        "byte order mark",
        "blank lines",
        "other header",
        "scores with a point",
        "twice the same",
    ],
)
def test_judgements_as_other_tools_write_them(folder: Path, text: str) -> None:
    (folder / "qrels" / "test.tsv").write_bytes(text.encode())
    found = _load(folder)
    assert {query: max(judged.values()) for query, judged in found.qrels.items()} == {"q1": 1, "q2": 2}


def test_whole_numbers_as_ids_are_names(folder: Path) -> None:
    (folder / "queries.jsonl").write_text('{"_id": 7, "text": "How?"}\n')
    (folder / "qrels" / "test.tsv").write_text("7\treset.md\t1\n")
    assert _load(folder).queries == {"7": "How?"}


@pytest.mark.parametrize(
    ("files", "split", "queries"),
    [
        (["test", "train"], None, {"q1"}),
        (["valid"], None, {"q1"}),
        (["test", "train"], "train", {"q2"}),
        (["train", "valid"], None, {"q1", "q2"}),
    ],
)
def test_which_split_is_used(folder: Path, files: list[str], split: str | None, queries: set[str]) -> None:
    (folder / "qrels" / "test.tsv").unlink()
    for name in files:
        line = "q2\twidgets.md\t1\n" if name == "train" else "q1\treset.md\t1\n"
        (folder / "qrels" / f"{name}.tsv").write_text(line)
    found = _load(folder, split)
    assert set(found.queries) == queries
    assert any("No split 'test'" in note for note in found.notes) == (queries == {"q1", "q2"})


def test_a_dev_split_of_its_own_is_kept_for_tuning(folder: Path) -> None:
    (folder / "qrels" / "dev.tsv").write_text("q3\tcards.md\t1\n")
    found = _load(folder)
    assert found.dev is not None
    assert set(found.dev.queries) == {"q3"}
    assert "q3" not in found.queries
    assert _load(folder, split="dev").dev is None


def _write(name: str, text: str | bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def _move_qrels(folder: Path) -> None:
    (folder / "qrels" / "test.tsv").rename(folder / "qrels.txt")


MISTAKES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no queries file": (lambda folder: (folder / "queries.jsonl").unlink(), r"has no queries\.jsonl"),
    "no judgements": (_move_qrels, r"has no qrels/\*\.tsv"),
    "empty queries file": (_write("queries.jsonl", ""), r"queries\.jsonl has no queries"),
    "empty judgements": (_write("qrels/test.tsv", ""), r"test\.tsv has no judgements"),
    "only a header": (_write("qrels/test.tsv", "query-id\tcorpus-id\tscore\n"), r"test\.tsv has no judgements"),
    "invalid JSON": (
        _write("queries.jsonl", '{"_id": "q1", "text": "How?"}\n{"_id": \n'),
        r"queries\.jsonl line 2: not valid JSON",
    ),
    "a list": (_write("queries.jsonl", "[1]\n"), r"line 1: expected an object with \"_id\" and \"text\", found a list"),
    "other keys": (_write("queries.jsonl", '{"id": "q1", "question": "How?"}\n'), "found the keys id, question"),
    "query without text": (_write("queries.jsonl", '{"_id": "q1", "text": "  "}\n'), "line 1: query 'q1' has no text"),
    "query twice": (_write("queries.jsonl", '{"_id": "a", "text": "b"}\n' * 2), "line 2: query id 'a' is there twice"),
    "not UTF-8": (_write("queries.jsonl", b'{"_id": "q1", "text": "\xff\xfe"}\n'), "is not UTF-8 text"),
    "commas for tabs": (
        _write("qrels/test.tsv", "q1,reset.md,1\n"),
        r"test\.tsv line 1: expected 3 fields parted by tabs .* found 1",
    ),
    "broken score": (_write("qrels/test.tsv", QRELS + "q1\tcards.md\t0.5\n"), r"line 5: the score '0\.5' is no whole number"),
    "first score broken": (_write("qrels/test.tsv", "q1\tcards.md\t0.5\n"), r"line 1: the score '0\.5' is no whole number"),
    "judged twice": (
        _write("qrels/test.tsv", QRELS + "q1\treset.md\t2\n"),
        "line 5: query 'q1', document 'reset.md' has the score 2 here and 1",
    ),
    "nothing relevant": (_write("qrels/test.tsv", "q1\treset.md\t0\n"), "no query has a relevant document"),
    "unknown document": (
        _write("qrels/test.tsv", QRELS + "q1\trests.md\t1\nq1\tx\t1\nq1\ty\t1\n"),
        r"line 5: document 'rests\.md' is not in the documents\. The nearest known id is 'reset\.md'\. 2 more ids are unknown\.",
    ),
    "only to train on": (
        lambda folder: (folder / "qrels" / "test.tsv").rename(folder / "qrels" / "train.tsv"),
        r"judgements to train on only .*Rename qrels/train\.tsv to test\.tsv, or set 'split: train'",
    ),
    "TREC's form": (
        _write("qrels/test.tsv", "q1 0 reset.md 1\n"),
        r"line 1: found 4 fields parted by spaces, which is TREC's form",
    ),
    "unknown query": (
        _write("qrels/test.tsv", QRELS + "q11\treset.md\t1\n"),
        r"line 5: query 'q11' is not in queries\.jsonl\. The nearest known",
    ),
    "unknown in own corpus": (
        lambda folder: _add_corpus(folder, "reset.md", "cards.md"),
        r"line 3: document 'widgets\.md' is not in corpus\.jsonl",
    ),
}


@pytest.mark.parametrize(("damage", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered_in_one_line(folder: Path, damage: Callable[[Path], object], problem: str) -> None:
    damage(folder)
    with pytest.raises(InputError, match=problem) as error:
        check_eval_set(EvalSetSettings(path=folder), DOCUMENTS)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=problem):
        _load(folder)


def test_a_path_that_is_no_folder_is_answered(folder: Path) -> None:
    for path, problem in ((folder / "none", "does not exist"), (folder / "queries.jsonl", "is a file")):
        with pytest.raises(InputError, match=problem):
            check_eval_set(EvalSetSettings(path=path), DOCUMENTS)


def test_an_unknown_split_names_those_that_exist(folder: Path) -> None:
    with pytest.raises(InputError, match=r"has no qrels/tset\.tsv\. Choose one of: test\."):
        check_eval_set(EvalSetSettings(path=folder, split="tset"), DOCUMENTS)


def test_two_sets_of_one_name_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="Two evaluation sets are named 'phones'"):
        EvaluationSettings(eval_sets=[EvalSetSettings(path=folder), EvalSetSettings(path=folder, split="dev")])


def test_an_unknown_arm_names_those_that_exist() -> None:
    with pytest.raises(ValueError, match=r"Unknown arm 'hybrid'\. .*Choose one of: base, bm25"):
        EvaluationSettings(arms=["hybrid"])


@pytest.mark.slow
def test_checking_a_set_loads_nothing_heavy(folder: Path) -> None:
    _add_corpus(folder, *DOCUMENTS)
    code = (
        "from pathlib import Path\n"
        "from finetrieve.evaluation.eval_sets import *\n"
        f"check_eval_set(EvalSetSettings(path=Path({str(folder)!r})), [])\n"
    )
    assert imported(code, "torch", "transformers", "zenml", "pandas", "datasets", "bm25s") == set()


def test_fingerprint_follows_the_content(folder: Path) -> None:
    settings = EvalSetSettings(path=folder)
    before = fingerprint(settings)
    (folder / "queries.jsonl").touch()
    assert fingerprint(settings) == before
    (folder / "qrels" / "test.tsv").write_text(QRELS + "q3\tcards.md\t1\n")
    assert fingerprint(settings) != before


def test_a_document_whose_chunks_were_all_duplicates_is_found_through_the_kept_one(folder: Path) -> None:
    duplicates = (
        DuplicateChunk("copy.md#0", "copy.md", "reset.md#0", "exact"),
        DuplicateChunk("copy.md#1", "copy.md", "reset.md#0", "near"),
        DuplicateChunk("reset.md#1", "reset.md", "reset.md#0", "near"),
    )
    found = _load(folder, duplicates=duplicates)
    assert found.units_of(CHUNKS[0]) == ("reset.md", "copy.md")
    assert found.units_of(CHUNKS[1]) == ("widgets.md",)


def test_a_relevant_document_without_text_is_said(folder: Path) -> None:
    settings = EvalSetSettings(path=folder)
    found = load_eval_set(settings, CHUNKS[1:], [], DOCUMENTS, ChunkSettings(), load_tokenizer(EMBEDDED))
    assert found.notes[-1] == "1 relevant documents have no text and cannot be found, by any arm: reset.md."


def test_a_row_of_the_sets_own_corpus_without_text_is_known_and_cannot_be_found(folder: Path) -> None:
    _add_corpus(folder, "reset.md", "cards.md")
    with (folder / "corpus.jsonl").open("a") as file:
        file.write(json.dumps({"_id": "widgets.md", "title": "", "text": " "}) + "\n")
    check_eval_set(EvalSetSettings(path=folder), [])
    found = _load(folder)
    assert found.qrels["q2"] == {"widgets.md": 2, "cards.md": 0}
    assert found.notes[-1] == "1 relevant documents have no text and cannot be found, by any arm: widgets.md."
    assert {chunk.doc_id for chunk in found.chunks} == {"reset.md", "cards.md"}


def test_a_document_of_the_pipeline_that_turned_out_to_have_no_text_cannot_be_found(folder: Path) -> None:
    check_eval_set(EvalSetSettings(path=folder), DOCUMENTS)
    settings = EvalSetSettings(path=folder)
    found = load_eval_set(settings, CHUNKS[:1], [], DOCUMENTS[:1], ChunkSettings(), load_tokenizer(EMBEDDED), checked=True)
    assert found.notes[-1] == "1 relevant documents have no text and cannot be found, by any arm: widgets.md."


def test_a_generated_query_has_all_its_answers_whatever_their_side() -> None:
    pairs = [
        Pair("How do I reset it?", "a#0", "train", "generated", "how_to"),
        Pair("What is a widget?", "b#0", "test", "generated", "what_is"),
        Pair("how do I reset  it", "c#0", "test", "generated", "how_to"),
        Pair("Dev?", "c#0", "dev", "generated", "how_to"),
    ]
    found = generated_eval_set(pairs, CHUNKS, "test")
    assert found is not None
    assert found.queries == {"test-0": "What is a widget?", "test-1": "how do I reset  it"}
    assert found.qrels == {"test-0": {"b#0": 1}, "test-1": {"a#0": 1, "c#0": 1}}
    assert (found.kind, found.unit, found.name) == ("generated", "chunk", "generated")
    assert generated_eval_set(pairs[:1], CHUNKS, "test") is None


def test_judgements_of_what_does_not_exist_can_be_left_out_and_are_counted(folder: Path) -> None:
    (folder / "qrels" / "test.tsv").write_text(QRELS + "q1\tgone.md\t1\nq99\treset.md\t1\n")
    settings = EvalSetSettings(path=folder, skip_unknown=True)
    check_eval_set(settings, DOCUMENTS)
    found = load_eval_set(settings, [], [], DOCUMENTS, ChunkSettings(), load_tokenizer("embedded"))
    assert set(found.qrels["q1"]) == {"reset.md"}
    assert found.notes[0].startswith("2 of 5 judgements name queries or documents that do not exist")
    with pytest.raises(InputError, match="skip_unknown: true"):
        check_eval_set(EvalSetSettings(path=folder), [name for name in DOCUMENTS if name != "cards.md"])


def test_the_nearest_id_is_the_one_that_differs_in_case_only() -> None:
    with pytest.raises(InputError, match=r"nearest known id is 'guide/A\.md'"):
        check_known("document", "the documents", [("guide/a.md", "line 2")], ["guide/b.md", "guide/A.md", "guide/c.md"])

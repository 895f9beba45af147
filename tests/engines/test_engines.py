from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from finetrieve.app import vector_index
from finetrieve.app.vector_index import Served, choose_vectors, drift_of, load_into_engine, write_index
from finetrieve.cli.main import main
from finetrieve.core.errors import InputError
from finetrieve.core.own_output import VECTORS_MARK
from finetrieve.core.rows import Chunk
from finetrieve.engines import vector_files
from finetrieve.engines.base import engine_at
from finetrieve.engines.drift import DriftError, check_drift
from finetrieve.engines.vector_files import Stored, StoredVectors
from finetrieve.engines.vector_search import open_search
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.hybrid_index import build_index
from finetrieve.retrieval.vector_cache import CachedEmbedder
from tests.training.conftest import tiny_model  # noqa: F401  # a fixture

THINGS = ["pump", "door", "lamp", "radio", "kettle", "heater", "window", "clock", "stove", "chair", "fan", "mirror", "bell"]
COLOURS = ["green", "red", "blue", "grey", "white"]
CHUNKS = [
    Chunk(
        f"c{row}",
        f"{word}.md",
        f"{word}.md",
        word.title(),
        "",
        f"The {word} has a {COLOURS[row % 5]} button.",
        9,
        row // len(THINGS),
    )
    for row, word in enumerate(THINGS * 2)
]
QUESTIONS = {f"q{row}": f"where is the {word}'s button?" for row, word in enumerate(THINGS)}
EVAL_SET = EvalSet(
    "human",
    "human",
    QUESTIONS,
    {f"q{row}": {f"{word}.md": 1} for row, word in enumerate(THINGS)},
    "document",
    CHUNKS,
    len(THINGS),
)
BOTH = StoredVectors(Stored(16), Stored(16))
ENGINES = ("parquet", "lancedb", "qdrant")


@pytest.fixture
def source(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:  # noqa: F811
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(vector_files, "CHUNKS_AT_ONCE", 10)  # three files
    return Served("docs:1", tiny_model, CHUNKS, EvaluationResult())


def places_of(folder: Path) -> dict[str, str]:
    return {"parquet": str(folder / "vectors"), **{name: f"{name}:{folder / name}" for name in ENGINES[1:]}}


def test_every_engine_serves_what_the_evaluation_finds(source: Served, tmp_path: Path) -> None:
    places = places_of(tmp_path)
    assert write_index(source, tmp_path / "vectors", BOTH)
    assert not write_index(source, tmp_path / "vectors", BOTH)  # the same ones are there
    for name in ENGINES[1:]:
        assert load_into_engine(tmp_path / "vectors", places[name])
    own = build_index([f"{c.title}\n{c.text}" for c in CHUNKS], CachedEmbedder(source.model), bm25=Bm25.of_chunks(CHUNKS))
    drifts = drift_of(list(places.values()), source, EVAL_SET, 100)
    assert len(own) == len(CHUNKS)
    for place, measured in drifts.items():
        assert [(drift.way, drift.n_queries) for drift in measured] == [("dense", 13), ("late", 13)]
        for drift in measured:
            assert abs(drift.difference) < 0.005 and drift.shared > 0.95 and drift.evaluated > 0.2
        check_drift(measured, place, 0.01)
    found = {}
    for name, place in places.items():
        search = open_search(place)
        found[name] = [
            (hit.chunk, round(hit.score, 3))
            for way in ("dense", "late")
            for hit in search.search("red button?", 5, search.way(way))
        ]
        search.close()
    assert found["lancedb"] == found["qdrant"] == found["parquet"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "lancedb", "qdrant", "vectors"]


@pytest.mark.parametrize("precision", ["int8", "binary"])
def test_fewer_bits_and_pooled_tokens_are_read_as_they_were_written(source: Served, tmp_path: Path, precision: str) -> None:
    stored = StoredVectors(Stored(16, precision), Stored(8, precision, 2))  # type: ignore[arg-type]
    write_index(source, tmp_path / "vectors", stored)
    whole, parts = CachedEmbedder(source.model).embed([f"{c.title}\n{c.text}" for c in CHUNKS], "document"), []
    for block in vector_files.read_blocks(tmp_path / "vectors" / "vectors", stored):
        assert block.dense is not None and block.late is not None
        assert block.late.vectors.shape[1] == 8 and len(block.late) == len(block.chunks)
        assert np.allclose(np.linalg.norm(block.dense, axis=1), 1, atol=0.02)
        parts.append(block.dense)
    dense = np.concatenate(parts)
    assert (dense * whole).sum(axis=1).min() > (0.99 if precision == "int8" else 0.6)
    table = pq.read_table(tmp_path / "vectors" / "vectors" / "part-00000.parquet")
    assert table.column("id").to_pylist() == [f"c{row}" for row in range(10)]
    assert len(table.column("dense")[0].as_py()) == (16 if precision == "int8" else 2)


def test_an_engine_that_serves_other_results_is_one_clear_error(source: Served, tmp_path: Path) -> None:
    write_index(source, tmp_path / "vectors", BOTH)
    [path, *_] = sorted((tmp_path / "vectors" / "vectors").glob("*.parquet"))
    table = pq.read_table(path)
    ids = table.column("doc_id").to_pylist()
    pq.write_table(table.set_column(table.column_names.index("doc_id"), "doc_id", [ids[1:] + ids[:1]]), path)
    measured = drift_of([str(tmp_path / "vectors")], source, EVAL_SET, 100)[str(tmp_path / "vectors")]
    with pytest.raises(DriftError, match=r"serves other results than were evaluated: by dense vectors nDCG@10 is 0\.\d+ on 13"):
        check_drift(measured, "vectors", 0.02)


def test_what_was_cut_off_goes_on_and_what_was_there_stays(
    source: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "vectors"
    write_index(source, folder, StoredVectors(Stored(8), None))
    real, embedded = CachedEmbedder.embed, list[int]()

    def cut_off(self: CachedEmbedder, texts: Sequence[str], role: str) -> np.ndarray:
        if len(embedded) == 2:
            raise KeyboardInterrupt
        embedded.append(len(texts))
        return real(self, texts, role)  # type: ignore[arg-type]

    monkeypatch.setattr(CachedEmbedder, "embed", cut_off)
    with pytest.raises(KeyboardInterrupt):
        write_index(source, folder, StoredVectors(Stored(16), None))
    assert open_search(str(folder)).stored == StoredVectors(Stored(8), None)  # still served
    monkeypatch.setattr(CachedEmbedder, "embed", real)
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / ".vectors.unfinished" / "vectors").glob("*.parquet")}
    assert len(times) == 2
    assert write_index(source, folder, StoredVectors(Stored(16), None))
    assert times.items() <= {path.name: path.stat().st_mtime_ns for path in (folder / "vectors").glob("*.parquet")}.items()
    assert open_search(str(folder)).stored.dense == Stored(16)
    assert [len(b.chunks) for b in vector_files.read_blocks(folder / "vectors", BOTH.__class__(Stored(16), None))] == [10, 10, 6]


def test_only_an_empty_folder_or_one_of_ours_is_written_to(source: Served, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("mine")
    for write in (
        lambda: write_index(source, foreign, BOTH),
        lambda: load_into_engine(tmp_path / "vectors", f"lancedb:{foreign}"),
    ):
        write_index(source, tmp_path / "vectors", StoredVectors(Stored(16), None))
        with pytest.raises(InputError, match="holds something that is not ours"):
            write()
    assert [path.name for path in foreign.iterdir()] == ["notes.txt"]
    with pytest.raises(InputError, match=r"Unknown engine 'lancdb'\. Did you mean 'lancedb'"):
        engine_at("lancdb:there")
    with pytest.raises(InputError, match=re.escape(f"it has no {VECTORS_MARK}")):
        open_search(str(foreign))
    with pytest.raises(InputError, match=rf"was written for parquet, not for qdrant: name it parquet:{tmp_path / 'vectors'}"):
        open_search(f"qdrant:{tmp_path / 'vectors'}")
    with pytest.raises(InputError, match="There are no late vectors in it"):
        open_search(str(tmp_path / "vectors")).way("late")


def test_the_code_of_the_readme_loads_the_files_without_us(
    source: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = StoredVectors(Stored(16), Stored(8, "int8"))
    write_index(source, tmp_path / "vectors", stored)
    readme = (tmp_path / "vectors" / "README.md").read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", readme, re.DOTALL)).replace(
        "how do I start?", "where is the lamp's button?"
    )
    assert "finetrieve" not in code
    monkeypatch.chdir(tmp_path / "vectors")
    printed = list[list[str]]()
    exec(compile(code, "README.md", "exec"), {"print": printed.append})
    search = open_search(str(tmp_path / "vectors"))
    expected = [hit.chunk.id for hit in search.search("where is the lamp's button?", 5, "late")]
    assert printed == [expected, expected]
    assert "vector(16)" in readme and "tensor<float>(token{}, x[8])" in readme


def test_ask_reads_from_what_index_wrote(source: Served, tmp_path: Path) -> None:
    write_index(source, tmp_path / "vectors", BOTH)
    load_into_engine(tmp_path / "vectors", f"lancedb:{tmp_path / 'lancedb'}")
    for place in (str(tmp_path / "vectors"), f"lancedb:{tmp_path / 'lancedb'}"):
        done = CliRunner().invoke(main, ["ask", "where is the lamp's button?", "--index", place, "-k", "3", "--json"])
        found = json.loads(done.stdout)
        assert (found["way"], found["name"], len(found["hits"])) == ("late", "docs:1", 3)
        search = open_search(place)
        expected = search.search("where is the lamp's button?", 3, "late")
        search.close()
        assert [hit["chunk"]["id"] for hit in found["hits"]] == [hit.chunk.id for hit in expected]
        assert found["hits"][0]["document"] == expected[0].chunk.doc_id
    shown = CliRunner().invoke(
        main, ["ask", "where is the lamp's button?", "--index", str(tmp_path / "vectors"), "--by", "dense"]
    )
    assert "docs:1, by vectors" in shown.stdout and "1. " in shown.stdout
    refused = CliRunner().invoke(main, ["ask", "what?", "--index", str(tmp_path / "vectors"), "--serve"])
    assert refused.exit_code == 2 and "leave out --serve" in refused.stderr


def test_what_is_stored_follows_the_storage_costs() -> None:
    def costs(way: str, dims: int, precision: str, pooling: int = 1) -> EvaluationResult:
        point = {"way": way, "dims": dims, "precision": precision, "pooling": pooling, "recommended": True}
        return EvaluationResult.model_validate({"eval_sets": {"human": {"bill": {"points": [point]}}}})

    whole = (384, 384)
    assert choose_vectors(EvaluationResult(), whole) == StoredVectors(Stored(384), Stored(384))
    assert choose_vectors(EvaluationResult(), (384, None)) == StoredVectors(Stored(384), None)
    assert choose_vectors(costs("dense", 128, "binary"), whole) == StoredVectors(Stored(128, "int8"), None)
    found = choose_vectors(costs("rerank20", 32, "binary", 2), whole)
    assert found == StoredVectors(Stored(384, "int8"), Stored(32, "binary", 2))
    assert choose_vectors(costs("late", 64, "int8"), whole, "late", 128, "fp32") == StoredVectors(None, Stored(128))
    with pytest.raises(InputError, match="has no token vectors"):
        choose_vectors(EvaluationResult(), (384, None), "both")
    with pytest.raises(InputError, match="--dimensions is 500; this model's vectors have 384 numbers"):
        choose_vectors(EvaluationResult(), whole, "both", 500)
    assert vector_index.stored_from(found.as_dict()) == found

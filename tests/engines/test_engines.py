from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from finetrieve.app import vector_index
from finetrieve.app.index import load_index
from finetrieve.app.vector_index import (
    Served,
    choose_vectors,
    drift_of,
    first_readable,
    load_into_engine,
    questions_in,
    reorder_only,
    write_index,
)
from finetrieve.cli.main import main
from finetrieve.core.errors import InputError
from finetrieve.core.own_output import VECTORS_MARK
from finetrieve.core.rows import DuplicateChunk
from finetrieve.engines import fused_search, vector_files
from finetrieve.engines.base import Found, engine_at
from finetrieve.engines.drift import Drift, DriftError, check_drift, late_note
from finetrieve.engines.fused_search import FusedSearch
from finetrieve.engines.vector_files import Stored, StoredVectors
from finetrieve.engines.vector_search import open_search, stored_fusion
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.fusion import FUSED, HYBRID, Fusion
from finetrieve.retrieval.hybrid_index import build_index
from finetrieve.retrieval.search import Searcher
from finetrieve.retrieval.search import search as own_search
from finetrieve.retrieval.vector_cache import CachedEmbedder
from tests.engines.conftest import BOTH, CHUNKS, EVAL_SET

ENGINES = ("parquet", "lancedb", "qdrant")


def places_of(folder: Path) -> dict[str, str]:
    return {"parquet": str(folder / "vectors"), **{name: f"{name}:{folder / name}" for name in ENGINES[1:]}}


@pytest.mark.slow
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
        assert [(drift.way, drift.n_queries) for drift in measured] == [("dense", 13), ("late", 13), ("fused", 13)]
        for drift in measured:
            assert abs(drift.difference) < 0.005 and drift.shared > 0.95 and drift.evaluated > 0.2
        check_drift(measured, place, 0.01)
    found = {}
    for name, place in places.items():
        search = open_search(place)
        found[name] = [
            (hit.chunk, round(hit.score, 2))
            for way in ("dense", "late", "fused")
            for hit in search.search("red button?", 5, search.way(way))
        ]
        search.close()
    assert found["lancedb"] == found["qdrant"] == found["parquet"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "lancedb", "qdrant", "vectors"]


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("served", "low", "high", "fails"), [(0.85, -0.08, -0.02, True), (0.85, -0.12, 0.02, False), (0.89, -0.02, -0.01, False)]
)
def test_a_difference_fails_that_is_larger_than_the_tolerance_and_than_chance(
    served: float, low: float, high: float, fails: bool
) -> None:
    drift = Drift("late", 30, served, 0.9, low, high, 0.9)
    with pytest.raises(DriftError, match="by late search") if fails else nullcontext():
        check_drift([drift], "vectors", 0.02)


def test_token_vectors_that_are_stored_to_reorder_results_are_not_held_to_what_whole_ones_find_alone() -> None:
    late, fused = Drift("late", 30, 0.8, 0.95, -0.2, -0.1, 0.8), Drift("fused", 30, 0.96, 0.97, -0.03, 0.01, 0.9)
    check_drift([late, fused], "vectors", 0.02, reorder_only=True)
    assert late_note([late, fused], 0.02).startswith("By late alone (--by late) nDCG@10 is 0.800, not 0.950: ")
    assert late_note([replace(late, served=0.94), fused], 0.02) == ""
    with pytest.raises(DriftError, match="by late search"):  # that is how the version searches
        check_drift([fused, late], "vectors", 0.02, reorder_only=True)
    with pytest.raises(DriftError, match="by fused search"):
        check_drift([late, replace(fused, served=0.9, high=-0.02)], "vectors", 0.02, reorder_only=True)


def test_token_vectors_are_for_reordering_where_the_recommended_point_is() -> None:
    def metrics(way: str) -> EvaluationResult:
        point = {"way": way, "dims": 32, "precision": "binary", "pooling": 3, "recommended": True}
        return EvaluationResult.model_validate({"eval_sets": {"tv": {"bill": {"points": [point]}}}})

    recommended = choose_vectors(metrics("rerank20"), (384, 384))
    assert reorder_only(metrics("rerank20"), recommended) and not reorder_only(metrics("late"), recommended)
    assert not reorder_only(metrics("rerank20"), choose_vectors(metrics("rerank20"), (384, 384), precision="int8"))
    assert not reorder_only(EvaluationResult(), recommended)


@pytest.mark.slow
def test_an_engine_that_serves_other_results_is_one_clear_error(source: Served, tmp_path: Path) -> None:
    write_index(source, tmp_path / "vectors", BOTH)
    [path, *_] = sorted((tmp_path / "vectors" / "vectors").glob("*.parquet"))
    table = pq.read_table(path)
    ids = table.column("doc_id").to_pylist()
    pq.write_table(table.set_column(table.column_names.index("doc_id"), "doc_id", [ids[1:] + ids[:1]]), path)
    measured = drift_of([str(tmp_path / "vectors")], source, EVAL_SET, 100)[str(tmp_path / "vectors")]
    with pytest.raises(DriftError, match=r"serves other results than were evaluated: by dense search nDCG@10 is 0\.\d+ on 13"):
        check_drift(measured, "vectors", 0.02)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_code_of_the_readme_loads_the_files_without_us(
    source: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = StoredVectors(Stored(16), Stored(8, "int8"))
    write_index(source, tmp_path / "vectors", stored)
    readme = (tmp_path / "vectors" / "README.md").read_text()
    readme, pgvector = readme.split("## pgvector")  # which needs a server
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
    assert "dense vector(16), late vector(8)[]" in pgvector and "tensor<float>(token{}, x[8])" in pgvector


@pytest.mark.slow
def test_ask_reads_from_what_index_wrote(source: Served, tmp_path: Path) -> None:
    write_index(source, tmp_path / "vectors", BOTH)
    load_into_engine(tmp_path / "vectors", f"lancedb:{tmp_path / 'lancedb'}")
    for place in (str(tmp_path / "vectors"), f"lancedb:{tmp_path / 'lancedb'}"):
        done = CliRunner().invoke(main, ["ask", "where is the lamp's button?", "--index", place, "-k", "3", "--json"])
        found = json.loads(done.stdout)
        assert (found["way"], found["name"], len(found["hits"])) == ("fused", "docs:1", 3)
        hits = [{**asdict(hit), "document": hit.document} for hit in load_index(place).search("where is the lamp's button?", 3)]
        assert found["hits"] == hits and hits[0]["document"] == hits[0]["chunk"]["doc_id"]
    shown = CliRunner().invoke(
        main, ["ask", "where is the lamp's button?", "--index", str(tmp_path / "vectors"), "--by", "dense"]
    )
    assert "docs:1, by vectors" in shown.stdout and "1. " in shown.stdout and re.search(r"score 0\.\d\d \(cosine", shown.stdout)
    with pytest.raises(InputError, match="is on disk already"):
        load_index(tmp_path / "vectors").save(tmp_path / "copy")
    with pytest.raises(InputError, match="ranks passages"):
        load_index(tmp_path / "vectors").search("what?", pages=True)
    refused = CliRunner().invoke(main, ["ask", "what?", "--index", str(tmp_path / "vectors"), "--serve"])
    assert refused.exit_code == 2 and "leave out --serve" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "fusion", [FUSED, HYBRID, Fusion("min_max", 1, 1, 1), Fusion("rrf", 0.5, 1, 2), Fusion(dense=0, late=0)], ids=repr
)
def test_an_engine_is_searched_as_the_version_was_evaluated(source: Served, tmp_path: Path, fusion: Fusion) -> None:
    write_index(replace(source, fusion=fusion), tmp_path / "vectors", BOTH)
    load_into_engine(tmp_path / "vectors", f"lancedb:{tmp_path / 'lancedb'}")
    own = Searcher(build_index([f"{c.title}\n{c.text}" for c in CHUNKS], CachedEmbedder(source.model), with_tokens=True), fusion)
    for question in ("where is the lamp's red button?", "blue", "clocks and bells"):
        expected = own_search(own, CHUNKS, question, 5)
        for place in (tmp_path / "vectors", f"lancedb:{tmp_path / 'lancedb'}"):
            found = load_index(place).search(question, 5)
            assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected[: len(found)]], abs=2e-3)
            assert found[0].chunk == expected[0].chunk and len(found) == (5 if fusion.dense else min(5, len(found)))
            assert (found[0].cosine is None) == (not fusion.dense) and (found[0].late is None) == (not fusion.late)
            assert found[0].bm25 == pytest.approx(expected[0].bm25)


@pytest.mark.slow
def test_a_large_corpus_is_fused_over_candidates_with_the_scales_of_a_sample(
    source: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_index(source, tmp_path / "vectors", BOTH)
    load_into_engine(tmp_path / "vectors", f"qdrant:{tmp_path / 'qdrant'}")
    whole = [hit.chunk.id for hit in load_index(tmp_path / "vectors").search("the lamp's red button?", 4)]
    monkeypatch.setattr(fused_search, "CANDIDATES", 6)
    monkeypatch.setattr(fused_search, "SCALE_CHUNKS", 13)
    for place in (tmp_path / "vectors", f"qdrant:{tmp_path / 'qdrant'}"):
        index = load_index(place)
        assert len(index.search("the lamp's red button?", 26)) == 26  # as many as are asked for
        assert len(set(whole) & {hit.chunk.id for hit in index.search("the lamp's red button?", 4)}) >= 3
        assert index.search("the lamp's red button?", 1)[0].chunk.id == whole[0]


def test_bm25_without_a_weight_is_neither_counted_nor_finds_candidates(source: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bm25, "of_chunks", lambda _chunks: pytest.fail("BM25 was counted"))
    asked: list[Sequence[str] | None] = []

    def dense(_k: int, among: Sequence[str] | None) -> Sequence[Found]:
        asked.append(among)
        return [Found(chunk, 1.0 - place / 10) for place, chunk in enumerate(CHUNKS[:3]) if among is None or chunk.id in among]

    hits = FusedSearch(CHUNKS, Fusion(dense=1, late=0, lexical=0)).search("lamp", 2, {"dense": dense})
    assert [hit.chunk.id for hit in hits] == [chunk.id for chunk in CHUNKS[:2]] and hits[0].bm25 is None


@pytest.mark.slow
def test_where_vectors_are_not_stored_the_others_add_up(source: Served, tmp_path: Path) -> None:
    dense, late = Stored(16), Stored(8)
    assert stored_fusion(FUSED, StoredVectors(dense, None)) == HYBRID
    assert stored_fusion(FUSED, StoredVectors(None, late)) == replace(FUSED, dense=0)
    assert stored_fusion(Fusion(dense=0, lexical=0), StoredVectors(dense, None)) == Fusion(dense=1, late=0, lexical=0)
    write_index(replace(source, fusion=Fusion(dense=1, late=0, lexical=0)), tmp_path / "vectors", BOTH)
    search = open_search(str(tmp_path / "vectors"))
    assert search.way(None) == "dense" and search.ways == ["late", "dense"]
    with pytest.raises(InputError, match="searches by one kind of vectors alone; expected one of: late, dense"):
        search.way("fused")


@pytest.mark.slow
def test_texts_that_changed_are_noticed_by_the_gate(source: Served, tmp_path: Path) -> None:
    write_index(source, tmp_path / "vectors", BOTH)
    place = f"lancedb:{tmp_path / 'lancedb'}"
    load_into_engine(tmp_path / "vectors", place)
    for path in (tmp_path / "lancedb" / "texts").glob("*.parquet"):
        table = pq.read_table(path)
        texts = ["What is there to say?"] * len(table)
        for name in ("text", "title"):
            table = table.set_column(table.column_names.index(name), name, [texts])
        pq.write_table(table, path)
    drifts = drift_of([place], source, EVAL_SET, 100)[place]
    assert [abs(drift.difference) > 0.02 for drift in drifts] == [False, False, True]
    with pytest.raises(DriftError, match="by fused search"):
        check_drift(drifts, place, 0.02)


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


def test_the_gate_asks_the_questions_of_the_runs_configuration_that_are_still_there(source: Served, tmp_path: Path) -> None:
    document = source.chunks[0].doc_id
    file = tmp_path / "questions.csv"
    file.write_text(f"question,page\nHow do I start?,{document}\n")
    gone, other = {"path": str(tmp_path / "gone.csv")}, tmp_path / "other.csv"
    other.write_text("question,page\nHow do I start?,no-such-page.md\n")
    found = first_readable([gone, {"path": str(other)}, {"path": str(file), "name": "people"}], source)
    assert found is not None and list(found.queries.values()) == ["How do I start?"]
    assert first_readable([gone], source) is None


def test_questions_about_a_page_that_repeats_another_one_are_asked(source: Served, tmp_path: Path) -> None:
    kept = source.chunks[0]
    file = tmp_path / "questions.csv"
    file.write_text("question,page\nwhere is its button?,copy.md\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"'copy\.md' is not among"):
        questions_in(str(file), source)

    copied = replace(source, duplicates=[DuplicateChunk("copy#0", "copy.md", kept.id, "exact")])
    found = questions_in(str(file), copied)
    assert list(found.qrels.values()) == [{"copy.md": 1}] and found.units_of(kept) == (kept.doc_id, "copy.md")

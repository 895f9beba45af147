"""A query that needs several chunks, all the way: written, filtered, reviewed, split, trained on and evaluated with all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from finetrieve.annotation.records import make_records
from finetrieve.annotation.review import review
from finetrieve.app.results import write_queries
from finetrieve.core.corpus import Corpus
from finetrieve.core.rows import Annotation, Chunk, ChunkLink, GeneratedQuery, QueryFacts
from finetrieve.core.tables import to_rows, to_table
from finetrieve.curation.curate import curate
from finetrieve.curation.filters import CopyFilter, NameFilter, RoundTripFilter
from finetrieve.curation.noise import NoiseTransform
from finetrieve.evaluation.pair_sets import generated_eval_set
from finetrieve.generation.assemble import RecipeResults, assemble_rows
from finetrieve.generation.generation_report import generation_report
from finetrieve.generation.settings import GenerationSettings
from finetrieve.training.settings import SplitSettings
from finetrieve.training.split import split_pairs
from finetrieve.training.trainer import _rows

COPIED = "each guest roams between the access points of one building without a break"
CHUNKS = [
    Chunk(f"c{number}", f"doc{number}", "s", title, "", text, 9, 0)
    for number, (title, text) in enumerate(
        [
            ("Guests", "Guests have a password."),
            ("Mesh", f"With a mesh {COPIED}."),
            ("net.mesh_join", "Joins."),
            ("Ports", "Open."),
        ]
    )
]
QUERY = GeneratedQuery("q", "c0", "do guests keep their password in a mesh", None, "multi", "graph", "m", further_chunk_ids="c1")


def kept(*queries: GeneratedQuery, settings: Any, ranker: Any = None) -> tuple[list[GeneratedQuery], list[str]]:
    result = curate(to_table(queries, GeneratedQuery), Corpus(to_table(CHUNKS, Chunk)), [settings], make_ranker=ranker)
    return to_rows(result.queries, GeneratedQuery), result.rejects["reason"].to_pylist()


class Ranks:
    """Gives each chunk a rank of its own, whatever is asked."""

    def ranks(self, queries: Sequence[str], chunk_ids: Sequence[str]) -> list[int]:
        assert len(queries) == len(chunk_ids)
        return [1 + 9 * int(chunk_id[1:]) for chunk_id in chunk_ids]


def test_a_recipes_result_names_the_chunks_and_links_by_their_place_in_the_corpus(tmp_path: Path) -> None:
    settings = GenerationSettings.model_validate({"recipes": [{"name": "linked_sections"}]})
    row = {"query": QUERY.query, "style": "comparison", "further": [1, 3]}
    results = [{"queries": [row], "links": [[3, "entities", 0.5, "guests"]]}, {"queries": []}, {"queries": []}, {"queries": []}]
    table = pa.table({"chunk": range(4), "result": [json.dumps(result) for result in results]})
    chunks = to_table(CHUNKS, Chunk)
    rows = assemble_rows(chunks, {"linked_sections": RecipeResults(table, 4)}, settings, tmp_path)
    [made] = to_rows(rows.queries, GeneratedQuery)
    assert made.chunk_ids == ("c0", "c1", "c3") and made.recipe == "linked_sections"
    [link] = to_rows(rows.links, ChunkLink)
    assert link == ChunkLink("c0", "c3", "linked_sections", "entities", 0.5, "guests", "Guests", "Ports")
    report = generation_report(chunks, rows, {})
    assert report.several_chunks == 1 and report.chunks_without_query == 1
    graph = report.graphs["linked_sections"]
    assert (graph.nodes, graph.edges, graph.components, graph.alone, graph.kinds) == (4, 1, 3, 2, {"entities": 1})


def test_every_chunk_that_it_needs_has_to_be_found() -> None:
    [found], _ = kept(QUERY, settings=RoundTripFilter(top_k=10), ranker=Ranks)
    assert found.round_trip_rank == 10 and found.chunk_ids == ("c0", "c1")
    none, [reason] = kept(QUERY, settings=RoundTripFilter(top_k=9), ranker=Ranks)
    assert not none and reason == "one of the 2 chunks that it needs at rank 10, within 9 wanted"
    _, [reason] = kept(replace(QUERY, further_chunk_ids="", chunk_id="c3"), settings=RoundTripFilter(top_k=9), ranker=Ranks)
    assert reason == "own chunk at rank 28, within 9 wanted"


def test_filters_look_at_every_chunk_that_it_needs() -> None:
    none, [reason] = kept(replace(QUERY, query=COPIED), settings=CopyFilter())
    assert not none and "one run of the chunk's words" in reason
    named = replace(QUERY, query="how does mesh_join treat guests", further_chunk_ids="c2")
    assert kept(named, settings=NameFilter())[1] == ["spells 'mesh_join', the name of what answers it"]


def test_noise_leaves_its_chunks_as_they_are() -> None:
    [changed], _ = kept(QUERY, settings=NoiseTransform(share=1.0, kinds={"keywords": 1}))
    assert changed.query != QUERY.query and changed.chunk_ids == ("c0", "c1")


def test_people_see_every_chunk_and_what_they_edit_keeps_all_of_them() -> None:
    vector = np.array([0.6, 0.8], np.float32)
    by_id = {chunk.id: chunk for chunk in CHUNKS}
    facts = QueryFacts("q", "train", 0.8, None, None, 0.4, "spot check")
    [record] = make_records([facts], {"q": QUERY}, by_id, {"c0": vector}, {"q": vector})
    shown = " ".join(record.fields.values())
    assert "Guests have a password." in shown and COPIED in shown and "Mesh" in shown
    edit = Annotation("q", "c0", "is there one password in a mesh", None, QUERY.query, "multi", "edited", "a", 1.0, True)
    [row] = review([QUERY], [edit], set(by_id)).triplets
    assert row.query == edit.query and row.chunk_ids == ("c0", "c1")


def test_the_split_gives_it_one_side_and_a_pair_with_each_chunk() -> None:
    chunks = [Chunk(f"c{number}", f"doc{number}", "", "", "", f"text {number}", 5, 0) for number in range(200)]
    queries = [
        GeneratedQuery(
            f"q{n}", f"c{n}", f"query {n}", None, "multi", "graph", "m", further_chunk_ids=f"c{(n + 1) % 200} c{(n + 7) % 200}"
        )
        for n in range(200)
    ]
    pairs = split_pairs(queries, chunks, SplitSettings(dev=0.1, test=0.1), groups={}).pairs
    assert len(pairs) == 600 and {pair.split for pair in pairs} == {"train", "dev", "test"}
    sides = {pair.query: {other.split for other in pairs if other.query == pair.query} for pair in pairs[::20]}
    assert all(len(side) == 1 for side in sides.values())
    trained = {pair.chunk_id for pair in pairs if pair.split == "train"}
    only_held_out = {chunk.id for chunk in chunks} - trained
    assert only_held_out  # a document of the test side is no positive of a training query


def test_training_never_takes_one_of_its_chunks_for_a_wrong_answer_and_the_qrels_have_all() -> None:
    pairs = split_pairs([QUERY], CHUNKS, SplitSettings(), groups={}).pairs
    first, second = _rows(pairs, CHUNKS)
    assert first.query == second.query and first.chunk != second.chunk
    found = generated_eval_set(pairs, CHUNKS, pairs[0].split)
    assert found is not None and list(found.qrels.values()) == [{"c0": 1, "c1": 1}]


def test_the_file_of_queries_names_every_chunk(tmp_path: Path) -> None:
    path = write_queries(tmp_path / "out", [QUERY, replace(QUERY, id="r", further_chunk_ids="")], CHUNKS)
    several, one = map(json.loads, path.read_text().splitlines())
    assert [other["page"] for other in several["needs_also"]] == ["doc1"] and "needs_also" not in one

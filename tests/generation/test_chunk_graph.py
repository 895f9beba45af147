"""The graph of chunks: what links them, how many links there are, and questions along the links."""

from __future__ import annotations

import re

import numpy as np
import pytest

from finetrieve.core.errors import InputError
from finetrieve.core.rows import ChunkLink
from finetrieve.core.tables import to_table
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.chunk_graph.graph import (
    ENTITIES,
    MOST_CHUNKS,
    PAGE_LINK,
    SIBLINGS,
    ChunkGraph,
    Link,
    entity_links,
    page_links,
    section_links,
    similarity_links,
    term_graph,
)
from finetrieve.generation.chunk_graph.groups import groups_of
from finetrieve.generation.chunk_graph.neighbours import LEAF, nearest
from finetrieve.generation.chunk_graph.terms import extract_terms
from finetrieve.generation.recipes.corpus_step import check_two_hops
from finetrieve.generation.recipes.linked_questions import LinkedQuestions
from finetrieve.reporting.graph_page import graph_page

ROUTER = [
    ("Wi-Fi", "Guest network", "The guest network has its own password. Guests reach the internet but not your devices."),
    ("Wi-Fi", "Mesh network", "A mesh network joins several access points. Place each satellite within reach of the router."),
    ("Ports", "Open a port", "To open a port, choose Forwarding and enter the number. The game server needs a fixed address."),
    ("Ports", "Set a fixed address", "To set a fixed address, choose the device and tap Reserve. It keeps its number then."),
]


def contexts(rows: list[tuple[str, str, str]] = ROUTER) -> list[ChunkContext]:
    seen: set[str] = set()
    made = []
    for number, (title, section, text) in enumerate(rows):
        made.append(ChunkContext(f"c{number}", title, section, text, title not in seen, True, "en", f"{title}.md"))
        seen.add(title)
    return made


def test_terms_are_the_rare_runs_of_words_between_common_ones() -> None:
    texts = [f"The red valve {number} is closed by the lever of the pump." for number in range(40)]
    texts[7] += " A pressure relief plug guards the boiler."
    found = extract_terms(texts, 3)
    assert "pressure relief plug" in found[7] and found[0] == []  # what all have tells none apart
    assert not any(" the " in f" {term} " for own in found for term in own)


def test_chunks_that_share_a_rare_entity_are_linked_and_what_many_share_links_none() -> None:
    everywhere = [["Menu", f"own {number}"] for number in range(MOST_CHUNKS + 5)]
    everywhere[3].append("Relief plug")
    everywhere[9].append("relief PLUG")
    [link] = entity_links(everywhere, degree=5)
    assert (link.first, link.second, link.kind, link.shared) == (3, 9, ENTITIES, "relief plug")
    assert link.weight == pytest.approx(1.0)  # all that links them is the same


def test_no_chunk_gets_more_links_by_entities_than_wanted() -> None:
    links = list(entity_links([["a hub", f"x{number % 3}", f"y{number % 4}"] for number in range(30)], degree=4))
    ends = [end for link in links for end in (link.first, link.second)]
    assert links and max(ends.count(end) for end in set(ends)) <= 4


def test_the_forest_finds_most_of_the_exact_neighbours() -> None:
    rng = np.random.default_rng(3)
    vectors = np.repeat(rng.standard_normal((LEAF, 16)), 4, axis=0) + 0.2 * rng.standard_normal((4 * LEAF, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    rows, others, scores = nearest(vectors, 3, seed=1)
    exact = vectors @ vectors.T
    np.fill_diagonal(exact, -1)
    best = np.argsort(-exact, axis=1)[:, :3]
    found = set(zip(rows.tolist(), others.tolist(), strict=True))
    right = sum((row, other) in found for row in range(len(vectors)) for other in best[row].tolist())
    assert right > 0.9 * 3 * len(vectors)
    assert np.allclose(scores, exact[rows, others], atol=1e-5) and np.bincount(rows).max() == 3


def test_only_mutual_neighbours_are_linked() -> None:
    # 0 and 1 are nearest to each other; 2 is nearest to 1, which has a nearer one.
    vectors = np.array([[1, 0], [0.98, 0.2], [0.8, 0.6]], dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert [(link.first, link.second) for link in similarity_links(vectors, 1, seed=0)] == [(0, 1)]


def test_sections_side_by_side_and_pages_that_name_each_other_are_linked() -> None:
    chunks = contexts([*ROUTER, ("Start", "", "See [ports](../Ports.md#open) and [nobody](lost.md).")])
    assert {(link.first, link.second) for link in section_links(chunks)} == {(0, 1), (2, 3)}
    [page] = page_links(chunks)
    assert (page.first, page.second, page.kind) == (2, 4, PAGE_LINK)


def test_of_two_links_between_chunks_the_stronger_stays() -> None:
    graph = ChunkGraph.of(3, [Link(0, 1, SIBLINGS, 0.3), Link(0, 1, ENTITIES, 0.8, "plug"), Link(1, 2, SIBLINGS, 0.6)])
    assert [link.kind for link in graph.links] == [ENTITIES, SIBLINGS]
    assert [other for other, _ in graph.neighbours[1]] == [0, 2] and graph.links_of() == {
        0: [[1, ENTITIES, 0.8, "plug"]],
        1: [[2, SIBLINGS, 0.6, ""]],
    }


def test_groups_are_what_hangs_together() -> None:
    pairs = [(0, 1), (0, 2), (1, 2), (3, 4)]
    graph = ChunkGraph.of(6, [Link(first, second, ENTITIES, 0.9) for first, second in pairs])
    assert groups_of(graph, 2) == [[0, 1, 2], [3, 4]]
    assert len(groups_of(graph, 4)) == 4 and len(groups_of(ChunkGraph.of(2, []), 4)) == 2


def test_a_question_of_two_sections_needs_both() -> None:
    chunks = contexts()
    questions = LinkedQuestions(chunks, 13, 1)
    first, row, _ = questions.write(Link(0, 1, SIBLINGS, 0.6))
    assert first == 0 and row is not None and row["further"] == [1] and row["style"] == "comparison"
    assert "guest network" in row["query"].lower() and "mesh network" in row["query"].lower()
    _, steps, _ = questions.write(Link(2, 3, SIBLINGS, 0.6))
    assert steps is not None and steps["style"] == "sequence" and "port" in steps["query"] and "address" in steps["query"]
    assert questions.write(Link(0, 2, SIBLINGS, 0.6))[1] is None  # chunk 0 has its question


def test_a_question_that_one_chunk_alone_could_answer_is_dropped() -> None:
    rows = [*ROUTER[:1], ("Wi-Fi", "Mesh network", "A mesh network joins access points. The guest network spans all of them.")]
    _, row, rejects = LinkedQuestions(contexts(rows), 13, 1).write(Link(0, 1, SIBLINGS, 0.6))
    assert row is None and rejects[0][1] == "the second chunk alone has all of its key words"


def test_the_same_corpus_gives_the_same_graph() -> None:
    first, again = (term_graph(contexts(), 12, 6) for _ in range(2))
    assert first.links == again.links and first.links


def test_a_corpus_too_small_for_two_hops_is_one_line() -> None:
    with pytest.raises(InputError, match=r"Recipe 'graph': the corpus has 1 chunk, and a question of 2 hops needs 2\. Give more"):
        check_two_hops("graph", contexts(ROUTER[:1]))


def test_the_page_draws_the_hubs_and_escapes_every_word() -> None:
    bad = "<script>alert(1)</script>"
    links = [ChunkLink("a", f"b{n}", "graph", "entities", 0.5, bad, f"Hub {bad}", f"Leaf {n} {bad}") for n in range(30)]
    page = graph_page(to_table(links, ChunkLink))
    assert "30 links between 31 chunks" in page and "<line" in page and "(30 links)" in page
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "0 rows" in graph_page(to_table([], ChunkLink))


def test_labels_of_the_picture_stand_inside_it_and_apart() -> None:
    links = [ChunkLink("a", f"b{n}", "graph", "entities", 0.5, "", "Hub", f"A heading of twenty-six {n}") for n in range(8)]
    page = graph_page(to_table(links, ChunkLink))
    width = int(re.findall(r'viewBox="0 0 (\d+) \d+"', page)[0])
    labels = re.findall(r'<text x="(\d+)" y="(\d+)" text-anchor="(\w+)">([^<]+)<', page)
    assert len(labels) == 8
    spans = []
    for x, y, anchor, words in labels:
        reach = 6 * len(words)
        left = int(x) - {"start": 0.0, "middle": reach / 2, "end": reach}[anchor]
        assert left >= 0 and left + reach <= width
        spans.append((int(y), left, left + reach))
    for place, (y, left, right) in enumerate(spans):
        others = [span for span in spans[place + 1 :] if abs(span[0] - y) < 11]
        assert all(right <= first or last <= left for _, first, last in others)

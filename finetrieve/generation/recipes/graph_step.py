"""Recipe `graph` as a distilabel task: entities, the graph, personas, questions, and the check of each chunk alone."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import numpy as np
from distilabel.steps.tasks import TextGeneration
from pydantic import PrivateAttr

from finetrieve.core.text import normalise_query
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.chunk_graph.graph import (
    ChunkGraph,
    entity_links,
    page_links,
    section_links,
    shown_text,
    similarity_links,
)
from finetrieve.generation.chunk_graph.groups import groups_of
from finetrieve.generation.chunk_graph.terms import extract_terms
from finetrieve.generation.llm.distilabel_llm import ProviderLLM
from finetrieve.generation.llm.request import Outcome
from finetrieve.generation.llm.request_scheduler import RequestScheduler
from finetrieve.generation.recipes.base import ChunkResult, RunResources
from finetrieve.generation.recipes.chunk_step import ChunkStep
from finetrieve.generation.recipes.corpus_step import ALL_CHUNKS, check_two_hops, empty_results
from finetrieve.generation.recipes.graph_requests import (
    TERMS,
    ChunkFacts,
    Persona,
    Scenario,
    alone_request,
    draw_scenarios,
    extraction_request,
    given_personas,
    persona_request,
    question_requests,
)
from finetrieve.generation.recipes.graph_settings import GraphSettings
from finetrieve.generation.recipes.llm_step import build_llm_step, is_answered, open_scheduler

_SAMPLES = 6
"""Chunks of a group that are shown where its readers are named."""


class GraphStep(ChunkStep, TextGeneration):
    """Asks an LLM for questions along the links of a graph of all chunks."""

    _scheduler: RequestScheduler = PrivateAttr()

    def open(self) -> None:
        """Opens the response cache and makes what sends requests."""
        self._scheduler = open_scheduler(self, cast(ProviderLLM, self.llm))

    @property
    def _graph_recipe(self) -> GraphSettings:
        return cast(GraphSettings, self.recipe)

    def results(self, chunks: Iterator[ChunkContext]) -> Iterable[ChunkResult]:
        """Yields the results; a question stands with the first of its chunks."""
        recipe, corpus = self._graph_recipe, list(chunks)
        if recipe.needs_several:
            check_two_hops(recipe.label, corpus)
        results = empty_results(corpus)
        # 1. The graph.
        facts = self._facts(corpus, results)
        vectors = self._vectors(corpus)
        graph = build_graph(recipe, corpus, facts, vectors, self.seed)
        for number, own in graph.links_of().items():
            results[number]["links"] = own
        # 2. Who asks, and what.
        personas = given_personas(recipe) or self._personas(facts, graph, results)
        scenarios = [
            scenario
            for number, chunk in enumerate(corpus)
            for scenario in draw_scenarios(recipe, number, chunk, graph, personas, self.seed)
        ]
        # 3. The questions, and whether they need all of their chunks.
        self._ask(scenarios, corpus, results)
        return results

    def _facts(self, corpus: Sequence[ChunkContext], results: Sequence[ChunkResult]) -> list[ChunkFacts]:
        """Returns what is known of each chunk; where the LLM does not say it, the counts of its words do."""
        terms = extract_terms([shown_text(chunk) for chunk in corpus], TERMS)
        counted = [ChunkFacts(" ".join(chunk.text.split())[:300], own) for chunk, own in zip(corpus, terms, strict=True)]
        if self._graph_recipe.extraction == "terms":
            return counted
        outcomes = self._scheduler.send(extraction_request(self._graph_recipe, chunk) for chunk in corpus)
        return [
            found["facts"] if (found := self._parsed(outcome, result)) is not None else instead
            for outcome, result, instead in zip(outcomes, results, counted, strict=True)
        ]

    def _parsed(self, outcome: Outcome, result: ChunkResult) -> dict[str, Any] | None:
        """Returns what was answered, or notes in the result that nothing was."""
        return cast(dict[str, Any], outcome.parsed) if is_answered(outcome, result) else None

    def _vectors(self, corpus: Sequence[ChunkContext]) -> Any:
        """Returns unit vectors `(n_chunks, dim)`, or None without a model."""
        if self._graph_recipe.embedding_model is None:
            return None
        from finetrieve.retrieval.vector_cache import CachedEmbedder

        embedder = CachedEmbedder(self._graph_recipe.embedding_model, precision="auto")
        return embedder.embed([shown_text(chunk) for chunk in corpus], "document")

    def _personas(self, facts: Sequence[ChunkFacts], graph: ChunkGraph, results: Sequence[ChunkResult]) -> list[Persona]:
        """Returns the readers that the LLM names after groups of chunks, each once."""
        wanted = cast(int, self._graph_recipe.personas)
        groups = groups_of(graph, wanted)[:wanted] if wanted else []
        requests = [persona_request(self._graph_recipe, [facts[number].summary for number in own[:_SAMPLES]]) for own in groups]
        named: dict[str, Persona] = {}
        for own, outcome in zip(groups, self._scheduler.send(requests), strict=True):
            if (found := self._parsed(outcome, results[own[0]])) is not None:
                named.setdefault(normalise_query(found["persona"].name), found["persona"])
        return list(named.values())

    def _ask(self, scenarios: Sequence[Scenario], corpus: Sequence[ChunkContext], results: Sequence[ChunkResult]) -> None:
        """Puts the questions of the scenarios into the results."""
        recipe = self._graph_recipe
        drafts = list(question_requests(recipe, scenarios, corpus))
        outcomes = self._scheduler.send(request for request, _ in drafts)
        asked: list[tuple[Scenario, str, bool]] = []
        for scenario, (_, shortened), outcome in zip(scenarios, drafts, outcomes, strict=True):
            if (found := self._parsed(outcome, results[scenario.chunks[0]])) is not None:
                asked.append((scenario, found["question"], shortened or outcome.shortened))
        several = [(scenario, question) for scenario, question, _ in asked if len(scenario.chunks) > 1]
        checks = iter(
            self._scheduler.send(
                alone_request(recipe, question, corpus[number]) for scenario, question in several for number in scenario.chunks
            )
        )
        for scenario, question, shortened in asked:
            result = results[scenario.chunks[0]]
            if len(scenario.chunks) > 1:
                alone = [self._parsed(next(checks), result) for _ in scenario.chunks]
                if (why := _why_one_is_enough(alone)) is not None:
                    result["rejects"].append([question, why])
                    continue
            result["queries"].append(_row(scenario, question, shortened))


def _why_one_is_enough(checks: Sequence[dict[str, Any] | None]) -> str | None:
    """Returns why a question of several chunks is dropped, if it is."""
    for number, found in enumerate(checks, 1):
        if found is None:
            return f"nobody could tell whether chunk {number} of {len(checks)} alone answers it"
        if not found["needs_more"]:
            return f"chunk {number} of {len(checks)} alone answers it"
    return None


def _row(scenario: Scenario, question: str, shortened: bool) -> dict[str, Any]:
    return {
        "query": question,
        "style": f"{scenario.kind}, {scenario.manner}",
        "persona": scenario.persona.name if scenario.persona else "",
        "shortened": shortened,
        "further": list(scenario.chunks[1:]),
    }


def build_graph(
    recipe: GraphSettings,
    corpus: Sequence[ChunkContext],
    facts: Sequence[ChunkFacts],
    vectors: np.ndarray | None,
    seed: int,
) -> ChunkGraph:
    """Returns the graph of the chunks.

    Args:
        recipe: How many links a chunk has.
        corpus: The chunks.
        facts: Of each chunk.
        vectors: Unit vectors `(n_chunks, dim)`, or None.
        seed: Of the search for what is alike.
    """
    alike = similarity_links(vectors, recipe.links_per_chunk, seed) if vectors is not None else ()
    named = entity_links([one.entities for one in facts], recipe.links_per_chunk)
    return ChunkGraph.of(len(corpus), [*named, *alike, *section_links(corpus), *page_links(corpus)])


def build_step(recipe: GraphSettings, seed: int, resources: RunResources) -> GraphStep:
    """Returns the step of a recipe."""
    return build_llm_step(GraphStep, recipe, seed, resources, ALL_CHUNKS)

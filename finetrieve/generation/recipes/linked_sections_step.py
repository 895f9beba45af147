"""Recipe `linked_sections` as a distilabel step: the graph of all chunks first, then the questions along its links."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

from collections.abc import Iterable, Iterator

from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.chunk_graph.graph import term_graph
from finetrieve.generation.recipes.base import ChunkResult
from finetrieve.generation.recipes.chunk_step import ChunkStep
from finetrieve.generation.recipes.corpus_step import ALL_CHUNKS, check_two_hops, empty_results
from finetrieve.generation.recipes.linked_questions import LinkedQuestions


class LinkedSectionsStep(ChunkStep):
    """Writes questions that two linked chunks answer together."""

    terms_per_chunk: int
    links_per_chunk: int
    input_batch_size: int = ALL_CHUNKS

    def results(self, chunks: Iterator[ChunkContext]) -> Iterable[ChunkResult]:
        """Yields the results; a question stands with the first of its chunks."""
        corpus = list(chunks)
        check_two_hops(self.recipe.row_label, corpus)
        graph = term_graph(corpus, self.terms_per_chunk, self.links_per_chunk)
        results = empty_results(corpus)
        for number, own in graph.links_of().items():
            results[number]["links"] = own
        questions = LinkedQuestions(corpus, self.seed, self.recipe.queries_per_chunk)
        for link in sorted(graph.links, key=lambda link: (-link.weight, link.first, link.second)):
            first, row, rejects = questions.write(link)
            results[first]["queries"] += [row] if row else []
            results[first]["rejects"] += rejects
        self.count_done(len(corpus))
        return results

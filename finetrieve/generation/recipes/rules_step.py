"""The rules as a distilabel step; what was written for a chunk is kept in the response cache."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

import contextlib
import functools
import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from pydantic import PrivateAttr

from finetrieve.core.errors import InputError
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.response_cache import CachedResponse, ResponseCache, request_key
from finetrieve.generation.recipes import rules
from finetrieve.generation.recipes.base import CORPUS_WORDS, TOPIC, WORDS, ChunkResult
from finetrieve.generation.recipes.chunk_step import ChunkStep, open_responses
from finetrieve.generation.recipes.rules import write_queries

_COUNTED_AT_ONCE = 64


class RulesStep(ChunkStep):
    """Writes the queries that a chunk answers, best first, with what the quality gate dropped."""

    _cache: ResponseCache | None = PrivateAttr(default=None)

    def open(self) -> None:
        """Opens the cache; rules need none, so one that cannot be used is done without."""
        with contextlib.suppress(InputError):
            self._cache = open_responses(self.run_resources.responses)

    def results(self, chunks: Iterator[ChunkContext]) -> Iterator[str]:
        """Yields the results; of a chunk that fails, the error is the result."""
        while part := list(itertools.islice(chunks, _COUNTED_AT_ONCE)):
            keys = [self._key(chunk) for chunk in part]
            known = self._cache.get(keys) if self._cache else {}
            texts = [
                known[key].text if key in known else json.dumps(self._result(chunk), ensure_ascii=False)
                for key, chunk in zip(keys, part, strict=True)
            ]
            self._keep({key: text for key, text in zip(keys, texts, strict=True) if key not in known})
            self.count_done(len(part), from_cache=len(known))
            yield from texts

    def _key(self, chunk: ChunkContext) -> bytes:
        settings = {"rules": code_version(), "seed": self.seed, "queries": self.recipe.queries_per_chunk}
        passage = asdict(chunk)
        for unread in ("doc_id", TOPIC, WORDS, CORPUS_WORDS):  # a page that moves is asked the same
            del passage[unread]
        return request_key({**settings, "passage": passage})

    def _keep(self, texts: dict[bytes, str]) -> None:
        responses = {key: CachedResponse(text, 0, 0, False) for key, text in texts.items() if '"failures"' not in text}
        if self._cache and responses:
            with contextlib.suppress(InputError):
                self._cache.put_all(responses, self.recipe.generator)

    def _result(self, chunk: ChunkContext) -> ChunkResult:
        try:
            made = write_queries(chunk, self.seed, self.recipe.queries_per_chunk)
        except Exception as error:
            return {"queries": [], "failures": [["", "error", f"{type(error).__name__}: {error}"]]}
        return {"queries": [{"query": query, "style": style} for query, style in made.queries], "rejects": made.rejects}


@functools.cache
def code_version() -> str:
    """Returns a hash of the rules' code, word lists and dictionary: an edit of them writes again."""
    digest = hashlib.sha256(metadata.version("lemminflect").encode())
    for path in sorted(path for path in Path(rules.__file__).parent.rglob("*") if path.suffix in (".py", ".txt", ".tsv")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]

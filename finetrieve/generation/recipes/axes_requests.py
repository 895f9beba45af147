"""What recipe `axes` asks: a question with the passages that support it, and a judge's score."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finetrieve.core.text import normalise_query
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.request import Request
from finetrieve.generation.parse_response import InvalidResponseError
from finetrieve.generation.prompts import escape_delimiters
from finetrieve.generation.recipes.answer_schema import Schema
from finetrieve.generation.recipes.axes_settings import AxesSettings
from finetrieve.generation.recipes.base import Estimate
from finetrieve.generation.recipes.llm_requests import counts_text, estimate_requests, sample_prompts, topic_note
from finetrieve.generation.recipes.passage_requests import TEXT, Fields, object_schema, passages_request, question_in, shown

_QUESTION = """\
Write a question for which these passages have the answer. {query} {reasoning}
It needs exactly {hops} of the passages{why}. It is one line of at most 30 words, in the language of the passages. Whoever asks
has not seen them: nothing points to a passage, and no sentence is copied.
support: for each passage that the answer takes, its number and a quote of a few words or a sentence, copied exactly."""
_JUDGE = """\
Somebody asks:

{question}

Judge the question by what stands above. score: 10 if it is clear without any passage, if what stands above answers all of it, and
if nothing of what stands above could be missing; 0 if it cannot be answered from it. reason: why, in one sentence."""
_LIST: Schema = {
    "type": "array",
    "minItems": 1,
    "items": object_schema(passage={"type": "integer", "minimum": 1}, quote=TEXT),
}
_QUESTION_SCHEMA = object_schema(question=TEXT, support=_LIST)
_JUDGE_SCHEMA = object_schema(reason={"type": "string"}, score={"type": "integer", "minimum": 0, "maximum": 10})


@dataclass(slots=True)
class AxesDraft:
    """A question to be asked for, and what became of it."""

    window: tuple[int, ...]
    """The chunks that are shown, by number."""
    query_type: str
    reasoning_type: str
    hops: int
    again: int
    """How often the same was asked for before."""
    question: str = ""
    support: tuple[int, ...] = ()
    """The chunks that it needs, by number."""
    shortened: bool = False
    about: int = 0
    """The place in the window of the chunk whose topic is named, where one is."""

    @property
    def style(self) -> str:
        """Both axes, as rows have them."""
        return f"{self.query_type}, {self.reasoning_type}"


def plan_drafts(recipe: AxesSettings, chunks: Sequence[ChunkContext], seed: int) -> list[AxesDraft]:
    """Returns the drafts: for every document each query type with each reasoning type as often as the configuration says."""
    documents = defaultdict[str, list[int]](list)
    for number, chunk in enumerate(chunks):
        documents[chunk.doc_id].append(number)
    drafts = []
    for doc_id, own in documents.items():
        source = random.Random(hashlib.sha256(f"{seed}\x1f{recipe.label}\x1f{doc_id}".encode()).digest())
        windows = [tuple(own[start : start + recipe.passages]) for start in range(0, len(own), recipe.passages)]
        before = Counter[tuple[object, ...]]()
        first = source.randrange(len(windows))
        for place, (query_type, reasoning_type) in enumerate(recipe.cells):
            window = windows[(first + place) % len(windows)]
            hops = min(int(source.choices(list(recipe.hops), list(recipe.hops.values()))[0]), len(window))
            key = (window, query_type, reasoning_type, hops)
            drafts.append(AxesDraft(window, query_type, reasoning_type, hops, before[key], about=place % len(window)))
            before[key] += recipe.replacements + 1
    return drafts


def axes_request(recipe: AxesSettings, draft: AxesDraft, chunks: Sequence[ChunkContext]) -> Request:
    """Returns the request for a draft's question; parsed, it has `question` and `support`, places in the window from 0."""
    passages = [shown(chunks[number]) for number in draft.window]

    def check(fields: Fields) -> Fields:
        question = question_in(fields, passages)
        places = {entry["passage"] - 1 for entry in fields["support"]}
        if missing := sorted(place + 1 for place in places if place >= len(passages)):
            raise InvalidResponseError("invalid", f"there is no passage {missing[0]}, only {len(passages)}")
        for entry in fields["support"]:
            words = normalise_query(entry["quote"])
            if f" {words} " not in f" {normalise_query(passages[entry['passage'] - 1].text)} ":
                raise InvalidResponseError(
                    "invalid", f"the quote does not stand in passage {entry['passage']} word for word: {entry['quote'][:80]!r}"
                )
        if len(places) != draft.hops:
            raise InvalidResponseError("invalid", f"it takes {len(places)} of the passages, exactly {draft.hops} wanted")
        return {"question": question, "support": sorted(places)}

    says = _QUESTION.format(
        query=recipe.query_types[draft.query_type],
        reasoning=recipe.reasoning_types[draft.reasoning_type],
        hops=draft.hops,
        why="" if draft.hops == 1 else ", so that whoever has only some of them cannot answer it",
    )
    says = f"{recipe.context}\n\n{says}" if recipe.context else says
    note = topic_note(recipe, [chunks[draft.window[draft.about]]])
    request, draft.shortened = passages_request(recipe, passages, says, _QUESTION_SCHEMA, check, draft.again, note)
    return request


def judge_request(recipe: AxesSettings, draft: AxesDraft, chunks: Sequence[ChunkContext]) -> Request:
    """Returns the request for the judge's score of a question, who sees the passages that support it; parsed, it has `score`."""
    says = _JUDGE.format(question=escape_delimiters(draft.question))
    passages = [shown(chunks[number]) for number in draft.support]
    return passages_request(recipe, passages, says, _JUDGE_SCHEMA, lambda fields: fields)[0]


def estimate_axes(recipe: AxesSettings, chunks: list[ChunkContext], seed: int, responses: Path) -> Estimate:
    """Returns what a recipe would send for the chunks, but for the judge, who sees what was answered.

    Raises:
        InputError: The response cache cannot be used.
    """
    drafts = plan_drafts(recipe, chunks, seed)
    requests = [axes_request(recipe, draft, chunks) for draft in drafts]
    counts = Counter(draft.style for draft in drafts)
    samples = [(chunks[draft.window[0]].id, request.messages) for draft, request in zip(drafts, requests, strict=True)]
    details = [f"  {counts_text(counts)}", f"  and as many judgements: {len(drafts):,}", *sample_prompts(samples)]
    return estimate_requests(recipe, requests, responses, details)

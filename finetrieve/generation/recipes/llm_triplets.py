"""The LLM recipe: distilabel's GenerateSentencePair over chunks, with voices, the answer cache and a fate for every query."""

# No `from __future__ import annotations`: distilabel reads the annotation of `process` as an object.

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from distilabel.steps import StepInput
from distilabel.steps.tasks import GenerateSentencePair, sentence_transformers
from jinja2 import Template
from pydantic import PrivateAttr

from finetrieve.core.errors import InputError
from finetrieve.generation.chunk_context import Passage
from finetrieve.generation.llm.providers.base import Messages
from finetrieve.generation.llm.providers.registry import PROVIDERS, provider_class
from finetrieve.generation.llm.request_scheduler import (
    CHARACTERS_PER_TOKEN,
    EXPECTED_ANSWER_TOKENS,
    STOPPED,
    Asker,
    Outcome,
    Request,
)
from finetrieve.generation.llm.response_cache import request_key
from finetrieve.generation.parse_response import answer_schema, written
from finetrieve.generation.prompts import Asked, UserTemplate, anchor, system_addition, voice_addition
from finetrieve.generation.query_styles import PERSONAS, STYLES, Weighted, drawn_voices
from finetrieve.generation.query_styles import Voice as DrawnVoice
from finetrieve.generation.recipes.registry import Workplace
from finetrieve.generation.run_resources import answers_at, ledger_at, passages_at
from finetrieve.generation.run_state import Ledger
from finetrieve.generation.settings import Budget, TripletRecipe, Voice

PROMPT_VERSION = 1
"""Counted up when the wording of the prompts changes what is asked; part of what made a row."""
_WINDOWS_PER_BATCH = 100
"""A batch ends when its slowest request does: at so many windows of requests the wait weighs little."""
_SMALLEST_BATCH = 4096
SHORTEST_CHUNK = 200
"""Characters: of less no query can be written that the whole chunk answers."""


class WriteTripletsByLLM(GenerateSentencePair):
    """Asks an LLM for the queries of each passage: one request per query, each in a voice of its own."""

    recipe: dict[str, Any]
    seed: int
    answers: str
    """Where the answer cache is."""
    ledger: str
    """Where the ledger is."""
    passages: str
    """Where the passages are."""
    budget: dict[str, Any]

    _settings: TripletRecipe = PrivateAttr()
    _asker: Asker = PrivateAttr()
    _writer: "PromptWriter" = PrivateAttr()
    _ledger: Ledger = PrivateAttr()

    @property
    def inputs(self) -> list[str]:
        """Returns the columns that are read."""
        return ["passage"]

    @property
    def outputs(self) -> list[str]:
        """Returns the column that is written: JSON, since an empty list has no type that Parquet could keep."""
        return ["answer"]

    def load(self) -> None:
        """Loads template, client, cache and ledger in the process that runs the step."""
        self._ledger = ledger_at(self.ledger)
        try:
            self._load()
        except Exception as error:
            # distilabel would only say that some step could not be loaded.
            self._stop(error)
            raise

    def _load(self) -> None:
        super().load()
        self._settings = TripletRecipe.model_validate(self.recipe)
        self._writer = PromptWriter(self._settings, super().format_input)
        schema = answer_schema(self._settings.negative) if self._settings.structured else None
        self._asker = Asker(
            self.llm,
            self._settings,
            schema,
            answers_at(self.answers),
            self._ledger,
            Budget.model_validate(self.budget),
        )

    def process(self, inputs: StepInput) -> Iterator[list[dict[str, Any]]]:
        """Yields the rows with their answers; a query that fails has its failure there, and the others go on."""
        for row, asked in zip(inputs, self._asked([row["passage"] for row in inputs]), strict=True):
            row["answer"] = json.dumps(_answer(asked), ensure_ascii=False)
        yield inputs

    def _asked(self, numbers: list[int]) -> list[list["Fate"]]:
        """Returns the fates of each passage's queries."""
        drawn: list[list[tuple[DrawnVoice, bool]]] = []
        try:
            outcomes = iter(self._asker.ask(self._requests(numbers, drawn)))
            return [[(voice, shortened, next(outcomes)) for voice, shortened in row] for row in drawn]
        except Exception as error:
            # distilabel would make the batch blank and go on: the run stops instead, and says why.
            self._stop(error)
            return [[] for _ in numbers]

    def _requests(self, numbers: list[int], drawn: list[list[tuple[DrawnVoice, bool]]]) -> Iterator[Request]:
        """Yields the requests, written when they are wanted, and notes voices and shortening of each passage's."""
        for passage in passages_at(self.passages, numbers):
            drafts = self._writer.drafts(passage, self.seed)
            drawn.append([(draft.voice, draft.shortened) for draft in drafts])
            yield from (draft.request for draft in drafts)

    def _stop(self, error: Exception) -> None:
        self._ledger.stop("input" if isinstance(error, InputError) else "error", f"{error}" or type(error).__name__)


Fate = tuple[DrawnVoice, bool, Outcome]
"""The voice of a query, whether its chunk was shortened before it was asked for, and what became of it."""


def _answer(asked: list[Fate]) -> dict[str, Any]:
    queries, failures, unasked = [], [], 0
    for voice, shortened, outcome in asked:
        if outcome.text is not None:
            queries.append(
                {
                    "query": outcome.read.query,
                    "negative": outcome.read.negative,
                    "style": voice.style,
                    "persona": voice.persona,
                    "shortened": outcome.shortened or shortened,
                }
            )
        elif outcome is STOPPED or not outcome.failure:
            unasked += 1
        else:
            failures.append([outcome.raw, outcome.failure, outcome.reason])
    return {"queries": queries, "failures": failures, "unasked": unasked}


class Draft:
    """One query to be asked for, with the voice it was drawn and the passage it is about."""

    def __init__(self, request: Request, voice: DrawnVoice, passage: Passage, shortened: bool) -> None:
        self.request, self.voice, self.passage, self.shortened = request, voice, passage, shortened


class PromptWriter:
    """Writes the requests of a recipe; the same for the same passage and seed, whatever else is in the corpus."""

    def __init__(self, recipe: TripletRecipe, format_input: Any) -> None:
        self._recipe, self._format = recipe, format_input
        self._template = UserTemplate(Path(recipe.template)) if recipe.template else None
        self._styles = _weighted(recipe.styles, STYLES)
        self._personas = _weighted(recipe.personas, PERSONAS)

    def drafts(self, passage: Passage, seed: int) -> list[Draft]:
        """Returns the drafts of a passage, one per query."""
        count = self._recipe.queries_per_chunk
        voices = drawn_voices(self._styles, self._personas, count, seed, f"{self._recipe.label}\x1f{passage.id}")
        seen: dict[tuple[str, str], int] = {}
        drafts = []
        for voice in voices:
            again = seen[voice.style, voice.persona] = seen.get((voice.style, voice.persona), -1) + 1
            drafts.append(self._draft(passage, voice, again))
        return drafts

    def _draft(self, passage: Passage, voice: DrawnVoice, again: int) -> Draft:
        share = self._share_that_fits(passage, voice)
        messages = self._messages(passage, voice, share)
        recipe = self._recipe
        key = request_key(
            {
                "provider": recipe.provider,
                "base_url": recipe.base_url,
                "model": recipe.model,
                "sampling": recipe.sampling.model_dump(exclude_none=True),
                "schema": answer_schema(recipe.negative) if recipe.structured else None,
                "messages": messages,
                "again": again,
            }
        )
        request = Request(
            key,
            messages,
            lambda text: written(text, recipe.negative, passage.text),
            lambda part: self._messages(passage, voice, share * part),
        )
        return Draft(request, voice, passage, share < 1.0)

    def _share_that_fits(self, passage: Passage, voice: DrawnVoice) -> float:
        """Returns how much of the chunk the model's window takes, when the configuration names a window."""
        window = self._recipe.window
        if window is None:
            return 1.0
        whole = sum(len(message["content"]) for message in self._messages(passage, voice, 1.0))
        answer = self._recipe.sampling.max_tokens or 2 * EXPECTED_ANSWER_TOKENS
        excess = whole - (window - answer) * CHARACTERS_PER_TOKEN
        share = 1.0 - excess / max(len(passage.text), 1)
        if excess > 0 and share * len(passage.text) < min(SHORTEST_CHUNK, len(passage.text) / 2):
            needed = (whole - len(passage.text) + SHORTEST_CHUNK) / CHARACTERS_PER_TOKEN + answer
            raise InputError(
                f"Recipe '{self._recipe.label}': a window of {window:,} tokens leaves no room for the chunk; what is said around "
                f"it and the answer need about {needed:,.0f}. Raise context_window, or lower sampling.max_tokens."
            )
        return min(1.0, share)

    def _messages(self, passage: Passage, voice: DrawnVoice, share: float) -> Messages:
        text = passage.text if share >= 1.0 else _start_of(passage.text, int(len(passage.text) * share))
        asked = Asked(text, passage.title, passage.section)
        system, user = self._format({"anchor": anchor(asked)})
        system_text = f"{system['content']} {system_addition(self._recipe.negative, self._recipe.structured)}"
        if self._template is not None:
            said = self._template.render(asked, self._recipe.context, voice)
        else:
            said = f"{user['content'].strip()}\n\n{voice_addition(voice)}"
        return [{"role": "system", "content": system_text}, {"role": "user", "content": said}]


def _start_of(text: str, characters: int) -> str:
    """Returns the start of a text, up to the end of a word."""
    start = text[: max(1, characters)]
    return start.rsplit(None, 1)[0] if len(start.split()) > 1 and not text[len(start) : len(start) + 1].isspace() else start


def _weighted(chosen: Mapping[str, Voice], known: Mapping[str, str]) -> Weighted:
    return {name: (voice.weight, voice.says or known[name]) for name, voice in sorted(chosen.items())}


def prompt_writer(recipe: TripletRecipe) -> PromptWriter:
    """Returns the writer of a recipe's requests without a client: for a dry run."""
    template = Path(sentence_transformers.__file__).parent / "templates" / "generate-sentence-pair.jinja2"
    task = SimpleNamespace(
        triplet=recipe.negative,
        action="query",
        hard_negative=recipe.hard_negative,
        context=recipe.context,
        _template=Template(template.read_text(encoding="utf-8")),
    )
    return PromptWriter(recipe, functools.partial(GenerateSentencePair.format_input, task))


def llm_of(recipe: TripletRecipe, key_env: str | None) -> Any:
    """Returns the distilabel LLM of a recipe.

    Args:
        recipe: Its settings.
        key_env: The environment variable that holds the key, when it is not the provider's usual one.
    """
    extra = dict(recipe.sampling.extra)
    if recipe.provider == "ollama" and recipe.context_window is not None:
        extra.setdefault("num_ctx", recipe.context_window)
    place = {
        "openai": "base_url",
        "azure": "base_url",
        "ollama": "host",
        "huggingface": "base_url",
        "anthropic": "base_url",
        "mistral": "endpoint",
        "litellm": "base_url",
    }.get(recipe.provider)
    arguments: dict[str, Any] = {"model": recipe.model}
    if recipe.provider == "huggingface":
        arguments = {"served_model": recipe.model, "model_id": None if recipe.base_url else recipe.model}
    if place is not None and recipe.base_url is not None:
        arguments[place] = recipe.base_url
    llm = provider_class(recipe.provider)(
        **arguments,
        sampling={**recipe.sampling.model_dump(), "extra": extra},
        key_env=key_variable(recipe, key_env),
        request_seconds=recipe.timeout,
    )
    # distilabel's own classes read keys into fields when they are made; ours read them where they ask, and a field is pickled.
    for field in {"api_key", "token"} & set(type(llm).model_fields):
        setattr(llm, field, None)
    return llm


def key_variable(recipe: TripletRecipe, key_env: str | None) -> str | None:
    """Returns the environment variable that holds a recipe's key, if it has one.

    Args:
        recipe: Its settings.
        key_env: The variable in which its key was put, when it came from a ZenML secret.
    """
    return key_env or recipe.api_key_env or PROVIDERS[recipe.provider].key_env


def triplet_step(recipe: TripletRecipe, seed: int, place: Workplace) -> WriteTripletsByLLM:
    """Returns the step for a recipe's settings; made inside a `with Pipeline()` block."""
    batch = max(_SMALLEST_BATCH, _WINDOWS_PER_BATCH * recipe.concurrency) // recipe.queries_per_chunk
    return WriteTripletsByLLM(
        name=recipe.label,
        llm=llm_of(recipe, place.key_envs.get(recipe.label)),
        triplet=recipe.negative,
        action="query",
        hard_negative=recipe.hard_negative,
        context=recipe.context,
        recipe=recipe.model_dump(mode="json"),
        seed=seed,
        answers=place.answers,
        ledger=place.ledger,
        passages=place.passages,
        budget=place.budget.model_dump(),
        input_batch_size=max(1, batch),
        use_cache=False,
        add_raw_output=False,
        add_raw_input=False,
    )

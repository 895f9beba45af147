"""The base class of recipes, which write queries for chunks, and the registry of those that exist. Imports nothing heavy."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field

from finetrieve.core.plugins import NamedSettings, Registry, plugin_name
from finetrieve.core.settings import Settings

if TYPE_CHECKING:
    from distilabel.steps import Step

    from finetrieve.generation.chunk_context import ChunkContext

Weight = Annotated[float, Field(gt=0)]
QUERY_LOGS = "query_logs"
"""In place of a list of queries that people typed: those of the configuration's `query_logs`, and of --queries."""

TOPIC, WORDS, CORPUS_WORDS = "topic", "words", "corpus_words"
"""Fields of `ChunkContext` that only a look at the whole corpus fills, for the recipes that ask for them."""

BATCH_SIZE = 256
"""Chunks per batch: what a batch costs in the queues is what counts."""
ON_COORDINATOR = "ray:coordinator"
"""In place of a file's path: the step runs on a Ray cluster and asks the coordinator of its run."""

ChunkResult = dict[str, Any]
"""What a recipe made of a chunk: `queries` [{query, style, and where there are: negative, persona, shortened, and `further`,
the numbers of the other chunks that it needs}] best first, `rows` [{columns, attributes}] of rows that are no queries for the
chunk, `rejects` [[query, reason]], `failures` [[raw response, kind, reason]], `unasked` how many requests were not made any more,
`answered` how many were, where it is not one per query, `links` [[number of another chunk, kind, weight, what they share]]."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one recipe would send to an LLM."""

    queries: int = 0
    cached: int = 0
    input_tokens: int = 0
    """Of the requests that the cache does not answer; about four characters each."""
    output_tokens: int = 0
    money: float | None = None
    """None without a price."""
    details: list[str] = field(default_factory=list)
    """Further lines for people: the styles, sample prompts."""


class RunResources(Settings):
    """What the steps of one generation share; passed to each process."""

    run_state: str
    """File of the run's state, or `ON_COORDINATOR`; the next two likewise."""
    responses: str
    """Directory of the response cache."""
    chunks: str
    """File of the chunk contexts."""
    budget: dict[str, Any]
    key_envs: dict[str, str] = Field(default={})
    """Recipe label -> the environment variable in which its key was put, for keys from a ZenML secret."""


class Recipe(Settings):
    """A way to write queries: its settings, and what it can do. A new recipe is one such class that has a `step`."""

    description: ClassVar[str] = ""
    asks_llm: ClassVar[bool] = False
    """Its unit of work is a request, which may fail and cost money; else a chunk, and machines can share the work."""
    imitating_key: ClassVar[str] = ""
    """The setting that may be `query_logs`, in place of a list of queries that people typed; empty where there is none."""

    languages: ClassVar[frozenset[str] | None] = None
    """Those that it writes in, as ISO 639-1 codes; chunks in others get no queries. None: in the language of any chunk."""

    name: str
    """As the configuration has it; the class's own name is the default."""
    queries_per_chunk: int = Field(default=1, ge=1, le=20)
    """At most so many queries are kept per chunk."""
    weight: Weight | None = None
    """Share of this recipe's rows among all, relative to the others' weights; without weights every row is kept."""

    @property
    def row_label(self) -> str:
        """Returns the name under which the recipe's rows are kept: letters, digits, `-` and `_`."""
        return plugin_name(type(self))

    @property
    def generator(self) -> str:
        """Returns what wrote the queries, as rows have it: a model, or a version."""
        return self.row_label

    @property
    def requests_per_chunk(self) -> int:
        """Returns how many units of progress a chunk has."""
        return self.queries_per_chunk if self.asks_llm else 1

    @property
    def corpus_facts(self) -> frozenset[str]:
        """Returns what it has to know of a chunk that only the whole corpus tells: fields of `ChunkContext`."""
        return frozenset()

    @property
    def wants_gpu(self) -> bool:
        """Whether its step runs a model in its own process: on a cluster with GPUs it gets one."""
        return False

    @property
    def gpu_needed_by(self) -> str:
        """Returns what cannot run without a GPU, as messages call it, or an empty string."""
        return ""

    def check_requirements(self) -> None:
        """Checks that what the recipe needs of this machine is there.

        Raises:
            InputError: A client library or a key is missing.
        """

    def check(self, engine: str) -> None:
        """Checks everything that can be found wrong before anything runs, for generation's `engine`.

        Raises:
            InputError: A client library, a key, a model or a template is missing.
        """
        self.check_requirements()

    @property
    def key_secret(self) -> str | None:
        """Returns the ZenML secret that holds the recipe's key, as `secret.key`."""
        return None

    def key_variables(self, key_envs: Mapping[str, str]) -> Iterator[str]:
        """Yields the environment variables whose values the step's process needs.

        Args:
            key_envs: As in `RunResources`.
        """
        yield from ()

    @property
    def imitates_logs(self) -> bool:
        """Whether it shows an LLM the queries of the configuration's `query_logs`."""
        return bool(self.imitating_key) and getattr(self, self.imitating_key) == QUERY_LOGS

    def with_queries(self, queries: Sequence[str]) -> Self:
        """Returns the recipe with queries that people typed, where it imitates those of `query_logs`."""
        return self.model_copy(update={self.imitating_key: list(queries)}) if self.imitates_logs else self

    def files(self) -> list[Path]:
        """Returns the files beside the configuration that decide the queries."""
        return []

    def models(self) -> list[str]:
        """Returns the embedding models whose content decides the queries: directories, Hub ids, `embedded`."""
        return []

    def plugins(self) -> list[type]:
        """Returns the classes that the settings name, the recipe's own included: their code decides the queries."""
        return [type(self)]

    def estimate(self, chunks: list[ChunkContext], seed: int, responses: Path) -> Estimate:
        """Returns what the recipe would send to an LLM for the chunks, sending nothing.

        Args:
            chunks: The corpus.
            seed: Of every draw.
            responses: Directory of the response cache.
        """
        return Estimate()

    @abstractmethod
    def step(self, seed: int, resources: RunResources) -> Step:
        """Returns the distilabel step; called inside a `with Pipeline()` block. It is a `ChunkStep`, or behaves as one."""
        raise NotImplementedError


RECIPES: Registry[Recipe] = Registry(
    "recipe",
    "finetrieve.recipes",
    Recipe,  # type: ignore[type-abstract]
    [
        "finetrieve.generation.recipes.rules_recipe:RulesRecipe",
        "finetrieve.generation.recipes.linked_sections:LinkedSectionsRecipe",
        "finetrieve.generation.recipes.triplet:TripletRecipe",
        "finetrieve.generation.recipes.prompt:PromptRecipe",
        "finetrieve.generation.recipes.few_shot:FewShotRecipe",
        "finetrieve.generation.recipes.descriptions:DescriptionsRecipe",
        "finetrieve.generation.recipes.tasks:TasksRecipe",
        "finetrieve.generation.recipes.graph:GraphRecipe",
        "finetrieve.generation.recipes.axes:AxesRecipe",
    ],
)
"""The recipes, by the name that they have in a configuration."""

AnyRecipe = Annotated[Recipe, NamedSettings(RECIPES)]

"""What a configuration can say about generation. Light: the command line reads it before anything heavy is imported."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from finetrieve.core.errors import unknown_name
from finetrieve.core.paths import ConfigPath
from finetrieve.generation.llm.providers.registry import PROVIDERS
from finetrieve.generation.query_styles import PERSONAS, STYLES

OLLAMA_WINDOW = 4096
"""Tokens that Ollama reads when it is told no number."""
Weight = Annotated[float, Field(gt=0)]


class Voice(BaseModel):
    """A style or a persona: how often it is drawn, and what it tells the LLM when it is none of those that exist."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: Weight = 1.0
    says: str = ""


class RulesRecipe(BaseModel):
    """Queries written by rules from what a chunk itself says: no model, no network."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["rules"] = "rules"
    queries_per_chunk: int = Field(default=6, ge=1, le=20)
    """At most so many queries are kept per chunk; a chunk that offers fewer good ones gets fewer."""
    weight: Weight | None = None
    """Share of this recipe's rows among all, relative to the others' weights; without weights every row is kept."""


class Sampling(BaseModel):
    """What is asked of the model beyond the messages; what is not set is not sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=16)
    """Of the answer. Anthropic's API demands a number: 1,024 there when none is set."""
    seed: int | None = None
    extra: dict[str, str | int | float | bool] = {}
    """Further fields of the provider's own, such as `reasoning_effort` (OpenAI) or `num_ctx` (Ollama)."""

    @field_validator("extra")
    @classmethod
    def _no_keys(cls, extra: dict[str, Any]) -> dict[str, Any]:
        for name in extra:
            if re.search(r"(?i)(^|_)(api_?key|token|secret|password|authorization)$", name):
                raise ValueError(f"'{name}' would be written down; keys come from the environment: see api_key_env.")
        return extra


class Price(BaseModel):
    """What the provider charges, in any currency, per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class TripletRecipe(BaseModel):
    """Queries that an LLM writes, with a negative each: distilabel's GenerateSentencePair, action `query`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["triplet"] = "triplet"
    label: str = Field(default="triplet", pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    """Tells several recipes of this kind apart, in rows and reports."""
    provider: str
    model: str = Field(min_length=1)
    base_url: str | None = None
    """Of a server that speaks the provider's protocol: vLLM, TGI, LM Studio and llama.cpp speak `openai`'s."""
    api_key_env: str | None = None
    """The environment variable that holds the key; null: the provider's usual one."""
    api_key_secret: str | None = None
    """The ZenML secret that holds the key, as `secret.key`."""
    queries_per_chunk: int = Field(default=1, ge=1, le=20)
    negative: bool = True
    """Also ask for a query that the chunk does not answer."""
    hard_negative: bool = False
    """That query looks like one the chunk answers."""
    context: str = ""
    """Tells the LLM what the documents are."""
    styles: dict[str, Voice] = {name: Voice() for name in STYLES}
    """Name -> its weight, or for one of your own `{weight: ..., says: ...}`."""
    personas: dict[str, Voice] = {}
    """Likewise; empty: nobody in particular asks."""
    template: ConfigPath | None = None
    """A Jinja file that writes the user message itself."""
    structured: bool = True
    """Constrain the answer to JSON where the provider can; every answer is validated either way."""
    sampling: Sampling = Sampling()
    context_window: int | None = Field(default=None, ge=256)
    """Tokens that the model reads, about four characters each; a chunk that does not fit is shortened, and its rows say so.

    Null: what the provider says when a request is too long. Ollama says nothing and cuts: there it is sampling's
    `num_ctx`, or 4,096, and a number given here is sent as `num_ctx`.
    """
    concurrency: int = Field(default=16, ge=1, le=1024)
    timeout: float = Field(default=120.0, gt=0)
    """Seconds that one request may take."""
    retries: int = Field(default=6, ge=0, le=20)
    """After a failed request: 429, 5xx, a time-out, a dropped connection."""
    asks: int = Field(default=6, ge=1, le=10)
    """How often a query is asked for until the answer can be used."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)
    price: Price | None = None
    weight: Weight | None = None

    @property
    def window(self) -> int | None:
        """Returns the tokens that a request may have, when that is known before it is made."""
        if self.context_window is not None or self.provider != "ollama":
            return self.context_window
        return int(self.sampling.extra.get("num_ctx", OLLAMA_WINDOW))

    @field_validator("provider")
    @classmethod
    def _known_provider(cls, name: str) -> str:
        if name not in PROVIDERS:
            raise unknown_name("provider", name, PROVIDERS)
        return name

    @field_validator("styles", "personas", mode="before", json_schema_input_type=dict[str, Weight | Voice])
    @classmethod
    def _plain_weights(cls, voices: Any) -> Any:
        """A bare number is a weight."""
        if not isinstance(voices, dict):
            return voices
        return {name: {"weight": voice} if isinstance(voice, int | float) else voice for name, voice in voices.items()}

    @field_validator("base_url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        if url is not None and re.match(r"https?://[^/]*@", url):
            raise ValueError("it holds a user or a key, which would be written down; keys come from the environment.")
        if url is not None and not re.fullmatch(r"https?://[^\s/]+\S*", url):
            raise ValueError(f"'{url}' is no address; expected one like http://127.0.0.1:8000/v1.")
        return url

    # What stands here by mistake may be the key itself: it is not shown.
    @field_validator("api_key_env")
    @classmethod
    def _variable(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,80}", name):
            raise ValueError("expected the name of an environment variable that holds the key, never the key itself.")
        return name

    @field_validator("api_key_secret")
    @classmethod
    def _secret(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[^.\s]{1,80}\.[^.\s]{1,80}", name):
            raise ValueError("expected `secret.key`: a ZenML secret and the key in it, never the key itself.")
        return name

    @model_validator(mode="after")
    def _usable(self) -> TripletRecipe:
        if not self.styles:
            raise ValueError("styles: empty; name at least one, or leave the key out for all of them.")
        for kind, chosen, known in (("style", self.styles, STYLES), ("persona", self.personas, PERSONAS)):
            for name, value in chosen.items():
                if not value.says and name not in known:
                    raise ValueError(f"{unknown_name(kind, name, known)} One of your own: {name}: {{weight: 1, says: ...}}.")
        if self.provider == "azure" and self.base_url is None:
            raise ValueError("provider 'azure' needs base_url: the endpoint of your resource.")
        if self.hard_negative and not self.negative:
            raise ValueError("hard_negative: true needs negative: true.")
        return self


Recipe = Annotated[RulesRecipe | TripletRecipe, Field(discriminator="name")]


def label_of(recipe: RulesRecipe | TripletRecipe) -> str:
    """Returns the name under which a recipe's rows are kept."""
    return recipe.label if isinstance(recipe, TripletRecipe) else recipe.name


class Budget(BaseModel):
    """The most that one generation may spend on answers that the cache does not hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1)
    money: float | None = Field(default=None, gt=0)
    """In the currency of the recipes' prices."""
    when_spent: Literal["stop", "go_on"] = "stop"
    """`stop`: the step fails and keeps the answers; `go_on`: train on what there is."""


class GenerationSettings(BaseModel):
    """The recipes that write queries, each over every chunk."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipes: list[Recipe] = Field(default=[RulesRecipe()], min_length=1)
    answers: ConfigPath | None = None
    """Directory of the answer cache; null: `finetrieve/answers` in the user's cache directory."""
    max_failed_share: float = Field(default=0.05, ge=0, le=1)
    """More failed requests than this share fail the step rather than train on scraps."""
    budget: Budget = Budget()
    engine: Literal["local", "ray"] = "local"
    ray_address: str | None = None
    """Of the Ray cluster for engine `ray`: `host:port`, or `auto` for the one that runs here; null: RAY_ADDRESS's, or else a new
    one on this machine."""

    @model_validator(mode="after")
    def _told_apart(self) -> GenerationSettings:
        labels = [label_of(recipe) for recipe in self.recipes]
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"recipes: '{twice[0]}' is there twice; give each recipe of a kind its own label.")
        weighted = [recipe.weight is not None for recipe in self.recipes]
        if any(weighted) and not all(weighted):
            raise ValueError("recipes: give every recipe a weight, or none.")
        if self.budget.money is not None:
            for recipe in self.recipes:
                if isinstance(recipe, TripletRecipe) and recipe.price is None:
                    raise ValueError(
                        f"budget.money needs the price of recipe '{recipe.label}': price: {{input: ..., output: ...}}."
                    )
        return self

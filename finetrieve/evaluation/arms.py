"""The arms: what is compared in every table. Light: the command line reads it before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from finetrieve.core.errors import unknown_name
from finetrieve.core.plugins import Registry

if TYPE_CHECKING:
    from finetrieve.core.arrays import FloatMatrix

Part = Literal["dense", "late", "lexical", "cross"]
BASE = "base"
FINETUNED = "finetuned"
MODELS = (BASE, FINETUNED)


class ArmInputs(Protocol):
    """What an arm can score a block of queries by; all scores are `(n_queries, n_units)`."""

    def part(self, arm: Arm) -> FloatMatrix:
        """Returns the scores of an arm's one part."""
        ...

    def fuse(self, arm: Arm) -> FloatMatrix:
        """Returns the fused scores of an arm's parts."""
        ...

    def rerank(self, arm: Arm) -> FloatMatrix:
        """Returns the scores of an arm that puts the first results of another one in a new order."""
        ...


@dataclass(frozen=True)
class Arm:
    """One way to search: what it is called, what it needs, and how it scores. One of your own is a subclass with defaults."""

    name: str
    """That of an arm of the fine-tuned model ends in `finetuned`."""
    description: str
    parts: tuple[Part, ...]
    """What its scores are made of."""
    model: str | None = None
    """`base` or `finetuned`, where it needs a model."""
    first_stage: str | None = None
    """The arm whose first results it puts in a new order; None searches the whole corpus."""
    depth: int | None = None
    """How many it puts in a new order; None takes `rerank_depth` of the settings."""

    @property
    def is_fused(self) -> bool:
        """Whether it adds up several parts, by weights that dev may choose."""
        return len(self.parts) > 1

    @property
    def needs_tokens(self) -> bool:
        """Whether it compares token vectors."""
        return "late" in self.parts

    @property
    def needs_reranker(self) -> bool:
        """Whether it needs a cross-encoder."""
        return "cross" in self.parts

    def score(self, inputs: ArmInputs) -> FloatMatrix:
        """Returns scores `(n_queries, n_units)` of a block of queries, higher is better."""
        if self.first_stage is not None:
            return inputs.rerank(self)
        return inputs.fuse(self) if self.is_fused else inputs.part(self)


def _built_in() -> Iterable[Arm]:
    yield Arm("bm25", "BM25 over the stems of each text's language: the baseline that needs no model", ("lexical",))
    whose = {BASE: "the base model", FINETUNED: "the fine-tuned model"}
    all_parts: tuple[Part, ...] = ("dense", "late", "lexical")
    for model in MODELS:
        yield Arm(model, f"{whose[model]}'s dense vectors", ("dense",), model)
    for model in MODELS:
        name = f"BM25 and {whose[model]}'s dense vectors, fused as dev chose"
        yield Arm(f"hybrid_{model}", name, ("dense", "lexical"), model)
    for model in MODELS:
        yield Arm(f"late_{model}", f"late interaction of {whose[model]}'s token vectors", ("late",), model)
    for model in MODELS:
        name = f"BM25, {whose[model]}'s dense vectors and late interaction, fused as dev chose"
        yield Arm(f"fused_{model}", name, all_parts, model)
    for depth in (20, 100):
        for model in MODELS:
            name = f"the first {depth} of hybrid_{model}, put in a new order by late interaction"
            yield Arm(f"rerank{depth}_{model}", name, all_parts, model, f"hybrid_{model}", depth)
    for model in MODELS:
        name = f"the first of hybrid_{model}, put in a new order by the cross-encoder that `reranker` names"
        yield Arm(f"cross_{model}", name, ("cross",), model, f"hybrid_{model}")


ARMS: dict[str, Arm] = {arm.name: arm for arm in _built_in()}
"""The arms that are always there, and scored where a configuration names none."""
PLUGINS = Registry("arm", "finetrieve.arms", Arm, [])
"""Arms of other packages, by entry point or dotted name."""


def arm_of(name: str) -> Arm:
    """Returns the arm of a name, an entry point or a dotted name.

    Raises:
        InputError: There is none, or it cannot be loaded.
    """
    if name in ARMS:
        return ARMS[name]
    if name not in PLUGINS:
        raise unknown_name("arm", name, [*ARMS, *PLUGINS.names()])
    return PLUGINS.get(name)()  # type: ignore[call-arg]  # a subclass has a default for each field


UNTRAINED = ("bm25", "base", "hybrid_base", "late_base", "fused_base")
"""The best of them is what a fine-tuned arm has to beat."""

COMPARISONS: tuple[tuple[str, str], ...] = (
    ("finetuned", "base"),
    ("late_finetuned", "late_base"),
    ("fused_finetuned", "fused_base"),
    ("hybrid_finetuned", "hybrid_base"),
    ("finetuned", "bm25"),
    ("fused_finetuned", "bm25"),
    ("fused_finetuned", "base"),
    ("fused_finetuned", "hybrid_base"),
    ("fused_finetuned", "late_base"),
    ("fused_finetuned", "finetuned"),
    ("hybrid_base", "bm25"),
    ("hybrid_finetuned", "bm25"),
    ("hybrid_finetuned", "finetuned"),
    ("rerank20_finetuned", "fused_finetuned"),
    ("rerank100_finetuned", "fused_finetuned"),
    ("rerank20_base", "fused_base"),
    ("rerank100_base", "fused_base"),
    ("cross_finetuned", "cross_base"),
    ("cross_finetuned", "hybrid_finetuned"),
    ("cross_finetuned", "fused_finetuned"),
    ("cross_base", "hybrid_base"),
)
"""(arm, against): the questions that a paired bootstrap answers, the main one first."""
COMPARED_METRICS = ("ndcg@10", "mrr@10", "recall@10")


def known_arm(name: str) -> str:
    """Returns the name of an arm.

    Raises:
        InputError: No arm has it.
    """
    arm_of(name)
    return name


def compared_with(arms: list[str], best_untrained: str | None) -> list[tuple[str, str]]:
    """Returns the (arm, against) to compare: COMPARISONS, and every fine-tuned arm against the best that needs no training.

    Args:
        arms: Those that were scored.
        best_untrained: One of UNTRAINED, or None when none was scored.
    """
    pairs = [pair for pair in COMPARISONS if all(arm in arms for arm in pair)]
    if best_untrained is not None:
        pairs += [(arm, best_untrained) for arm in arms if arm_of(arm).model == FINETUNED]
        pairs += [(best_untrained, plain) for plain in (BASE, "bm25") if plain in arms and plain != best_untrained]
    return list(dict.fromkeys(pairs))


def left_out(arms: list[str], models: set[str], has_tokens: bool, has_reranker: bool) -> dict[str, str]:
    """Returns arm -> why it cannot be scored."""
    names = {BASE: "there is no base model", FINETUNED: "there is no fine-tuned model"}
    reasons = {}
    for name in arms:
        arm = arm_of(name)
        if arm.model is not None and arm.model not in models:
            reasons[name] = names[arm.model]
        elif arm.needs_tokens and not has_tokens:
            reasons[name] = "the model gives no token vectors"
        elif arm.needs_reranker and not has_reranker:
            reasons[name] = "no `reranker` is set"
    return reasons

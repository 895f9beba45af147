"""The arms: what is compared in every table. Light: the command line reads it before anything heavy is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from finetrieve.core.errors import unknown_name

Part = Literal["dense", "late", "lexical", "cross"]
BASE = "base"
FINETUNED = "finetuned"
MODELS = (BASE, FINETUNED)


@dataclass(frozen=True)
class Arm:
    """One way to retrieve: a source of scores, the fusion of several, or one that puts another's first results in a new order."""

    name: str
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

    @property
    def is_untrained(self) -> bool:
        """Whether it needs no fine-tuned model."""
        return self.model != FINETUNED


def _arms() -> list[Arm]:
    arms = [Arm("bm25", "BM25 over English stems: the baseline that needs no model", ("lexical",))]
    whose = {BASE: "the base model", FINETUNED: "the fine-tuned model"}
    arms += [Arm(model, f"{whose[model]}'s dense vectors", ("dense",), model) for model in MODELS]
    for model in MODELS:
        name = f"BM25 and {whose[model]}'s dense vectors, fused as dev chose"
        arms.append(Arm(f"hybrid_{model}", name, ("dense", "lexical"), model))
    for model in MODELS:
        arms.append(Arm(f"late_{model}", f"late interaction of {whose[model]}'s token vectors", ("late",), model))
    for model in MODELS:
        name = f"BM25, {whose[model]}'s dense vectors and late interaction, fused as dev chose"
        arms.append(Arm(f"fused_{model}", name, ("dense", "late", "lexical"), model))
    for depth in (20, 100):
        for model in MODELS:
            name = f"the first {depth} of hybrid_{model}, put in a new order by late interaction"
            parts: tuple[Part, ...] = ("dense", "late", "lexical")
            arms.append(Arm(f"rerank{depth}_{model}", name, parts, model, f"hybrid_{model}", depth))
    for model in MODELS:
        name = f"the first of hybrid_{model}, put in a new order by the cross-encoder that `reranker` names"
        arms.append(Arm(f"cross_{model}", name, ("cross",), model, f"hybrid_{model}"))
    return arms


ARMS: dict[str, Arm] = {arm.name: arm for arm in _arms()}

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
    if name not in ARMS:
        raise unknown_name("arm", name, ARMS)
    return name


def compared_with(arms: list[str], best_untrained: str | None) -> list[tuple[str, str]]:
    """Returns the (arm, against) to compare: COMPARISONS, and every fine-tuned arm against the best that needs no training.

    Args:
        arms: Those that were scored.
        best_untrained: One of UNTRAINED, or None when none was scored.
    """
    pairs = [pair for pair in COMPARISONS if all(arm in arms for arm in pair)]
    if best_untrained is not None:
        pairs += [(arm, best_untrained) for arm in arms if ARMS[arm].model == FINETUNED]
        pairs += [(best_untrained, plain) for plain in (BASE, "bm25") if plain in arms and plain != best_untrained]
    return list(dict.fromkeys(pairs))


def left_out(arms: list[str], models: set[str], has_tokens: bool, has_reranker: bool) -> dict[str, str]:
    """Returns arm -> why it cannot be scored."""
    names = {BASE: "there is no base model", FINETUNED: "there is no fine-tuned model"}
    reasons = {}
    for name in arms:
        arm = ARMS[name]
        if arm.model is not None and arm.model not in models:
            reasons[name] = names[arm.model]
        elif arm.needs_tokens and not has_tokens:
            reasons[name] = "the model gives no token vectors"
        elif arm.needs_reranker and not has_reranker:
            reasons[name] = "no `reranker` is set"
    return reasons

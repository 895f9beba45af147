"""What exists, by name: printed by `--list` and used to check names; imports nothing heavy."""

from __future__ import annotations

PIPELINES = {
    "generate": "load chunks, generate queries, curate them",
    "finetune": "split the generated queries, train, evaluate every arm, report",
    "evaluate": "score any model on any evaluation set, report",
    "retrain": "generate and finetune in one run: the main job",
}
SCHEDULABLE = ("generate", "retrain")
"""Those whose inputs can be looked at when they run; the others go on from one earlier run."""
SPLIT_GENERATED, TRAIN_ON_GENERATED = "split_generated", "train_on_generated"
"""Second uses of a step in one run, for comparison: what they make is not the run's result."""


def describe_names() -> str:
    """Returns every name that a configuration can use, one line each, with what it is."""
    from finetrieve.corpus.sources.registry import SOURCES
    from finetrieve.curation.filters import FILTERS
    from finetrieve.evaluation.arms import ARMS
    from finetrieve.generation.llm.providers.base import PROVIDERS
    from finetrieve.generation.query_styles import PERSONAS, STYLES
    from finetrieve.generation.recipes.base import RECIPES
    from finetrieve.training.losses import LOSSES

    parts = {
        "pipelines": PIPELINES,
        "sources": SOURCES.descriptions(),
        "recipes": RECIPES.descriptions(),
        "providers": PROVIDERS.descriptions(),
        "styles": STYLES,
        "personas": PERSONAS,
        "filters": FILTERS.descriptions(),
        "losses": LOSSES.descriptions(),
        "arms": {name: arm.description for name, arm in ARMS.items()},
    }
    width = max(len(name) for names in parts.values() for name in names)
    blocks = [
        f"{kind}\n" + "\n".join(f"  {name:{width}}  {text}" for name, text in names.items()) for kind, names in parts.items()
    ]
    return "\n\n".join(blocks)

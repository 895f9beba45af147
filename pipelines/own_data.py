"""The part of the pipelines that pairs of one's own have: load_pairs -> split_queries."""

from __future__ import annotations

from typing import Any, NamedTuple

from finetrieve.app.config import Config, plain
from finetrieve.app.preflight import Inputs
from pipelines.artifacts import Generated, RuntimeFingerprints
from steps.own_data import load_pairs


class OwnPairs(NamedTuple):
    """The artifacts of load_pairs, and the settings of its sets."""

    labelled_pairs: Any
    free_texts: Any
    unmatched_pairs: Any
    pairs_report: Any
    sets: list[dict[str, Any]]

    @property
    def split_arguments(self) -> dict[str, Any]:
        """What the split has to know of the pairs."""
        return {"labelled_pairs": self.labelled_pairs, "pair_sets": self.sets}


def wire_own_pairs(config: Config, inputs: Inputs | RuntimeFingerprints, made: Generated) -> OwnPairs | None:
    """Wires load_pairs inside the pipeline that calls this; returns None where the configuration has no pairs."""
    if not config.pairs:
        return None
    sets = [plain(item) for item in config.pairs]
    found = load_pairs(
        chunks=made.chunks,
        documents=made.documents,
        duplicates=made.duplicates,
        sets=sets,
        pair_fingerprints=inputs.pairs,
        base_model=config.training.base_model,
        base_model_fingerprint=inputs.base_model,
    )
    return OwnPairs(*found, sets=sets)

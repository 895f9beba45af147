"""What the last run made, for notebooks: `from finetrieve import last_run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finetrieve.core.errors import InputError, SeveralModelsError, unknown_name
from finetrieve.core.rows import (
    Annotation,
    Chunk,
    DocumentEntry,
    DuplicateChunk,
    GeneratedQuery,
    LabelledPair,
    Pair,
    QueryFacts,
    RankedChunk,
    Reject,
    WrittenRow,
)
from finetrieve.core.tables import to_rows

if TYPE_CHECKING:
    from zenml.models import PipelineRunResponse

_ROW_TYPES: dict[str, type] = {
    "annotations": Annotation,
    "chunks": Chunk,
    "clicked_pairs": LabelledPair,
    "documents": DocumentEntry,
    "duplicates": DuplicateChunk,
    "free_texts": Chunk,
    "generated_queries": GeneratedQuery,
    "labelled_pairs": LabelledPair,
    "pairs": Pair,
    "pseudo_labels": RankedChunk,
    "queries": GeneratedQuery,
    "query_facts": QueryFacts,
    "ranking_lists": RankedChunk,
    "rejected_queries": Reject,
    "unmatched_pairs": Reject,
    "unreadable_queries": Reject,
    "written_rows": WrittenRow,
}
"""Artifact -> the type of its rows; of the other tables, rows are mappings."""
_LOOKED_AT = 200


class FinishedRun:
    """What a run made, by the names of `docs/architecture.md`; an artifact is read when it is asked for."""

    def __init__(self, name: str, artifacts: dict[str, Any]) -> None:
        self.name, self._artifacts = name, artifacts

    def __repr__(self) -> str:
        return f"run '{self.name}' with {', '.join(self.artifacts)}"

    @property
    def artifacts(self) -> list[str]:
        """The names of what it made."""
        return sorted(self._artifacts)

    def __getitem__(self, artifact: str) -> Any:
        """Returns an artifact: a list of rows, or a typed record such as `metrics`.

        Raises:
            InputError: The run made none of that name, or its files are gone.
        """
        if artifact not in self._artifacts:
            raise unknown_name("artifact", artifact, self._artifacts)
        import pyarrow as pa

        try:
            found = self._artifacts[artifact].load()
        except (OSError, KeyError) as error:
            raise InputError(f"'{artifact}' of run '{self.name}' cannot be read from ZenML's artifact store ({error}).") from None
        if not isinstance(found, pa.Table):
            return found
        return to_rows(found, _ROW_TYPES[artifact]) if artifact in _ROW_TYPES else found.to_pylist()


def last_run(docs: str | None = None) -> FinishedRun:
    """Returns what the last run that evaluated a model made: `last_run("my-docs")["metrics"]`.

    Args:
        docs: The model's name in the registry, which is that of its documents; may be left out where there is one.

    Raises:
        InputError: No run has ended yet, or there are runs on several bodies of documents.
    """
    from finetrieve.app.zenml_environment import quiet_zenml
    from finetrieve.app.zenml_store import ready_store

    quiet_zenml()
    ready_store()
    from finetrieve.app.earlier_runs import artifacts_of

    found = _evaluated_runs()
    if docs is not None and docs not in found:
        if not found:
            raise InputError(f"No run on '{docs}' has ended yet. Run: python run.py --pipeline retrain --docs path/to/docs")
        raise unknown_name("documents with a run", docs, found)
    if docs is None and len(found) > 1:
        calls = " or ".join(f'last_run("{name}")' for name in sorted(found))
        raise SeveralModelsError(sorted(found), f"Write {calls}.")
    if not found:
        raise InputError("No run has evaluated a model yet. Run: python run.py --pipeline retrain --docs path/to/docs")
    run = found[docs] if docs is not None else next(iter(found.values()))
    return FinishedRun(run.name, artifacts_of(run))


def _evaluated_runs() -> dict[str, PipelineRunResponse]:
    """Returns the newest run with a report by the name of its documents."""
    from zenml.client import Client
    from zenml.enums import ExecutionStatus

    done = (ExecutionStatus.COMPLETED, ExecutionStatus.CACHED)
    newest: dict[str, PipelineRunResponse] = {}
    for run in Client().list_pipeline_runs(sort_by="desc:created", size=_LOOKED_AT, hydrate=True).items:
        named = [tag.name.removeprefix("docs-") for tag in run.tags if tag.name.startswith("docs-")]
        if named and named[0] not in newest and run.status in done and "build_report" in run.steps:
            newest[named[0]] = run
    return newest

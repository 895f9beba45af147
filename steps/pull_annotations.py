"""The step that brings people's answers back from Argilla."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
from zenml import step

from finetrieve.annotation.client import find_workspace
from finetrieve.annotation.open_server import open_server
from finetrieve.annotation.pull import pull
from finetrieve.annotation.settings import AnnotationSettings
from finetrieve.core.progress import reporter, say
from finetrieve.core.rows import Annotation, Chunk
from finetrieve.core.tables import to_rows, to_table
from steps.materializers import JsonMaterializer, TableMaterializer


# Never from the cache, since only looking tells what people answered; equal answers leave what follows cached.
@step(
    enable_cache=False,
    output_materializers={"annotations": TableMaterializer, "annotation_report": JsonMaterializer},
)
def pull_annotations(
    chunks: pa.Table, settings: dict[str, Any], dataset: str
) -> tuple[Annotated[pa.Table, "annotations"], Annotated[dict[str, Any], "annotation_report"]]:
    """Returns the reconciled answers, and who reviewed how much with what outcome."""
    annotation = AnnotationSettings.model_validate(settings)
    with open_server(annotation) as server:
        found = pull(server, find_workspace(server), dataset, to_rows(chunks, Chunk), reporter)
    outcomes = ", ".join(f"{count:,} {name}" for name, count in found.report["outcomes"].items())
    reviewed = f"{found.report['reviewed']:,} of {found.report['records']:,} records reviewed"
    say(f"{reviewed}{f' ({outcomes})' if outcomes else ''}, {found.report['human_queries']:,} queries of people's own")
    return to_table(found.annotations, Annotation), found.report

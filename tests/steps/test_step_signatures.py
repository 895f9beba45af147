"""What crosses the border of a step: tables, typed records, models and plain values, none of them a pickle."""

from __future__ import annotations

import importlib
import typing

import pyarrow as pa
import pytest
from zenml.materializers.cloudpickle_materializer import CloudpickleMaterializer
from zenml.materializers.materializer_registry import materializer_registry
from zenml.steps import BaseStep

from finetrieve.core.paths import ROOT
from finetrieve.core.training_record import TrainingRecord
from steps.materializers import JsonMaterializer, TableMaterializer

STEPS = [
    found
    for path in sorted((ROOT / "steps").glob("*.py"))
    for found in vars(importlib.import_module(f"steps.{path.stem}")).values()
    if isinstance(found, BaseStep)
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_no_dictionary_crosses_the_border_of_a_step_and_nothing_is_pickled(step: BaseStep) -> None:
    definition = step.entrypoint_definition
    outputs = [output.resolved_annotation for output in definition.outputs.values()]
    for annotation in [*(parameter.annotation for parameter in definition.inputs.values()), *outputs]:
        assert dict not in {annotation, typing.get_origin(annotation), *map(typing.get_origin, typing.get_args(annotation))}
    for output in outputs:
        assert materializer_registry[output] is not CloudpickleMaterializer


def test_tables_and_records_are_stored_by_our_own_materializers() -> None:
    assert STEPS
    assert materializer_registry[pa.Table] is TableMaterializer
    assert materializer_registry[TrainingRecord] is JsonMaterializer

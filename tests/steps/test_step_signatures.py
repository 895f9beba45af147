"""What crosses the border of a step: tables, typed records, models and plain values, none of them a pickle."""

from __future__ import annotations

import importlib
import typing

import pyarrow as pa
import pytest

from finetrieve.app.zenml_environment import quiet_zenml
from finetrieve.core.paths import ROOT
from finetrieve.core.training_record import TrainingRecord

STAGES = sorted(path.stem for path in (ROOT / "steps").glob("*.py"))


@pytest.fixture(autouse=True)
def _code_is_here() -> None:
    """ZenML asks where a step's code is when the step is imported."""
    quiet_zenml()


@pytest.mark.parametrize("stage", STAGES)
def test_no_dictionary_crosses_the_border_of_a_step_and_nothing_is_pickled(stage: str) -> None:
    from zenml.materializers.cloudpickle_materializer import CloudpickleMaterializer
    from zenml.materializers.materializer_registry import materializer_registry
    from zenml.steps import BaseStep

    for step in vars(importlib.import_module(f"steps.{stage}")).values():
        if not isinstance(step, BaseStep):
            continue
        definition = step.entrypoint_definition
        outputs = [output.resolved_annotation for output in definition.outputs.values()]
        for annotation in [*(parameter.annotation for parameter in definition.inputs.values()), *outputs]:
            assert dict not in {annotation, typing.get_origin(annotation), *map(typing.get_origin, typing.get_args(annotation))}
        for output in outputs:
            assert materializer_registry[output] is not CloudpickleMaterializer, step.name


def test_tables_and_records_are_stored_by_our_own_materializers() -> None:
    from zenml.materializers.materializer_registry import materializer_registry

    from steps.materializers import JsonMaterializer, TableMaterializer

    assert STAGES
    assert materializer_registry[pa.Table] is TableMaterializer
    assert materializer_registry[TrainingRecord] is JsonMaterializer

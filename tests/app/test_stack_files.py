from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from finetrieve.app.remote.stack_file import CHANGE, STACKS, load_stack, step_names
from finetrieve.core.errors import InputError

FILES = sorted(STACKS.glob("*.yaml"))


def filled(path: Path, folder: Path) -> Path:
    """Returns a copy of a stack's file in which everything is filled in."""
    copy = folder / path.name
    copy.write_text(path.read_text().replace(CHANGE, "ours"))
    return copy


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_file_is_complete_but_for_what_only_its_user_knows(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_stack(path)
    assert "put your own values where it says CHANGE-ME: " in str(caught.value)
    assert "artifact_store.configuration.path" in str(caught.value)
    stack = load_stack(filled(path, tmp_path))
    assert set(stack.components()) >= {"orchestrator", "artifact_store", "container_registry", "image_builder"}
    assert stack.docker["skip_build"] is True and stack.docker["parent_image"]


def config_fields(kind: str, flavor: str) -> set[str]:
    """Returns what ZenML takes as the configuration of a flavor; its own classes say so, without its store or the cloud's client."""
    from zenml.container_registries import DefaultContainerRegistryFlavor, GCPContainerRegistryFlavor
    from zenml.image_builders import LocalImageBuilderFlavor
    from zenml.integrations.airflow.flavors import AirflowOrchestratorFlavor
    from zenml.integrations.aws.flavors import AWSContainerRegistryFlavor, SagemakerOrchestratorFlavor
    from zenml.integrations.gcp.flavors import GCPArtifactStoreFlavor, VertexOrchestratorFlavor
    from zenml.integrations.kubernetes.flavors import KubernetesOrchestratorFlavor
    from zenml.integrations.s3.flavors import S3ArtifactStoreFlavor

    known = {
        ("orchestrator", "kubernetes"): KubernetesOrchestratorFlavor,
        ("orchestrator", "airflow"): AirflowOrchestratorFlavor,
        ("orchestrator", "vertex"): VertexOrchestratorFlavor,
        ("orchestrator", "sagemaker"): SagemakerOrchestratorFlavor,
        ("artifact_store", "s3"): S3ArtifactStoreFlavor,
        ("artifact_store", "gcp"): GCPArtifactStoreFlavor,
        ("container_registry", "default"): DefaultContainerRegistryFlavor,
        ("container_registry", "aws"): AWSContainerRegistryFlavor,
        ("container_registry", "gcp"): GCPContainerRegistryFlavor,
        ("image_builder", "local"): LocalImageBuilderFlavor,
    }
    return set(known[kind, flavor]().config_class.model_fields)


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_zenml_takes_every_setting_of_each_file(path: Path, tmp_path: Path) -> None:
    from zenml.config.docker_settings import DockerSettings
    from zenml.config.resource_settings import ResourceSettings

    stack = load_stack(filled(path, tmp_path))
    for kind, component in stack.components().items():
        assert set(component.configuration) <= config_fields(kind, component.flavor), kind
    assert set(stack.docker) <= set(DockerSettings.model_fields)
    DockerSettings(**stack.docker)
    for settings in stack.steps.values():
        assert set(settings) <= {"resources", "orchestrator"}
        assert set(settings.get("resources", {})) <= set(ResourceSettings.model_fields)
        ResourceSettings(**settings.get("resources", {}))
        assert set(settings.get("orchestrator", {})) <= config_fields("orchestrator", stack.orchestrator.flavor)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"orchestrater": {}}, "orchestrater: unknown key. Known keys: name, orchestrator"),
        ({"orchestrator": {"configuration": {}}}, "orchestrator.flavor: field required"),
        ({"steps": {"train_modle": {}}}, "Unknown step 'train_modle'. Did you mean 'train_model'?"),
        ({"name": "my stack"}, "name: string should match pattern"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, change: dict[str, object], expected: str) -> None:
    path = filled(STACKS / "kubernetes.yaml", tmp_path)
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **change}))
    with pytest.raises(InputError) as caught:
        load_stack(path)
    assert expected in str(caught.value)


@pytest.mark.slow
def test_only_training_gets_a_gpu(tmp_path: Path) -> None:
    for path in FILES:
        steps = load_stack(filled(path, tmp_path)).steps
        with_gpu = {name for name, settings in steps.items() if "gpu" in str(settings).lower() or "ml.g" in str(settings)}
        assert with_gpu == {"train_model"}, path.name


def test_the_steps_are_found_without_importing_them() -> None:
    assert {"load_chunks", "train_model", "fingerprint_inputs", "notify"} <= step_names()


def test_packages_that_are_not_installed_are_named_by_the_extra_that_installs_them() -> None:
    from zenml.integrations.registry import integration_registry

    from finetrieve.app.remote.stacks import _check_installed

    if integration_registry.is_installed("gcp"):
        pytest.skip("Google's packages are installed here")
    with pytest.raises(InputError) as caught:
        _check_installed("orchestrator", "vertex", "gcp")
    assert str(caught.value) == (
        "The orchestrator 'vertex' needs packages that are not installed. Install them: pip install -e '.[vertex]'."
    )

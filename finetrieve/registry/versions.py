"""Trained models as versions in ZenML's Model Control Plane: who they are, which one is in production, and where they lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from zenml.client import Client
from zenml.enums import MetadataResourceTypes, ModelStages
from zenml.exceptions import DoesNotExistException, EntityExistsError
from zenml.models import (
    ArtifactVersionResponse,
    ModelVersionArtifactRequest,
    ModelVersionPipelineRunRequest,
    ModelVersionResponse,
    RunMetadataResource,
)

from finetrieve.core.errors import InputError, SeveralModelsError, unknown_name
from finetrieve.core.html import one_line
from finetrieve.core.model_directory import ModelDirectory
from finetrieve.core.rows import Chunk

if TYPE_CHECKING:
    from finetrieve.evaluation.result import EvaluationResult
    from finetrieve.registry.promotion_rule import Stage

TAG = "finetrieve"
"""On every model of ours, since others may share the server."""
_AT_ONCE = 200


@dataclass(frozen=True)
class Version:
    """A trained model, as the registry keeps it."""

    id: UUID
    model: str
    """The registry's name for one body of documentation."""
    number: int
    created: datetime
    stage: str
    """`production`, `staging`, `archived` or `none`: its run was cut off before it was decided."""
    record: Mapping[str, Any]
    """What was logged of it: metrics, fingerprints, the decision."""

    @property
    def label(self) -> str:
        """What a person types to name it."""
        return f"{self.model}:{self.number}"

    @property
    def why(self) -> str:
        """Why it is in its stage: the rule's reason, what a person did, and whether another version took its place."""
        decision, by_hand = self.record.get("decision"), self.record.get("by_hand")
        if not decision:
            return "Its run ended before the decision; the next run of the same training decides."
        held = decision.get("stage") != "archived" or by_hand
        replaced = self.stage == "archived" and held and not self.record.get("rolled_back")
        words = [decision["why"], by_hand, "Archived when another version took its place." if replaced else ""]
        return one_line(" ".join(word for word in words if word), 1_000)


def model_names() -> list[str]:
    """Returns the names of all models that this project registered."""
    return sorted(model.name for model in Client().list_models(tags=[TAG], size=_AT_ONCE).items)


def versions(model: str) -> list[Version]:
    """Returns the versions of a model, the newest first; none for a model that does not exist."""
    if not Client().list_models(name=model, size=1).items:
        return []
    found = Client().list_model_versions(model=model, size=_AT_ONCE, sort_by="desc:created", hydrate=True).items
    return sorted((_version(item) for item in found), key=lambda version: -version.number)


def version_in(stage: Stage, model: str) -> Version | None:
    """Returns the version of a model that is in a stage, if any."""
    return next((version for version in versions(model) if version.stage == stage), None)


def find_version(reference: str, model: str | None = None) -> Version:
    """Returns the version that a person means by `7`, `my-docs:7`, `production` or `my-docs:production`.

    Args:
        reference: The version.
        model: Its model, where the reference does not name it.

    Raises:
        InputError: There is no such model or version, two models were named, or none of several.
    """
    named, _, wanted = reference.rpartition(":")
    if named and model and named != model:
        raise InputError(f"'{reference}' and --model {model} name two models; leave one of them out.")
    model = known_model(named or model)
    found = versions(model)
    for version in found:
        if wanted in (str(version.number), version.stage if version.stage in ("production", "staging") else None):
            return version
    known = [str(version.number) for version in found[:20]]
    known += [f"'{stage}'" for stage in ("production", "staging") if any(version.stage == stage for version in found)]
    if wanted == "production":
        raise InputError(f"No version of '{model}' is in production. Name one of: {', '.join(known)}.")
    raise InputError(f"Model '{model}' has no version '{wanted}'. Choose one of: {', '.join(known)}.")


def taken_out(model: str) -> Version | None:
    """Returns the version that a person took out of production last, where none is in production since; None otherwise."""
    found = versions(model)
    if any(version.stage == "production" for version in found):
        return None
    out = [version for version in found if version.record.get("rolled_back")]
    return max(out, key=lambda version: str(version.record["rolled_back"]), default=None)


def no_model() -> str:
    """Returns what to do where no model is registered, and which store was looked into: it may be another than the one meant."""
    store = Client().zen_store.url
    return f"No model was trained yet in ZenML's store {store}. Run: python run.py --pipeline retrain --docs path/to/docs"


def known_model(name: str | None) -> str:
    """Returns the model of a name; without one, the only model there is.

    Raises:
        InputError: There is no model yet, none of that name, or more than one to choose from.
    """
    names = model_names()
    if not names:
        raise InputError(no_model())
    if name is None and len(names) == 1:
        return names[0]
    if name is None:
        raise SeveralModelsError(names)
    if name not in names:
        raise unknown_name("model", name, names)
    return name


def register(model: str, content_hash: str) -> Version:
    """Returns the version of a trained model, made when there is none: the same files are the same version."""
    client = Client()
    if not client.list_models(name=model, size=1).items:
        client.create_model(model, tags=[TAG], description="An embedding model fine-tuned by Finetrieve")
    name = content_hash[:16]
    try:
        found = client.create_model_version(model, name=name)
    except EntityExistsError:
        found = client.get_model_version(model, name)
    return _version(found)


def attach(version: Version, record: Mapping[str, Any]) -> None:
    """Logs facts with a version; a fact that was logged before is replaced."""
    resource = RunMetadataResource(id=version.id, type=MetadataResourceTypes.MODEL_VERSION)
    Client().create_run_metadata(metadata=dict(record), resources=[resource])


def link(version: Version, artifacts: Iterable[UUID], run: UUID) -> None:
    """Links a version with artifacts and with the run that decided about it; a link that exists stays."""
    store = Client().zen_store
    for artifact in artifacts:
        store.create_model_version_artifact_link(ModelVersionArtifactRequest(model_version=version.id, artifact_version=artifact))
    store.create_model_version_pipeline_run_link(ModelVersionPipelineRunRequest(model_version=version.id, pipeline_run=run))


def set_stage(version: Version, stage: Stage) -> None:
    """Moves a version to a stage; whoever is in it is archived."""
    if version.stage != stage:
        Client().update_model_version(version.model, version.id, stage=ModelStages(stage), force=True)


def artifact_of(version: Version, name: Literal["model", "chunks", "metrics"]) -> ArtifactVersionResponse:
    """Returns an artifact that is kept with a version: the model, the chunks it was trained for, or what it scored.

    Raises:
        InputError: It was deleted.
    """
    found = version.record.get(f"{name}_artifact")
    try:
        return Client().get_artifact_version(str(found))
    except KeyError:
        raise InputError(f"The {name} of {version.label} were deleted from ZenML's store. Choose another version.") from None


def chunks_of(version: Version) -> list[Chunk]:
    """Returns the chunks that a version was trained for."""
    from finetrieve.core.tables import to_rows  # pyarrow: listing versions does without

    return to_rows(artifact_of(version, "chunks").load(), Chunk)


def metrics_of(version: Version) -> EvaluationResult:
    """Returns what a version scored."""
    from finetrieve.evaluation.result import EvaluationResult  # numpy, likewise

    return EvaluationResult.read(artifact_of(version, "metrics").load())


def load_model(version: Version) -> ModelDirectory:
    """Returns the model's directory.

    Raises:
        InputError: Its files are gone.
    """
    artifact = artifact_of(version, "model")
    try:
        directory: ModelDirectory = artifact.load()
    except (OSError, KeyError, DoesNotExistException) as error:
        raise InputError(f"The files of {version.label} cannot be read ({error}). Choose another version.") from None
    return directory


def _version(found: ModelVersionResponse) -> Version:
    stage = found.stage or "none"
    return Version(found.id, found.model.name, found.number, found.created, str(stage), dict(found.run_metadata))

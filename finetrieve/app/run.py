"""A run: ZenML set up quietly, the pipeline called, its results written out and summed up."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, distributions, packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetrieve.app.catalogue import SCHEDULABLE
from finetrieve.app.config import Config, plain
from finetrieve.app.preflight import Inputs, corpus_tag
from finetrieve.app.run_metadata import RunMetadata
from finetrieve.app.zenml_environment import quiet_zenml
from finetrieve.app.zenml_store import ready_store
from finetrieve.core.errors import InputError
from finetrieve.core.logging import get_logger

if TYPE_CHECKING:
    from zenml import Tag
    from zenml.models import PipelineRunResponse

logger = get_logger(__name__)
_UNUSED_INTEGRATIONS = ("huggingface", "pandas", "pytorch", "pytorch_lightning", "scipy", "sklearn", "tensorflow")
"""What ZenML imports before each run for materializers alone; every artifact here names its own."""
_RENEWALS = 5
"""Times that a run begins again because artifacts of earlier ones are gone; then everything is made anew."""


def run_pipeline(name: str, config: Config, inputs: Inputs, run_metadata: RunMetadata, out: Path | None, use_cache: bool) -> str:
    """Runs a pipeline on the active ZenML stack and returns the closing summary.

    Raises:
        InputError: A mistake that only the work could find.
    """
    quiet_zenml()
    ready_store()
    from finetrieve.app.lost_artifacts import forget_lost_steps
    from finetrieve.app.remote.stacks import runs_here

    for _ in range(_RENEWALS):
        run_name = f"{name}-{config.model_name}-{datetime.now(UTC):%Y_%m_%d-%H_%M_%S_%f}"
        try:
            return _run_and_sum_up(name, run_name, config, inputs, run_metadata, out, use_cache)
        except InputError:
            raise
        except Exception as error:
            lost = forget_lost_steps(run_name, error) if use_cache and runs_here() else []
            if not lost:
                raise
            logger.warning(f"What {' and '.join(lost)} made is gone from ZenML's artifact store; it is made anew.")
    return _run_and_sum_up(name, run_name, config, inputs, run_metadata, out, use_cache=False)


def _run_and_sum_up(
    name: str, run_name: str, config: Config, inputs: Inputs, run_metadata: RunMetadata, out: Path | None, use_cache: bool
) -> str:
    run = _run(name, run_name, config, inputs, run_metadata, use_cache)
    from finetrieve.app.earlier_runs import artifacts_of

    artifacts = artifacts_of(run)
    if "promotion_decision" not in artifacts:
        _describe(run, artifacts, config)
    lines = [_steps_line(run)]
    written = _written_rows(artifacts, out)
    if "metrics" in artifacts:
        lines.append(_results(artifacts, out))
    elif out is not None and artifacts["queries"].load().num_rows:
        lines.append(f"Queries: {_write_queries(artifacts, out)}")
    elif out is not None and not written:
        lines.append(f"Nothing to write to {out}: no queries and no rows were made.")
    lines += written
    lines.append("Lineage and pictures: `python run.py dashboard`.")
    return "\n".join(lines)


def _leave_out_unused_integrations() -> None:
    """Spares a run that comes from the cache the import of torch and scikit-learn."""
    from zenml.integrations.registry import integration_registry

    for name in _UNUSED_INTEGRATIONS:
        integration_registry.integrations.pop(name, None)


def look_packages_up_once() -> None:
    """Spares a run what ZenML asks of the installed packages: `pip freeze` twice, and all their metadata for each artifact.

    That is three seconds, and then half a second for each of a dozen artifacts.
    """
    from zenml.environment import Environment
    from zenml.utils import source_utils

    Environment.get_python_packages = staticmethod(_installed_packages)  # type: ignore[method-assign]
    source_utils._get_package_for_module = _package_of


@cache
def _installed_packages() -> list[str]:
    """Returns `name==version` of each installed package."""
    return sorted({"{Name}=={Version}".format_map(found.metadata) for found in distributions()}, key=str.lower)


def _package_of(module_name: str) -> str | None:
    """Returns the package that a module comes from; None where that is none or several."""
    return _package_with(module_name.partition(".")[0])


@cache
def _package_with(top_module: str) -> str | None:
    """Returns the package with a top-level module: the one of its name, or after a look at every file of all packages."""
    with suppress(PackageNotFoundError):
        return str(distribution(top_module).metadata["Name"])
    packages = _packages_of_modules().get(top_module, [])
    return packages[0] if len(packages) == 1 else None


@cache
def _packages_of_modules() -> Mapping[str, list[str]]:
    return packages_distributions()


def _run(
    name: str, run_name: str, config: Config, inputs: Inputs, run_metadata: RunMetadata, use_cache: bool
) -> PipelineRunResponse:
    import importlib

    from zenml.client import Client
    from zenml.exceptions import RunInterruptedException, RunStoppedException

    from finetrieve.app.remote.code import pin_code
    from finetrieve.app.remote.stacks import run_options, runs_here
    from finetrieve.app.stale_runs import close_stale_runs, record_process

    _leave_out_unused_integrations()
    look_packages_up_once()
    pipeline = getattr(importlib.import_module(f"pipelines.{name}"), name)
    options = {**run_options(), "run_name": run_name, "enable_cache": use_cache, "tags": run_tags(name, inputs)}
    arguments = {"config": plain(config), "inputs": plain(inputs), "run_metadata": plain(run_metadata)}
    if runs_here():
        configured = pipeline.with_options(**options)
    else:
        arguments["config"] = plain(config.relative_to_project())
        if name in SCHEDULABLE:  # the steps look at the inputs that they will read, and tag the run by them
            del arguments["inputs"]
            options["tags"] = [purpose_tag(name)]
        configured = pin_code(pipeline, options, arguments)
    logger.debug(f"run '{run_name}' on the stack '{Client().active_stack_model.name}', cache {'on' if use_cache else 'off'}")
    close_stale_runs()
    try:
        with record_process(run_name) if runs_here() else nullcontext():
            response = configured(**arguments)
    except (RunInterruptedException, RunStoppedException):
        raise KeyboardInterrupt from None
    if response is None:
        raise RuntimeError("ZenML returned no run")
    run: PipelineRunResponse = Client().get_pipeline_run(response.id)
    return run


def _describe(run: PipelineRunResponse, artifacts: dict[str, Any], config: Config) -> None:
    """Logs with a run what one filters by; where a model is decided about, the step that decides has done so."""
    from zenml import add_tags, log_metadata

    from finetrieve.core.code_hash import library_versions
    from finetrieve.evaluation.result import EvaluationResult
    from finetrieve.registry.facts import facts_of
    from finetrieve.registry.run_facts import facts_of_run, outcome_tags

    parts = {"corpus": "corpus_report", "generation": "generation_report"}
    made = {part: artifacts[name].load().as_json() for part, name in parts.items() if name in artifacts}
    metrics = artifacts["metrics"].load() if "metrics" in artifacts else EvaluationResult.read(made)
    facts = {**facts_of(metrics), **facts_of_run(run), "packages": library_versions()}
    log_metadata(metadata=facts, run_id_name_or_prefix=run.id)
    add_tags(tags=outcome_tags(config.model_name, metrics), run=run.id)


def run_tags(name: str, inputs: Inputs) -> list[str | Tag]:
    """Returns the tags of a run, which its new artifacts carry as well: the documents, and what it was for."""
    from zenml import Tag

    return [Tag(name=corpus_tag(inputs), cascade=True), purpose_tag(name)]


def purpose_tag(name: str) -> Tag:
    """Returns the tag that says what a run was for."""
    from zenml import Tag

    return Tag(name=f"purpose-{name}", cascade=True)


def _steps_line(run: PipelineRunResponse) -> str:
    cached = [name for name, step in run.steps.items() if step.status == "cached"]
    text = f"Run '{run.name}': {len(run.steps)} steps"
    return f"{text}, {len(cached)} of them from the cache ({', '.join(cached)})" if cached else text


def _results(artifacts: dict[str, Any], out: Path | None) -> str:
    """Returns the table and the places of report and model, after writing them to `out`."""
    from finetrieve.app.results import write_results
    from finetrieve.registry.listing import provenance_of
    from finetrieve.registry.versions import find_version
    from finetrieve.reporting.report import with_decision
    from finetrieve.reporting.summary import summary_table

    metrics, report = artifacts["metrics"].load(), artifacts["report"].load()
    decided = artifacts["promotion_decision"].load() if "promotion_decision" in artifacts else None
    model = artifacts.get("model")
    places = {"Report": f"{artifacts['report'].uri}/report.html", "Model": f"{model.uri}/model" if model else ""}
    if out is not None:
        report = with_decision(report, decided.version, decided.stage, decided.why) if decided else report
        origin = provenance_of(find_version(decided.version)) if decided else {}
        texts = _embedded_texts(artifacts) if model else None
        write_results(out, metrics, report, model.load().path if model else None, texts, origin)
        places = {"Report": str(out / "report.html"), "Model": str(out / "model"), "Metrics": str(out / "metrics.json")}
    if model is None:
        places.pop("Model", None)
    width = max(len(label) for label in places) + 1
    decision = [decided.sentence, ""] if decided else []
    return "\n".join(
        ["", summary_table(metrics), "", *decision, *(f"{label + ':':{width}} {place}" for label, place in places.items())]
    )


def _write_queries(artifacts: dict[str, Any], out: Path) -> Path:
    """Returns the file with the run's queries, after writing it."""
    from finetrieve.app.results import write_queries
    from finetrieve.core.rows import Chunk, GeneratedQuery
    from finetrieve.core.tables import Rows

    return write_queries(out, Rows(artifacts["queries"].load(), GeneratedQuery), Rows(artifacts["chunks"].load(), Chunk))


def _written_rows(artifacts: dict[str, Any], out: Path | None) -> list[str]:
    """Returns the line on rows that are no queries for a chunk, after writing them to `out`; none where there are none."""
    from finetrieve.app.results import ROWS_FILE, write_rows

    if "written_rows" not in artifacts or not (rows := artifacts["written_rows"].load()).num_rows:
        return []
    if out is None:
        return [
            f"Rows that are no queries for a chunk: {rows.num_rows:,}, in the artifact 'written_rows'; --out DIR writes a file."
        ]
    write_rows(out, rows)
    return [f"Rows: {out / ROWS_FILE} ({rows.num_rows:,})"]


def _embedded_texts(artifacts: dict[str, Any]) -> list[str] | None:
    """Returns the run's chunks as they are embedded."""
    from finetrieve.core.rows import Chunk, embedded_text
    from finetrieve.core.tables import to_rows

    if "chunks" not in artifacts:
        return None
    return [embedded_text(chunk) for chunk in to_rows(artifacts["chunks"].load(), Chunk)]

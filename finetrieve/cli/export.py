"""`finetrieve export dataset|model --to DIR|hf:OWNER/NAME`: what was made, taken away."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click

from finetrieve.cli.options import MODEL, run_again_with
from finetrieve.core.errors import InputError, writing_to
from finetrieve.core.numbers import counted
from finetrieve.core.staging import staging_folder
from finetrieve.registry.hub_upload import Kind, files_of, hub_id, send_folder, what_is_sent

TO = click.option("--to", "target", required=True, metavar="DIR|hf:OWNER/NAME", help="A new folder, or a repository on the Hub.")
LICENCE = click.option("--license", "licence", default="", metavar="ID", help="As the Hub writes it: apache-2.0, cc-by-4.0.")
PUBLIC = click.option("--public", is_flag=True, help="On the Hub: for all to see. Without it the repository is private.")
YES = click.option("--yes", is_flag=True, help="On the Hub: do not ask before sending.")


def _complete_form(_context: click.Context, _option: click.Parameter, start: str) -> list[str]:
    from finetrieve.registry.dataset_files import FORMS

    return [form for form in FORMS if form.startswith(start)]


@click.group("export")
def command() -> None:
    """Write the dataset or the model of a version to a folder, or send it to the Hugging Face Hub.

    The Hub is the one that HF_ENDPOINT names, with the token of HF_TOKEN. What is sent is shown first.
    """


@command.command("dataset")
@click.argument("version", default="production")
@MODEL
@TO
@click.option(
    "--form",
    default="hub",
    metavar="FORM",
    help="hub (Parquet), beir, llamaindex, ragas, argilla.",
    shell_complete=_complete_form,
)
@click.option("--no-chunks", is_flag=True, help="Without the texts of the documents: queries and ids alone.")
@LICENCE
@PUBLIC
@YES
def dataset(
    version: str, model: str | None, target: str, form: str, no_chunks: bool, licence: str, public: bool, yes: bool
) -> None:
    """The pairs that a version was trained, chosen and tested on, with splits and a card."""
    repository = _checked(target)
    from finetrieve.app.earlier_runs import artifacts_of
    from finetrieve.core.rows import Pair
    from finetrieve.core.tables import to_rows
    from finetrieve.registry.dataset_files import dataset_of, write_dataset
    from finetrieve.registry.versions import artifact_of, chunks_of, find_version, metrics_of

    found = find_version(version, model)
    try:
        made = artifacts_of(artifact_of(found, "model").run)
    except RuntimeError:
        raise InputError(
            f"The run that made {found.label} is no longer in ZenML's store, and with it the pairs. "
            "Name a version whose run is there, or retrain."
        ) from None
    pairs, chunks = to_rows(made["pairs"].load(), Pair), chunks_of(found)
    metrics = metrics_of(found)
    whole = dataset_of(pairs, chunks)
    name = repository or f"{found.model}, version {found.number}"

    def write(folder: Path) -> None:
        write_dataset(folder, whole, form, with_chunks=not no_chunks, name=name, licence=licence, metrics=metrics)

    texts = (
        "Without the texts of the documents."
        if no_chunks
        else f"With the texts of {counted(len(whole.chunks), 'chunk')} (--no-chunks leaves them out)."
    )
    notes = [texts, f"Left out for personal data: {whole.left_out:,} of {counted(len(pairs), 'pair')}."]
    hand_over(write, target, repository, "dataset", not public, yes, f"Dataset of {found.label}", notes)


@command.command("model")
@click.argument("version", default="production")
@MODEL
@TO
@LICENCE
@PUBLIC
@YES
def export_model(version: str, model: str | None, target: str, licence: str, public: bool, yes: bool) -> None:
    """A version as a sentence-transformers directory, its card with what it scored. `models export` also writes ONNX."""
    repository = _checked(target)
    from finetrieve.core.rows import embedded_text
    from finetrieve.registry.export import export_model as write_model
    from finetrieve.registry.vector_settings import recommended_settings
    from finetrieve.registry.versions import chunks_of, find_version, load_model, metrics_of
    from finetrieve.reporting.model_card import write_published_card

    found = find_version(version, model)
    texts = [embedded_text(chunk) for chunk in chunks_of(found)]
    metrics = metrics_of(found)

    def write(folder: Path) -> None:
        card = partial(write_published_card, metrics=metrics, name=repository or found.label, licence=licence)
        write_model(load_model(found).path, folder, False, texts, *recommended_settings(metrics), card)

    notes = ["No text of the documents is in it; how often their tokens occur goes with `late/`."]
    hand_over(write, target, repository, "model", not public, yes, f"Model {found.label}", notes)


def _checked(target: str) -> str | None:
    """Returns the repository that is meant, or None for a folder, which has to be new or empty."""
    repository = hub_id(target)
    if repository is None:
        from finetrieve.registry.export import check_target

        check_target(Path(target), onnx=False)
    return repository


def hand_over(
    write: Callable[[Path], None],
    target: str,
    repository: str | None,
    kind: Kind,
    private: bool,
    yes: bool,
    message: str,
    notes: Sequence[str],
) -> None:
    """Writes the files and moves them to their folder, or sends them after asking."""
    if repository is None:
        with writing_to(f"--to '{target}'"):
            _write_whole(write, Path(target))
        click.echo("\n".join([f"{message} -> {target}", *notes]))
        return
    with tempfile.TemporaryDirectory(prefix=".finetrieve-") as staging:
        folder = Path(staging) / kind
        folder.mkdir()
        write(folder)
        click.echo(what_is_sent(files_of(folder), repository, kind, private, notes))
        if not yes:
            _ask()
        sent = send_folder(folder, repository, kind, private, message)
    click.echo(f"Sent: {sent.url}")


def _write_whole(write: Callable[[Path], None], place: Path) -> None:
    """Writes the files to a folder that does not exist or is empty: all of them or none."""
    parent = place.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    with staging_folder(parent) as staging:
        folder = staging / "whole"
        folder.mkdir()
        write(folder)
        if place.exists():
            place.rmdir()
        shutil.move(folder, place)


def _ask() -> None:
    if not sys.stdin.isatty():
        raise InputError(f"Nothing was sent, since nobody can be asked. To send it: {run_again_with('--yes')}")
    click.confirm("Send it?", abort=True)

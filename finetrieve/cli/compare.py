"""`finetrieve compare MODEL_A MODEL_B --eval-set ...`: any two models on the same questions."""

from __future__ import annotations

from pathlib import Path

import click

from finetrieve.cli.options import JSON, MODEL, print_json
from finetrieve.core.errors import InputError


@click.command("compare")
@click.argument("first", metavar="MODEL_A", type=click.Path())
@click.argument("second", metavar="MODEL_B", type=click.Path())
@click.option(
    "--eval-set",
    "eval_sets",
    type=click.Path(),
    multiple=True,
    required=True,
    metavar="PATH",
    help="Human questions. Repeatable.",
)
@click.option("--docs", type=click.Path(), help="The documents, where the questions bring none of their own.")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="A YAML file. Default: configs/default.yaml.")
@click.option(
    "--questions",
    "shown",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many questions to show for each model.",
)
@MODEL
@JSON
def command(
    first: str,
    second: str,
    eval_sets: tuple[str, ...],
    docs: str | None,
    config_path: Path | None,
    shown: int,
    model: str | None,
    as_json: bool,
) -> None:
    """Compare two models: nDCG@10 of each, the difference with its interval, and the questions that differ.

    A MODEL is a version (`3`, `my-docs:3`, `production`), a directory, `embedded`, or a Hugging Face Hub id.
    """
    from finetrieve.app.config import DEFAULT_CONFIG, load_config
    from finetrieve.corpus.sources.registry import check_source
    from finetrieve.evaluation.eval_sets import check_eval_set, has_own_corpus

    # 1. What can be wrong.
    config = load_config(config_path or DEFAULT_CONFIG, docs, eval_sets)
    sets = config.evaluation.eval_sets
    needs_docs = [item for item in sets if not has_own_corpus(item)]
    if needs_docs and docs is None and config_path is None:
        raise InputError(f"The questions in '{needs_docs[0].path}' bring no documents. Name these with --docs.")
    documents = check_source(config.source) if needs_docs else []
    for item in sets:
        check_eval_set(item, documents)
    places = [_place(reference, model) for reference in (first, second)]

    # 2. The documents.
    from finetrieve.core.progress import reporter
    from finetrieve.corpus.chunking import build_chunks
    from finetrieve.corpus.sources.registry import read_source
    from finetrieve.evaluation.eval_sets import load_eval_set
    from finetrieve.evaluation.two_models import NamedModel, compare_two_models, comparison_text
    from finetrieve.retrieval.base_model import load_tokenizer
    from finetrieve.retrieval.vector_cache import CachedEmbedder

    tokenizer = load_tokenizer(config.training.base_model)
    cut = build_chunks(read_source(config.source).documents, config.chunks, tokenizer) if needs_docs else None
    chunks, duplicates = (cut.chunks, cut.duplicate_chunks()) if cut else ([], [])
    loaded = [load_eval_set(item, chunks, duplicates, documents, config.chunks, tokenizer, checked=True) for item in sets]

    # 3. The comparison.
    models = [
        NamedModel(
            name, CachedEmbedder(place, config.evaluation.batch_size, config.evaluation.precision, reporter(f"Encoding ({name})"))
        )
        for name, place in zip((first, second), places, strict=True)
    ]
    found = compare_two_models(models[0], models[1], loaded, config.evaluation, config.seed)
    if as_json:
        print_json(found.as_json())
    else:
        click.echo(comparison_text(found, shown))


def _place(reference: str, model: str | None) -> Path | str:
    """Returns the directory or the Hub id of a model; `model` says whose version a number or a stage is.

    Raises:
        InputError: It is neither of these, and no version.
    """
    from finetrieve.retrieval.base_model import check_base_model

    named = reference == "embedded" or "/" in reference or Path(reference).exists()
    if named:
        check_base_model(reference)
        return reference
    from finetrieve.registry.versions import find_version, load_model

    return load_model(find_version(reference, model)).path

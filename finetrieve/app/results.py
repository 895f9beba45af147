"""What `--out` writes: the metrics, the report and the model, or the generated queries, and never over what is not ours."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetrieve.core.errors import InputError, writing_to
from finetrieve.core.own_output import MODEL_MARK, is_own_report
from finetrieve.core.rows import Chunk, GeneratedQuery, WrittenRow
from finetrieve.core.staging import staging_folder
from finetrieve.core.tables import Rows
from finetrieve.evaluation.result import EvaluationResult

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_FILE = "rows.jsonl"
_MARK_TEXT = "Written by Finetrieve. A run with the same --out replaces this folder.\n"

EVALUATED, GENERATED = ("model", "metrics.json", "report.html"), ("queries.jsonl", ROWS_FILE)
"""What a pipeline that evaluates writes, and what `generate` writes."""


def check_replaceable(out: Path, names: Sequence[str] = EVALUATED) -> None:
    """Checks that what a run would replace in `out` was written by us; reads little and creates nothing.

    Raises:
        InputError: A file or folder there is somebody else's.
    """
    ours: dict[str, Callable[[Path], bool]] = {
        "model": _is_our_model,
        "metrics.json": _is_our_metrics,
        "report.html": is_own_report,
        "queries.jsonl": _is_our_queries,
        ROWS_FILE: _are_our_rows,
    }
    foreign = [name for name in names if _exists(out / name) and not ours[name](out / name)]
    if foreign:
        names = ", ".join(f"'{out / name}'" for name in foreign)
        was = "was" if len(foreign) == 1 else "were"
        raise InputError(
            f"--out would replace {names}, which {was} not written by Finetrieve. Move it away or give another folder."
        )


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _is_our_model(path: Path) -> bool:
    """Returns whether it is empty or carries our mark, or the record that every training leaves in its model."""
    if path.is_symlink() or not path.is_dir():
        return False
    return (
        (path / MODEL_MARK).is_file()
        or _json_keys(path / "training_record.json") >= {"base_model", "loss_name"}
        or not any(path.iterdir())
    )


def _is_our_metrics(path: Path) -> bool:
    return _json_keys(path) >= {"eval_sets", "verdict"}


def _json_keys(path: Path) -> set[str]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return set()
    return set(found) if isinstance(found, dict) else set()


def _is_our_queries(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            first = json.loads(file.readline() or '{"question": 0, "page": 0, "recipe": 0}')
    except (OSError, ValueError):
        return False
    return isinstance(first, dict) and set(first) >= {"question", "page", "recipe"}


def _are_our_rows(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            found = json.loads(file.readline())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and set(found) >= {"recipe", "generator", "attributes"}


def write_rows(out: Path, rows: pa.Table) -> None:
    """Writes the rows (`WrittenRow`) as `rows.jsonl` into `out`, a JSON object a line: the columns, then where they come from.

    Args:
        out: The folder.
        rows: At least one; a column that is called as our own (`id`, `recipe`, ...) stays.

    Raises:
        InputError: The folder cannot be written, or has somebody else's file of this name.
    """
    check_replaceable(out, (ROWS_FILE,))
    with writing_to(f"--out '{out}'"):
        out.mkdir(parents=True, exist_ok=True)
        fresh = out / f".{ROWS_FILE}.new"
        with fresh.open("w", encoding="utf-8") as file:
            for row in Rows(rows, WrittenRow):
                own = {"id": row.id, "chunk_id": row.chunk_id, "recipe": row.recipe, "generator": row.generator}
                columns = json.loads(row.columns)
                whole = {**columns, **{name: value for name, value in own.items() if name not in columns}}
                file.write(json.dumps({**whole, "attributes": json.loads(row.attributes)}, ensure_ascii=False) + "\n")
        fresh.replace(out / ROWS_FILE)


def write_results(
    out: Path,
    metrics: EvaluationResult,
    report: str,
    model: Path | None,
    texts: Sequence[str] | None = None,
    provenance: Mapping[str, str] | None = None,
) -> None:
    """Writes `metrics.json`, `report.html` and `model/` with `model/late/` into `out`; each is replaced whole or not at all.

    Args:
        out: The folder.
        metrics: The content of `metrics.json`.
        report: The page.
        model: A model directory to copy, if there is one.
        texts: The chunks as they are embedded: how rare their tokens are goes with `model/late/`.
        provenance: Label -> version, run, decision, for the model's card.

    Raises:
        InputError: The folder cannot be written, or holds somebody else's files under these names.
    """
    check_replaceable(out)
    with writing_to(f"--out '{out}'"):
        out.mkdir(parents=True, exist_ok=True)
        with staging_folder(out) as fresh:
            (fresh / "metrics.json").write_text(json.dumps(metrics.as_json(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
            (fresh / "report.html").write_text(report, encoding="utf-8")
            if model is not None:
                _write_model(fresh / "model", model, metrics, texts, provenance or {})
                if (out / "model").exists():
                    (out / "model").rename(fresh / "replaced-model")
                (fresh / "model").rename(out / "model")
            for name in ("metrics.json", "report.html"):
                (fresh / name).replace(out / name)


def write_queries(out: Path, queries: Iterable[GeneratedQuery], chunks: Iterable[Chunk]) -> Path:
    """Returns `queries.jsonl` in `out`: a query a line with its page and text. `--eval-set` can read it.

    Raises:
        InputError: The folder cannot be written, or holds somebody else's file of this name.
    """
    check_replaceable(out, GENERATED[:1])
    by_id = {chunk.id: chunk for chunk in chunks}
    path = out / GENERATED[0]
    with writing_to(f"--out '{out}'"):
        out.mkdir(parents=True, exist_ok=True)
        with staging_folder(out) as staging:
            fresh = staging / path.name
            with fresh.open("w", encoding="utf-8") as file:
                for query in queries:
                    chunk = by_id[query.chunk_id]
                    made = {"style": query.style, "recipe": query.recipe, "generator": query.generator}
                    row: dict[str, Any] = {
                        "question": query.query,
                        "page": chunk.doc_id,
                        "section": chunk.section,
                        "text": chunk.text,
                        **made,
                    }
                    if further := [by_id[other] for other in query.chunk_ids[1:] if other in by_id]:
                        row["needs_also"] = [
                            {"page": other.doc_id, "section": other.section, "text": other.text} for other in further
                        ]
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
            fresh.replace(path)
    return path


def _write_model(
    target: Path, model: Path, metrics: EvaluationResult, texts: Sequence[str] | None, provenance: Mapping[str, str]
) -> None:
    from finetrieve.registry.vector_settings import recommended_settings
    from finetrieve.reporting.model_card import write_card
    from finetrieve.retrieval.multi_vector import save_late

    shutil.copytree(model, target)
    (target / MODEL_MARK).write_text(_MARK_TEXT, encoding="utf-8")
    write_card(target, metrics, provenance)
    save_late(target, texts, *recommended_settings(metrics))

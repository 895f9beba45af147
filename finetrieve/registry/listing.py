"""Versions of models as the terminal shows them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from finetrieve.core.html import one_line
from finetrieve.core.model_directory import VERSION_LABEL
from finetrieve.core.numbers import UNKNOWN, counted, known
from finetrieve.core.text_table import table_lines
from finetrieve.evaluation.formats import arm_name, interval_in_points, score, way_name

if TYPE_CHECKING:
    from finetrieve.registry.versions import Version

WIDTH = 100
_FACTS = (
    ("trained", "trained"),
    ("stage", "stage"),
    ("base model", "base_model"),
    ("corpus", "corpus"),
    ("documents", "documents"),
    ("chunks", "chunks"),
    ("queries", "queries"),
    ("generator", "generator"),
    ("generation cost", "cost"),
    ("own data", "own_data"),
    ("pairs trained on", "training_pairs"),
    ("training steps", "training_steps"),
    ("commit", "commit"),
    ("run", "run"),
    ("measured on", "eval_set"),
    ("questions", "eval_queries"),
    ("way of searching", "arm_name"),
    ("nDCG@10", "ndcg"),
    ("base model's nDCG@10", "base"),
    ("BM25's nDCG@10", "bm25_ndcg_at_10"),
    ("libraries", "packages"),
)

_IN_ORIGIN = ("trained", "stage", "base_model", "corpus", "documents", "commit", "run", "packages")
"""Facts that a version's provenance has as well."""


def listing(models: Mapping[str, Sequence[Version]]) -> str:
    """Returns a table per model, the newest version first: date, corpus, headline metric, stage, and why."""
    return "\n\n".join(_table(name, found) for name, found in models.items())


def _table(name: str, found: Sequence[Version]) -> str:
    rows: list[tuple[str, ...]] = [("", "trained (UTC)", "corpus", "nDCG@10, 95% interval", "base", "stage")]
    rows += [(str(version.number), *_cells(version)) for version in found]
    margin = " " * (max(len(number) for number, *_ in rows) + 2)
    whys = ["", *("\n".join(_indented(text, margin) for text in (version.why, _origin(version)) if text) for version in found)]
    body = [line for pair in zip(table_lines(rows), whys, strict=True) for line in pair if line]
    return "\n".join([f"{name}", *body])


def _indented(text: str, margin: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=margin, subsequent_indent=margin)


def _origin(version: Version) -> str:
    """Returns in a line from which base model, by which run and of which commit a version was made."""
    found = _facts(version)
    made = [f"from {found['base_model']}" if found["base_model"] else "", f"by run {found['run']}" if found["run"] else ""]
    made += [f"commit {found['commit']}" if found["commit"] else ""]
    return f"Trained {', '.join(part for part in made if part)}." if any(made) else ""


def measured_words(version: Version) -> str:
    """Returns in a sentence when and from what a version was trained, and what it scored on which questions."""
    base, measured = _facts(version)["base_model"], _measured(version.record)
    trained = f"{version.label} was trained on {version.created:%Y-%m-%d}{f' from {base}' if base else ''}"
    return f"{trained}; nDCG@10 {measured}." if measured else f"{trained}."


def provenance_of(version: Version) -> dict[str, str]:
    """Returns where a version comes from, label -> words, for its card; what is not known is left out."""
    record, found = version.record, _facts(version)
    facts = {
        VERSION_LABEL: version.label,
        "Decision": f"{version.stage}. {version.why}",
        "Base model": found["base_model"],
        "Trained": found["trained"],
        "Run": found["run"],
        "Command": one_line(record.get("command", ""), 1_000),
        "Commit": found["commit"],
        "In ZenML": one_line(record.get("zenml", ""), 500),
        "Documents": f"{found['documents']} ({found['corpus']})" if found["documents"] else "",
        "Libraries": one_line(record.get("packages", ""), 1_000),
    }
    return {label: value for label, value in facts.items() if value}


def details(version: Version) -> str:
    """Returns all that is known of a version, one fact a line."""
    found = _facts(version)
    origin = provenance_of(version)
    known = {label: found[key] for label, key in _FACTS if found[key] not in ("", UNKNOWN) and key not in _IN_ORIGIN}
    rows = [
        *origin.items(),
        *((label if label.startswith("nDCG") else label[:1].upper() + label[1:], value) for label, value in known.items()),
    ]
    width = max(len(label) for label, _ in rows) + 2
    return "\n".join(
        textwrap.fill(f"{label:{width}}{value}", WIDTH, subsequent_indent=" " * width, break_on_hyphens=False)
        for label, value in rows
    )


def _base(record: Mapping[str, Any]) -> str:
    name = record.get("base_name") or record.get("base_model", "")
    return f"{name} ({record['base_revision']})" if record.get("base_revision") else name


def _cells(version: Version) -> tuple[str, ...]:
    record = version.record
    corpus = (
        f"{one_line(record.get('corpus', ''), 12)} ({counted(record['documents'], 'document')})"
        if record.get("documents")
        else ""
    )
    return f"{version.created:%Y-%m-%d %H:%M}", corpus, _measured(record), score(record.get("base_ndcg_at_10")), version.stage


def _measured(record: Mapping[str, Any]) -> str:
    if not known(record.get("ndcg_at_10")):
        return ""
    interval = f"[{score(record.get('ndcg_at_10_low'))}, {score(record.get('ndcg_at_10_high'))}]"
    asked = f"{counted(record.get('eval_queries', 0), 'question')} of '{one_line(record.get('eval_set', ''), 24)}'"
    if record.get("arm"):
        asked += f", {way_name(str(record['arm'])).lower()}"
    return f"{score(record['ndcg_at_10'])} {interval} on {asked}"


def side_by_side(first: Version, second: Version) -> str:
    """Returns two versions' facts beside each other; those that differ carry a mark."""
    facts = [_facts(version) for version in (first, second)]
    rows = [("", first.label, second.label)]
    for label, key in _FACTS:
        a, b = facts[0][key], facts[1][key]
        if a or b:
            rows.append((label, a, b if a == b else f"{b}  *"))
    notes = ["", "* differs"]
    if not _same_measure(facts):
        notes.append("They were measured on other documents or questions, so their numbers do not compare;")
        notes.append("each run's own comparison with the version in production does: see the reasons below.")
    whys = [textwrap.fill(f"{version.label}: {version.why}", WIDTH) for version in (first, second)]
    return "\n".join([*table_lines(rows), *notes, "", *whys, *_difference(first, second)])


def version_facts(version: Version) -> dict[str, Any]:
    """Returns what is known of a version, as JSON; `why` is the reason for its stage."""
    record = {key: value for key, value in version.record.items() if not key.endswith("_artifact")}
    names = {"version": version.label, "model": version.model, "number": version.number}
    return {**names, "trained": version.created.isoformat(), "stage": version.stage, "why": version.why, **record}


def comparison_facts(first: Version, second: Version) -> dict[str, Any]:
    """Returns what `side_by_side` shows, as JSON; `difference` is None where the two were not compared by a run."""
    facts, paired = [_facts(version) for version in (first, second)], _paired(first, second)
    return {
        "versions": [version_facts(version) for version in (first, second)],
        "differs": [key for _, key in _FACTS if facts[0][key] != facts[1][key]],
        "comparable": _same_measure(facts),
        "difference": dict(zip(("version", "against", "delta", "low", "high"), paired, strict=True)) if paired else None,
    }


def _same_measure(facts: Sequence[Mapping[str, str]]) -> bool:
    return facts[0]["eval_set"] == facts[1]["eval_set"] and facts[0]["corpus"] == facts[1]["corpus"]


def _facts(version: Version) -> dict[str, str]:
    record = version.record
    plain = {key: one_line(record.get(key, ""), 60) for _, key in _FACTS}
    if known(record.get("bm25_ndcg_at_10")):
        plain["bm25_ndcg_at_10"] = score(record["bm25_ndcg_at_10"])
    interval = f"[{score(record.get('ndcg_at_10_low'))}, {score(record.get('ndcg_at_10_high'))}]"
    return {
        **plain,
        "trained": f"{version.created:%Y-%m-%d %H:%M} UTC",
        "stage": version.stage,
        "arm_name": one_line(arm_name(str(record.get("arm") or "")), 60),
        "ndcg": f"{score(record['ndcg_at_10'])} {interval}" if known(record.get("ndcg_at_10")) else "",
        "base_model": one_line(_base(record), 80),
        "base": score(record.get("base_ndcg_at_10")),
    }


def _difference(first: Version, second: Version) -> list[str]:
    paired = _paired(first, second)
    if paired is None:
        return []
    label, other, *numbers = paired
    return ["", f"{label} - {other}, same questions: nDCG@10 {interval_in_points(*numbers)}"]


def _paired(first: Version, second: Version) -> tuple[str, str, float, float, float] | None:
    """Returns the paired difference, where one of the two was compared with the other when it was trained."""
    for version, other in ((second, first), (first, second)):
        decision = version.record.get("decision") or {}
        if decision.get("against") == other.label and known(decision.get("delta")):
            return version.label, other.label, decision["delta"], decision["low"], decision["high"]
    return None

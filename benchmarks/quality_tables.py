"""What the quality benchmark records of its runs, the table it prints of them, and two saved runs side by side."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

Run = dict[str, Any]
"""One retrain on one set; `record_of` says what it holds."""

METRIC = "ndcg@10"
HEADLINE_ARM = "fused_finetuned"
WAYS = ("dense", "late")


# 1. From metrics.json to a record.


def record_of(metrics: Mapping[str, Any], name: str, seed: int, measured: Mapping[str, float]) -> Run:
    """Returns what is kept of a run.

    Args:
        metrics: The run's `metrics.json`.
        name: Of the set.
        seed: Of the run.
        measured: `seconds` and `peak_mb` of the whole run.

    Returns:
        `set`, `seed`, `kind`, `n_queries`, `n_chunks`, `n_pairs`, `arms` (value, low, high), `best_untrained`, `headline` (the
        fused tuned arm against it), `tuned` (finetuned against base), `verdict`, `guard`, `seconds`, `training_seconds`,
        `peak_mb`.
    """
    tables = metrics["eval_sets"]
    label = max(tables, key=lambda item: (tables[item]["kind"] == "human", tables[item]["n_queries"]))
    table, training = tables[label], metrics["training"]
    return {
        "set": name,
        "seed": seed,
        "kind": table["kind"],
        "n_queries": table["n_queries"],
        "n_chunks": table["n_chunks"],
        "n_pairs": training.get("n_pairs"),
        "arms": {arm: dict(scores[METRIC]) for arm, scores in table["arms"].items()},
        "best_untrained": table["best_untrained"],
        "headline": comparison(table, HEADLINE_ARM, table["best_untrained"]),
        "tuned": comparison(table, "finetuned", "base"),
        "verdict": {key: metrics["verdict"].get(key) for key in ("arm", "against", "better", "delta", "low", "high", "sentence")},
        "guard": training.get("guard"),
        "training_seconds": training.get("seconds"),
        **measured,
    }


def comparison(table: Mapping[str, Any], arm: str, against: str | None) -> dict[str, float] | None:
    """Returns `delta`, `low` and `high` of nDCG@10 of a pair of arms in a set's table, or None."""
    for row in table["comparisons"]:
        if (row["arm"], row["against"], row["metric"]) == (arm, against, METRIC):
            return {key: row[key] for key in ("delta", "low", "high")}
    return None


def sign_of(generated: Mapping[str, float] | None, people: Mapping[str, float] | None) -> dict[str, Any] | None:
    """Returns whether generated questions told the same as people's of what training did to one model.

    Args:
        generated: `delta`, `low` and `high` of finetuned - base on generated test questions.
        people: The same on the questions that people asked.

    Returns:
        Both, `right` (the differences have the same sign) and `clear` (the interval of people's does not hold zero); None where
        either is missing.
    """
    if generated is None or people is None:
        return None
    right = (generated["delta"] > 0) == (people["delta"] > 0)
    return {"generated": generated, "people": people, "right": right, "clear": not people["low"] <= 0 <= people["high"]}


# 2. The table.


def table_of(runs: Sequence[Run]) -> list[list[str]]:
    """Returns a column per set and a row per arm, then the comparisons and costs; the mean over seeds, with its spread."""
    columns = by_set(runs)
    arms = ordered_arms(runs)
    rows = [["nDCG@10", *columns]]
    rows.append(["questions", *(f"{found[0]['n_queries']} {_who(found[0])}" for found in columns.values())])
    rows += [[arm, *(_spread([value_of(run, arm) for run in found]) for found in columns.values())] for arm in arms]
    facts: list[tuple[str, Callable[[Run], str]]] = [
        (f"{HEADLINE_ARM} - best untrained", lambda run: _delta(run.get("headline"), run.get("best_untrained"))),
        ("finetuned - base", lambda run: _delta(run.get("tuned"))),
        ("generated questions said", lambda run: _delta((run.get("sign") or {}).get("generated"))),
        ("the same model, people's", lambda run: _delta((run.get("sign") or {}).get("people"))),
        ("  the right sign", lambda run: _right(run.get("sign"))),
        *((f"guard, {way}", partial(_guard, way=way)) for way in WAYS),
        ("seconds", lambda run: _whole(run.get("seconds"))),
        ("  of training", lambda run: _whole(run.get("training_seconds"))),
        ("peak MB", lambda run: _whole(run.get("peak_mb"))),
    ]
    for label, cell in facts:
        cells = [_joined(cell(run) for run in found) for found in columns.values()]
        if any(cells):
            rows.append([label, *cells])
    return rows


def forgetting_table(runs: Sequence[Run]) -> list[list[str]]:
    """Returns a row per trained set and other set: each way of searching before and after, the difference in points."""
    rows = []
    for run in runs:
        for other, arms in (run.get("forgetting") or {}).items():
            cells = []
            for tuned in ("finetuned", "late_finetuned", "fused_finetuned"):
                before, after = arms[tuned.replace("finetuned", "base")], arms[tuned]
                cells.append(f"{before:.3f} -> {after:.3f} ({100 * (after - before):+.1f})")
            rows.append([run["set"], other, *cells])
    return [["trained on", "asked about", "dense", "late", "fused"], *rows] if rows else []


def learning_table(runs: Sequence[Run]) -> list[list[str]]:
    """Returns a row per set and share of the queries."""
    rows = [
        [run["set"], f"{point['share']:.0%}", str(point["n_pairs"]), *(f"{value:.3f}" for value in point["arms"].values())]
        for run in runs
        for point in run.get("learning_curve") or []
    ]
    return [["set", "queries", "pairs", "dense", "late", "fused"], *rows] if rows else []


# 3. Two saved runs.


def compared(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[list[str]]:
    """Returns a column per set that both saved runs have and a row per arm: before, after, the difference in points."""
    old, new = by_set(first["runs"]), by_set(second["runs"])
    both = [name for name in new if name in old]
    rows = [["nDCG@10", *both]]
    for arm in ordered_arms([*first["runs"], *second["runs"]]):
        rows.append([arm, *(_change(_mean_of(old[name], arm), _mean_of(new[name], arm)) for name in both)])
    for label, key in (("seconds", "seconds"), ("  of training", "training_seconds"), ("peak MB", "peak_mb")):
        rows.append([label, *(_ratio(_mean_fact(old[name], key), _mean_fact(new[name], key)) for name in both)])
    return rows


def left_out_of(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Returns, in words, what makes two saved runs hard to compare: other sets, settings, seeds or a cheap variant."""
    names = [set(by_set(saved["runs"])) for saved in (first, second)]
    said = [f"only in one of them: {', '.join(sorted(names[0] ^ names[1]))}"] if names[0] ^ names[1] else []
    for key in ("quick", "config", "machine"):
        if first.get(key) != second.get(key):
            said.append(f"{key}: {first.get(key)} and {second.get(key)}")
    seeds = [sorted({run["seed"] for run in saved["runs"]}) for saved in (first, second)]
    if seeds[0] != seeds[1]:
        said.append(f"seeds: {seeds[0]} and {seeds[1]}")
    return said


# 4. Cells.


def by_set(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Returns set -> its runs, in the order of the runs."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run["set"], []).append(run)
    return found


def ordered_arms(runs: Iterable[Run]) -> list[str]:
    """Returns the arms of all runs, as the runs order them."""
    return list(dict.fromkeys(arm for run in runs for arm in run["arms"]))


def value_of(run: Run, arm: str) -> float | None:
    """Returns nDCG@10 of an arm, or None."""
    found = run["arms"].get(arm)
    return None if found is None else float(found["value"])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Returns rows as text, the first column to the left and the others to the right."""
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows)


def _who(run: Run) -> str:
    return "by people" if run["kind"] == "human" else "generated"


def _spread(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    mean = statistics.fmean(known)
    return f"{mean:.3f}" if len(known) == 1 else f"{mean:.3f} ±{statistics.stdev(known):.3f}"


def _delta(found: Mapping[str, float] | None, against: str | None = None) -> str:
    if not found:
        return ""
    of = f" ({against})" if against else ""
    return f"{100 * found['delta']:+.1f} [{100 * found['low']:+.1f}, {100 * found['high']:+.1f}]{of}"


def _guard(run: Run, way: str) -> str:
    found = ((run.get("guard") or {}).get(METRIC) or {}).get(way)
    return f"{found['base']:.3f} -> {found['finetuned']:.3f}" if found else ""


def _right(sign: Mapping[str, Any] | None) -> str:
    if not sign:
        return ""
    return ("yes" if sign["right"] else "NO") + ("" if sign["clear"] else ", people's not clear")


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _joined(cells: Iterable[str]) -> str:
    return " | ".join(cell for cell in cells if cell)


def _mean_of(runs: Sequence[Run], arm: str) -> float | None:
    known = [value for run in runs if (value := value_of(run, arm)) is not None]
    return statistics.fmean(known) if known else None


def _mean_fact(runs: Sequence[Run], key: str) -> float | None:
    known = [float(run[key]) for run in runs if run.get(key) is not None]
    return statistics.fmean(known) if known else None


def _change(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return "-"
    return f"{before:.3f} -> {after:.3f} ({100 * (after - before):+.1f})"


def _ratio(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return "-"
    return f"{before:,.0f} -> {after:,.0f} (x{after / before:.2f})" if before else f"{before:,.0f} -> {after:,.0f}"

from __future__ import annotations

from finetrieve.core.code_hash import reached_files
from finetrieve.core.paths import ROOT
from steps.caching import library_versions


def reached(step: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in reached_files(ROOT / step)}


def test_a_step_depends_on_the_modules_it_reaches_and_on_no_others() -> None:
    training = reached("steps/train_model.py")
    assert {
        "steps/train_model.py",
        "finetrieve/training/train.py",
        "finetrieve/training/losses.py",
        "finetrieve/core/rows.py",
    } <= training
    assert not any(name.startswith(("finetrieve/corpus/", "finetrieve/generation/", "pipelines/")) for name in training)
    chunks = reached("steps/load_chunks.py")
    assert not any(name.startswith(("finetrieve/training/", "finetrieve/evaluation/")) for name in chunks)


def test_modules_named_in_a_registry_count_as_reached() -> None:
    assert "finetrieve/corpus/sources/package.py" in reached("steps/load_chunks.py")
    assert any(name.startswith("finetrieve/generation/recipes/rules/") for name in reached("steps/generate_queries.py"))


def test_a_template_counts_as_reached_by_the_step_that_renders_it_and_by_no_other() -> None:
    assert "finetrieve/reporting/report.html.j2" in reached("steps/build_report.py")
    assert "finetrieve/reporting/report.html.j2" not in reached("steps/evaluate_model.py")


def test_library_versions_name_what_decides_results() -> None:
    assert "sentence-transformers==" in library_versions()
    assert "torch==" in library_versions()

from __future__ import annotations

from steps.caching import ROOT, library_versions, reached_files


def reached(step: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in reached_files(ROOT / step)}


def test_a_step_depends_on_the_modules_it_reaches_and_on_no_others() -> None:
    training = reached("steps/training/train_model.py")
    assert {"steps/training/train_model.py", "steps/training/train.py", "steps/training/losses.py", "steps/rows.py"} <= training
    assert not any(name.startswith(("steps/chunks/", "steps/generation/", "pipelines/")) for name in training)
    chunks = reached("steps/chunks/load_chunks.py")
    assert not any(name.startswith(("steps/training/", "steps/evaluation/")) for name in chunks)


def test_modules_named_in_a_registry_count_as_reached() -> None:
    assert "steps/chunks/package.py" in reached("steps/chunks/load_chunks.py")
    assert any(name.startswith("steps/generation/rules/") for name in reached("steps/generation/generate_queries.py"))


def test_a_template_counts_as_reached_by_the_step_that_renders_it_and_by_no_other() -> None:
    assert "steps/evaluation/report.html.j2" in reached("steps/evaluation/build_report.py")
    assert "steps/evaluation/report.html.j2" not in reached("steps/evaluation/evaluate_model.py")


def test_library_versions_name_what_decides_results() -> None:
    assert "sentence-transformers==" in library_versions()
    assert "torch==" in library_versions()

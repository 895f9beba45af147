from __future__ import annotations

import ast
from pathlib import Path

import pytest

from finetrieve.core.code_hash import library_versions, reached_files
from finetrieve.core.paths import ROOT


def reached(stage: str, step: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in reached_files(ROOT / "steps" / f"{stage}.py", step)}


def test_a_step_depends_on_the_modules_it_reaches_and_on_no_others() -> None:
    training = reached("training", "train_model")
    assert {
        "finetrieve/training/train.py",
        "finetrieve/training/losses.py",
        "finetrieve/core/rows.py",
    } <= training
    assert not any(
        name.startswith(("finetrieve/corpus/", "finetrieve/generation/", "finetrieve/app/", "pipelines/")) for name in training
    )
    chunks = reached("corpus", "load_chunks")
    assert not any(name.startswith(("finetrieve/training/", "finetrieve/evaluation/", "finetrieve/app/")) for name in chunks)


def test_steps_in_one_file_depend_on_what_each_of_them_uses() -> None:
    assert "finetrieve/training/train.py" not in reached("training", "split_queries")
    assert "finetrieve/training/split.py" not in reached("training", "import_model")
    assert "finetrieve/evaluation/scoring.py" not in reached("training", "split_queries")
    assert "finetrieve/curation/filters.py" not in reached("generation", "generate_queries")


def test_a_step_that_does_not_exist_is_said() -> None:
    with pytest.raises(LookupError, match="no function 'train'"):
        reached("training", "train")


@pytest.mark.parametrize("path", sorted((ROOT / "steps").glob("*.py")), ids=lambda path: path.name)
def test_files_of_steps_define_steps_alone_since_no_cache_key_covers_anything_else_in_them(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if path.name in ("caching.py", "materializers.py"):
        return
    defined = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)]
    defined = [node for node in defined if ast.unparse(node) != "logger = get_logger(__name__)"]
    steps = [node for node in defined if isinstance(node, ast.FunctionDef) and "step" in ast.unparse(node.decorator_list[0])]
    assert defined == steps


def test_modules_named_in_a_registry_count_as_reached() -> None:
    assert "finetrieve/corpus/sources/package.py" in reached("corpus", "load_chunks")
    generation = reached("generation", "generate_queries")
    assert any(name.startswith("finetrieve/generation/recipes/rules/") for name in generation)
    assert {"finetrieve/generation/recipes/rules/words/verbs.txt", "finetrieve/generation/llm/providers/mistral.py"} <= generation


def test_a_template_counts_as_reached_by_the_step_that_renders_it_and_by_no_other() -> None:
    assert "finetrieve/reporting/report.html.j2" in reached("evaluation", "build_report")
    assert "finetrieve/reporting/report.html.j2" not in reached("evaluation", "evaluate_model")


def test_library_versions_name_what_decides_results() -> None:
    assert "sentence-transformers==" in library_versions()
    assert "torch==" in library_versions()

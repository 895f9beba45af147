"""What a shell completes: names that exist, and files where an option takes a path."""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from finetrieve.cli.main import main


def completed(*words: str) -> list[tuple[str, str]]:
    """Returns the kind and the value of each completion; of kind `file`, the shell completes paths."""
    *given, start = words
    shell = ShellComplete(main, {}, "finetrieve", "_FINETRIEVE_COMPLETE")
    return [(item.type, item.value) for item in shell.get_completions(given, start)]


@pytest.mark.parametrize(
    "words",
    [
        ("--config", "x"),
        ("--docs", "x"),
        ("--eval-set", "x"),
        ("--pairs", "x"),
        ("--queries", "x"),
        ("--base-model", "x"),
        ("--out", "x"),
        ("ask", "--index", "x"),
        ("index", "--eval-set", "x"),
        ("compare", "--eval-set", "x"),
        ("compare", "x"),
        ("models", "export", "--to", "x"),
    ],
)
def test_a_path_is_completed_by_the_shell(words: tuple[str, ...]) -> None:
    assert completed(*words) == [("file", "x")]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("mod",), ["models"]),
        (("models", "ro"), ["rollback"]),
        (("--pipeline", "re"), ["retrain"]),
        (("--eval",), ["--eval-set"]),
        (("export", "dataset", "--form", "r"), ["ragas"]),
        (("index", "--precision", "i"), ["int8"]),
        (("completion", "z"), ["zsh"]),
    ],
)
def test_names_are_completed(words: tuple[str, ...], expected: list[str]) -> None:
    assert [value for _, value in completed(*words)] == expected

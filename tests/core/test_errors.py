"""Mistakes as a notebook shows them."""

from __future__ import annotations

from finetrieve.core.errors import InputError, SeveralModelsError


def test_a_notebook_shows_the_line_of_a_mistake_and_no_traceback() -> None:
    assert InputError("No such page 'a'.")._render_traceback_() == ["No such page 'a'."]


def test_a_choice_between_models_says_how_to_make_it() -> None:
    assert str(SeveralModelsError(["a", "b"])) == "There is more than one model: a, b. Name one of them."
    assert str(SeveralModelsError(["a", "b"], 'Write last_run("a").')).endswith(': a, b. Write last_run("a").')

"""`--set KEY=VALUE`: any key, lists by index, values as YAML, and mistakes that name the option."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from finetrieve.app.config import DEFAULT_CONFIG, Config, load_config
from finetrieve.cli.main import main
from finetrieve.core.errors import InputError


def _load(*overrides: str, path: Path = DEFAULT_CONFIG) -> Config:
    return load_config(path, overrides=overrides)


def test_an_option_sets_a_key_and_nothing_else() -> None:
    changed, before = _load("training.epochs=1", "filters[0].max_words=20").model_dump(), _load().model_dump()
    assert (changed["training"].pop("epochs"), before["training"].pop("epochs")) == (1.0, 4.0)
    assert (changed["filters"][0].pop("max_words"), before["filters"][0].pop("max_words")) == (20, 32)
    assert changed == before


def test_the_recorded_configuration_shows_the_value() -> None:
    assert "epochs: 1.5" in _load("training.epochs=1.5").as_yaml()


def test_values_are_yaml_and_the_last_option_wins() -> None:
    config = _load("evaluation.arms=[bm25, base]", "seed=1", "seed=2", "annotation={enabled: false}", "name=null")
    assert (config.evaluation.arms, config.seed, config.name) == (["bm25", "base"], 2, None)
    assert config.annotation is not None and not config.annotation.enabled


def test_sections_that_the_file_leaves_out_are_made(tmp_path: Path) -> None:
    path = tmp_path / "short.yaml"
    path.write_text("source: {name: folder, path: docs}\n")
    assert _load("training.epochs=2", path=path).training.epochs == 2


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("training.epochs", r"--set training\.epochs: expected KEY=VALUE"),
        ("=1", "--set =1: expected KEY=VALUE"),
        ("seed=[", r"--set seed=\[: the value is not valid YAML"),
        ("training.epochs=two", r"^--set training\.epochs=two: training\.epochs: input should be a valid number"),
        ("training.epohcs=1", r"^--set training\.epohcs=1: training\.epohcs: unknown key\. Did you mean 'epochs'\?"),
        ("epochs=1", r"--set epochs=1: unknown key 'epochs'\. Nearest: training\.epochs\."),
        ("trainig.epochs=1", r"unknown key 'trainig'\. Nearest: training\.epochs"),
        ("filters[9].top_k=5", r"--set filters\[9\]\.top_k=5: filters has 5 entries; the first is filters\[0\]\."),
        ("filters[0].topk=5", r"^--set filters\[0\]\.topk=5: filters\[0\]\.topk: unknown key"),
        ("filters.top_k=5", r"filters is a list: say which entry"),
        ("training[0]=5", r"training is no list"),
        ("seed.x=1", r"seed has no keys below it"),
    ],
)
def test_a_mistake_names_the_option(option: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as error:
        _load(option)
    assert "\n" not in str(error.value)


def test_a_mistake_in_the_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("source: {name: folder, path: docs}\nseed: x\n")
    with pytest.raises(InputError, match=rf"^{path}: seed: "):
        _load("training.epochs=2", path=path)


@pytest.mark.parametrize(
    "arguments",
    [["--pipeline", "retrain"], ["--pipeline", "retrain", "--dry-run"], ["--pipeline", "retrain", "--schedule", "0 3 * * 1"], []],
    ids=["run", "dry run", "schedule", "doctor"],
)
def test_every_command_that_reads_a_configuration_takes_the_option(arguments: list[str]) -> None:
    option = ["--set", "training.epochs=two"]
    result = CliRunner().invoke(main, [*arguments, *option] if arguments else ["doctor", *option])
    assert result.exit_code == 2
    assert "Error: --set training.epochs=two: training.epochs: input should be a valid number" in result.output

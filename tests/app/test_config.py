from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from finetrieve.app.config import DEFAULT_CONFIG, Config, load_config
from finetrieve.core.errors import InputError
from finetrieve.evaluation.arms import ARMS

DOCS = {"name": "folder", "path": "docs"}


def write(folder: Path, settings: object) -> Path:
    path = folder / "config.yaml"
    path.write_text(settings if isinstance(settings, str) else yaml.safe_dump(settings))
    return path


@pytest.mark.parametrize("name", ["default.yaml", "demo-offline.yaml", "argilla.yaml"])
def test_a_configuration_that_we_ship_spells_every_key_out(name: str) -> None:
    path = DEFAULT_CONFIG.with_name(name)
    written = yaml.safe_load(path.read_text())
    whole = load_config(path).model_dump(mode="json")

    def missing(wanted: object, given: object, place: str) -> list[str]:
        if isinstance(wanted, dict):
            assert isinstance(given, dict), place
            absent = [f"{place}.{key}" for key in wanted if key not in given]
            return absent + [
                name for key in wanted if key in given for name in missing(wanted[key], given[key], f"{place}.{key}")
            ]
        if isinstance(wanted, list) and isinstance(given, list):
            return [
                name for index, pair in enumerate(zip(wanted, given, strict=True)) for name in missing(*pair, f"{place}[{index}]")
            ]
        return []

    assert missing(whole, written, "") == []


@pytest.mark.parametrize("path", sorted(DEFAULT_CONFIG.parent.glob("*.yaml")), ids=lambda path: path.name)
def test_a_configuration_that_we_ship_evaluates_every_arm(path: Path) -> None:
    assert set(load_config(path).evaluation.arms) == set(ARMS)


def test_a_reranker_beside_the_yaml_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "reranker").mkdir()
    config = load_config(write(tmp_path, {"source": DOCS, "evaluation": {"reranker": "reranker"}}))
    assert config.evaluation.reranker == str(tmp_path / "reranker")


def test_the_default_configuration_says_what_the_defaults_are() -> None:
    given = load_config(DEFAULT_CONFIG)
    defaults = Config.model_validate({"source": DOCS})
    for part in ("chunks", "generation", "split", "training"):
        assert getattr(given, part) == getattr(defaults, part), part


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"sorce": 1, "source": DOCS}, "sorce: unknown key. Did you mean 'source'?"),
        ({"source": {"name": "foldr", "path": "x"}}, "source.name: unknown name 'foldr'. Did you mean 'folder'?"),
        ({"source": {**DOCS, "pth": 1}}, "source.pth: unknown key. Did you mean 'path'?"),
        ({"source": {"path": "x"}}, "source.name: missing"),
        (
            {"source": DOCS, "training": {"learning_rtae": 1}},
            "training.learning_rtae: unknown key. Did you mean 'learning_rate'?",
        ),
        ({"source": DOCS, "training": {"epochs": "two"}}, "training.epochs: input should be a valid number"),
        (
            {"source": DOCS, "training": {"learning_rate": float("inf")}},
            "learning_rate: input should be a finite number, found inf",
        ),
        ({"source": DOCS, "training": {"loss": "mrnl"}}, "training.loss: Unknown loss 'mrnl'. Did you mean 'mnrl'?"),
        ({"source": DOCS, "filters": [{"name": "round_trip", "topk": 3}]}, "filters[0].topk: unknown key. Did you mean 'top_k'?"),
        (
            {"source": DOCS, "filters": [{"name": "rnd_trip"}]},
            "filters[0].name: unknown name 'rnd_trip'. Did you mean 'round_trip'?",
        ),
        ({"source": DOCS, "generation": {"recipes": [{"name": "ruels"}]}}, "generation.recipes[0].name: unknown name 'ruels'"),
        ({"source": DOCS, "seed": -1}, "seed: input should be greater than or equal to 0, found -1."),
        (
            {"source": DOCS, "name": "my docs"},
            "name: 'my docs' is no name; expected letters, digits, '.', '_' and '-', at most 80",
        ),
        ({}, "source: missing"),
        ("", "expected a mapping of settings, found an empty file"),
        ("- a\n- b\n", "expected a mapping of settings, found a list"),
        ({"source": DOCS, "annotation": True}, "annotation: expected a mapping of settings, found True."),
        ({"source": DOCS, "training": None}, "training: expected a mapping of settings, found None."),
        ({"source": DOCS, "generation": {"recipes": ["rules"]}}, "recipes[0]: expected a mapping of settings, found 'rules'."),
        ("", "Start from the one that `python run.py init DIR` writes."),
        ("seed: [1\n", "not valid YAML"),
        ("seed: 1\nseed: 2\n", "line 2, column 1: not valid YAML: key 'seed' is given twice"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_nearest_known_name(tmp_path: Path, settings: object, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        load_config(write(tmp_path, settings))
    [line] = str(caught.value).splitlines()
    assert expected in line


def test_each_of_several_mistakes_has_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_config(write(tmp_path, {"source": DOCS, "sed": 1, "training": {"epochs": 0}}))
    assert len(str(caught.value).splitlines()) == 2


def test_docs_on_the_command_line_replace_the_source_and_the_questions_about_it(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# Page\n\nText.")
    config = load_config(DEFAULT_CONFIG, docs=tmp_path)
    assert config.source.name == "folder" and config.source.path == str(tmp_path)
    assert config.evaluation.eval_sets == []
    assert [item.path for item in load_config(DEFAULT_CONFIG, tmp_path, ("questions",)).evaluation.eval_sets] == [
        Path("questions")
    ]


def test_paths_are_looked_up_beside_the_yaml_file_first(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    config = load_config(write(tmp_path, {"source": DOCS}))
    assert config.source.name == "folder" and config.source.path == str(tmp_path / "docs")


def test_paths_on_the_command_line_are_those_of_the_working_directory_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, beside = tmp_path / "here" / "now", tmp_path / "project"
    for folder in (here.parent / "docs", tmp_path / "docs", here / "pairs", beside / "pairs", beside / "model"):
        folder.mkdir(parents=True)
    path = write(beside, {"source": DOCS})
    monkeypatch.chdir(here)

    config = load_config(path, "../docs", overrides=("evaluation.reranker=model",), pairs=("./pairs",))
    assert config.source.name == "folder" and config.source.path == "../docs"
    assert [item.path for item in config.pairs] == ["./pairs"]

    assert config.evaluation.reranker == str(beside / "model"), "a key of --set is one of the file"


def test_a_configuration_survives_being_written_as_yaml(tmp_path: Path) -> None:
    config = load_config(DEFAULT_CONFIG)
    assert load_config(write(tmp_path, config.as_yaml())) == config

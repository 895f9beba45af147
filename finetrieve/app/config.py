"""The whole configuration: one YAML file, validated before any work, with errors that name the key and the nearest known name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from finetrieve.annotation.settings import AnnotationSettings
from finetrieve.app.config_overrides import option_of, with_overrides
from finetrieve.app.config_tree import find_key, map_paths
from finetrieve.core.errors import InputError, did_you_mean
from finetrieve.core.failures import error_line
from finetrieve.core.logging import get_logger
from finetrieve.core.paths import ROOT, refuse_special_file
from finetrieve.core.settings import Settings
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.corpus.sources.registry import SourceSettings, source_from_argument
from finetrieve.curation.filters import FilterSettings
from finetrieve.evaluation.settings import GENERATED, EvaluationSettings
from finetrieve.generation.settings import GenerationSettings
from finetrieve.own_data.settings import PairSettings, QuerySettings, pairs_from_argument
from finetrieve.training.settings import SplitSettings, TrainingSettings

logger = get_logger(__name__)
DEFAULT_CONFIG = ROOT / "configs" / "default.yaml"
OFFLINE_CONFIG = DEFAULT_CONFIG.with_name("demo-offline.yaml")
NAME = r"^[A-Za-z0-9][\w.\-]{0,79}$"
"""A model's name."""


class Config(Settings):
    """Everything a run depends on; `configs/default.yaml` spells every key out."""

    name: str | None = Field(default=None, pattern=NAME)
    """What the trained models are called in the registry; None names them after the documents."""
    seed: int = Field(default=13, ge=0, le=2**31 - 1)
    """Of everything that is drawn at random: styles, batches, the resamples of the intervals."""
    source: SourceSettings
    chunks: ChunkSettings = ChunkSettings()
    pairs: list[PairSettings] = Field(default=[])
    """Pairs of one's own, which are trained on beside generated queries, or in their place."""
    query_logs: list[QuerySettings] = Field(default=[])
    """Queries of one's own without answers, such as a search log: a teacher labels them, and they are trained on too."""
    generation: GenerationSettings = GenerationSettings()
    filters: list[FilterSettings] = Field(default=[])
    annotation: AnnotationSettings | None = None
    split: SplitSettings = SplitSettings()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()

    @model_validator(mode="after")
    def _sets_differ(self) -> Config:
        evaluated = [GENERATED, *(item.label for item in self.evaluation.eval_sets)]
        labels = [*(item.label for item in self.pairs), *(item.label for item in self.query_logs)]
        judging = [item.label for item in self.pairs if item.evaluate and item.label in evaluated]
        if twice := judging or [label for label in labels if labels.count(label) > 1]:
            raise ValueError(f"pairs, query_logs: another set is named '{twice[0]}' too; give each a `name` of its own.")
        return self

    @model_validator(mode="after")
    def _one_base_model_reviewed(self) -> Config:
        if len(self.training.base_models) > 1 and self.reviewing is not None and self.reviewing.compare:
            raise ValueError(
                "annotation.compare measures the review with one base model, and training.base_models names "
                f"{len(self.training.base_models)}; leave one of the two out."
            )
        return self

    @property
    def model_name(self) -> str:
        """The registry's name for models of these documents: one has a version in production at a time."""
        return self.name or _name_of(self.source)

    @property
    def reviewing(self) -> AnnotationSettings | None:
        """The settings of annotation where it is switched on."""
        return self.annotation if self.annotation is not None and self.annotation.enabled else None

    def relative_to_project(self) -> Config:
        """Returns the configuration where the code travels: paths inside the project relative to it, others absolute."""

        def relative(value: str) -> str:
            place = Path(value).absolute()
            if not Path(value).is_absolute() and not place.exists():  # no path: a model's name
                return value
            return place.relative_to(ROOT).as_posix() if place.is_relative_to(ROOT) else str(place)

        return Config.model_validate(map_paths(plain(self), Config, relative))

    def as_yaml(self) -> str:
        """Returns the whole configuration, defaults included, as YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def not_a_name(value: str) -> str:
    """Returns what is wrong with a model's name."""
    return f"'{value}' is no name; expected letters, digits, '.', '_' and '-', at most 80, and no mark first."


def _name_of(source: SourceSettings) -> str:
    """Returns a name from the place of the documents: a package, a dataset, or the last two parts of a path."""
    key, place = source.identity
    if source.is_path(key) and "://" not in place:
        place = "/".join(Path(place).resolve().parts[-2:])
    place = re.sub(r"^[a-z]+://(?:www\.)?", "", place)
    return re.sub(r"[^A-Za-z0-9]+", "-", place).strip("-").lower()[:80] or source.name


def plain(settings: BaseModel) -> dict[str, Any]:
    """Returns the settings as a step's parameter: a dictionary, since ZenML leaves defaults out of a model that it stores."""
    return settings.model_dump(mode="json")


def load_config(
    path: Path | str,
    docs: str | Path | None = None,
    eval_sets: tuple[str, ...] = (),
    overrides: tuple[str, ...] = (),
    pairs: tuple[str, ...] = (),
    queries: tuple[str, ...] = (),
    base_models: tuple[str, ...] = (),
) -> Config:
    """Returns the validated configuration of a YAML file.

    Args:
        path: The YAML file. Relative paths inside it are looked up beside it, then in the working directory; those of the other
            arguments in the working directory alone.
        docs: Documents that replace the file's source. The file's evaluation sets and pairs go too: they are about other
            documents.
        eval_sets: Evaluation sets that replace the file's.
        pairs: Pairs of one's own that replace the file's: paths, or `hf:OWNER/NAME`.
        queries: Files of queries of one's own that replace the file's.
        base_models: What replaces the file's base model; several are trained and compared.
        overrides: Single keys, `training.epochs=1`, which replace what the file and the arguments before say.

    Raises:
        InputError: With one line per mistake.
    """
    path = Path(path)
    raw = read_yaml(path)
    logger.debug(f"configuration: {path}")
    if docs is not None:
        raw["source"] = source_from_argument(docs).model_dump(mode="json")
    if docs is not None or eval_sets:
        evaluation = raw.setdefault("evaluation", {})
        if isinstance(evaluation, dict):
            evaluation["eval_sets"] = [{"path": name} for name in eval_sets]
    if docs is not None or pairs:
        raw["pairs"] = [pairs_from_argument(argument) for argument in pairs]
    if docs is not None or queries:
        raw["query_logs"] = [{"path": argument} for argument in queries]
    if base_models and isinstance(training := raw.setdefault("training", {}), dict):
        training |= {"base_model": base_models[0], "base_models": list(base_models) if len(base_models) > 1 else []}
    raw = with_overrides(raw, overrides, Config)
    given = {
        name for value in (docs, *eval_sets, *pairs, *queries, *base_models) if value for name in (str(value), str(Path(value)))
    }
    try:
        return Config.model_validate(map_paths(raw, Config, lambda value: value if value in given else _find_beside(path, value)))
    except ValidationError as error:
        raise InputError("\n".join(_mistake(path, details, overrides) for details in error.errors())) from None


def _mistake(path: Path, details: Any, overrides: tuple[str, ...]) -> str:
    """Returns the line for one pydantic error, which begins with the option that set the key, or with the file."""
    option = option_of(find_key(Config, details["loc"])[0], overrides)
    return f"{f'--set {option}' if option else path}: {_explain(details)}"


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, which YAML would silently resolve to the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Returns the mapping, after checking its keys."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.MarkedYAMLError(problem=f"key '{key}' is given twice", problem_mark=key_node.start_mark)
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, example: str = "the one that `python run.py init DIR` writes") -> dict[str, Any]:
    """Returns the mapping in a YAML file.

    Raises:
        InputError: It cannot be read, is no valid YAML, or holds no mapping; `example` is the file to start from.
    """
    refuse_special_file(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"Cannot read the configuration '{path}': {error.strerror}. Give an existing YAML file, such as {example}."
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"The configuration '{path}' is not UTF-8 text. Give a YAML file.") from None
    try:
        raw = yaml.load(text, Loader=_StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(f"{path}{place}: not valid YAML: {error.problem}.") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {error_line(error)}.") from None
    if not isinstance(raw, dict):
        found = "an empty file" if raw is None else f"a {type(raw).__name__}"
        raise InputError(f"{path}: expected a mapping of settings, found {found}. Start from {example}.")
    return raw


def _find_beside(config: Path, value: str) -> str:
    """Returns a relative path that exists beside the YAML file as an absolute one, and any other as it is."""
    beside = config.parent / value
    return value if Path(value).is_absolute() or not beside.exists() else str(beside.resolve())


def _explain(details: Any) -> str:
    """Returns one line for one pydantic error: the key's path, what is wrong, what was expected."""
    place, known = find_key(Config, details["loc"])
    context, value = details.get("ctx", {}), details["input"]
    match details["type"]:
        case "extra_forbidden":
            key = str(details["loc"][-1])
            return f"{place}: unknown key.{did_you_mean(key, known)} Known keys: {', '.join(known)}."
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{place}: expected a mapping of settings, found {_shown(value)}."
        case "missing":
            return f"{place}: missing; it has no default."
        case "union_tag_not_found":
            return f"{place}.name: missing; it says which one is meant. Names: `python run.py --list`."
        case "union_tag_invalid" | "literal_error" as kind:
            names = str(context.get("expected_tags") or context.get("expected")).replace(" or ", ", ").replace("'", "")
            seen = str(context.get("tag", value))
            field = ".name" if kind == "union_tag_invalid" else ""
            hint = did_you_mean(seen, names.split(", "))
            return f"{place}{field}: unknown name '{seen}'.{hint} Choose one of: {names}."
        case "string_pattern_mismatch" if place == "name":
            return f"name: {not_a_name(value)}"
        case "value_error":
            return f"{place}: {context['error']}"
    return f"{place}: {details['msg'][0].lower()}{details['msg'][1:]}, found {_shown(value)}."


def _shown(value: object) -> str:
    return repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}..."

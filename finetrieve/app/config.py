"""The whole configuration: one YAML file, validated before any work, with errors that name the key and the nearest known name."""

from __future__ import annotations

import difflib
import re
import types
import typing
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from finetrieve.annotation.settings import AnnotationSettings
from finetrieve.core.errors import InputError
from finetrieve.core.paths import ROOT
from finetrieve.corpus.settings import ChunkSettings, SourceSettings, source_from_path
from finetrieve.curation.settings import FilterSettings
from finetrieve.evaluation.settings import EvaluationSettings
from finetrieve.generation.settings import GenerationSettings
from finetrieve.training.settings import SplitSettings, TrainingSettings

DEFAULT_CONFIG = ROOT / "configs" / "default.yaml"
OFFLINE_CONFIG = DEFAULT_CONFIG.with_name("demo-offline.yaml")


class Config(BaseModel):
    """Everything a run depends on; `configs/default.yaml` spells every key out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][\w.\-]{0,79}$")
    """What the trained models are called in the registry; None names them after the documents."""
    seed: int = Field(default=13, ge=0, le=2**31 - 1)
    source: SourceSettings
    chunks: ChunkSettings = ChunkSettings()
    generation: GenerationSettings = GenerationSettings()
    filters: list[FilterSettings] = []
    annotation: AnnotationSettings | None = None
    split: SplitSettings = SplitSettings()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()

    @property
    def model_name(self) -> str:
        """The registry's name for models of these documents: one has a version in production at a time."""
        return self.name or _name_of(self.source)

    @property
    def reviewing(self) -> AnnotationSettings | None:
        """The settings of annotation where it is switched on."""
        return self.annotation if self.annotation is not None and self.annotation.enabled else None

    def as_yaml(self) -> str:
        """Returns the whole configuration, defaults included, as YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _name_of(source: SourceSettings) -> str:
    """Returns a name from the place of the documents: a package, a dataset, or the last two parts of a path."""
    settings = source.model_dump(mode="json")
    place = str(next((settings[key] for key in ("package", "dataset", "path", "url") if settings.get(key)), source.name))
    if settings.get("path") == place:
        place = "/".join(Path(place).resolve().parts[-2:])
    return re.sub(r"[^A-Za-z0-9]+", "-", place).strip("-").lower()[:80] or source.name


def plain(settings: BaseModel) -> dict[str, Any]:
    """Returns the settings as a step's parameter: a dictionary, since ZenML leaves defaults out of a model that it stores."""
    return settings.model_dump(mode="json")


def load_config(path: Path, docs: Path | None = None, eval_sets: tuple[str, ...] = ()) -> Config:
    """Returns the validated configuration of a YAML file.

    Args:
        path: The YAML file. Relative paths inside it are looked up beside it, then in the working directory.
        docs: Documents that replace the file's source. The file's evaluation sets go too: they ask about other documents.
        eval_sets: Evaluation sets that replace the file's.

    Raises:
        InputError: With one line per mistake.
    """
    raw = read_yaml(path)
    if docs is not None:
        raw["source"] = source_from_path(docs).model_dump(mode="json")
    if docs is not None or eval_sets:
        evaluation = raw.setdefault("evaluation", {})
        if isinstance(evaluation, dict):
            evaluation["eval_sets"] = [{"path": name} for name in eval_sets]
    try:
        return Config.model_validate(_with_paths_found(raw, path.parent))
    except ValidationError as error:
        raise InputError("\n".join(f"{path}: {_explain(details)}" for details in error.errors())) from None


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


def read_yaml(path: Path, example: str = DEFAULT_CONFIG.name) -> dict[str, Any]:
    """Returns the mapping in a YAML file.

    Raises:
        InputError: It cannot be read, is no valid YAML, or holds no mapping; `example` is the file to start from.
    """
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
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(raw, dict):
        found = "an empty file" if raw is None else f"a {type(raw).__name__}"
        raise InputError(f"{path}: expected a mapping of settings, found {found}. Start from {example}.")
    return raw


def _with_paths_found(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Returns the settings with each relative path that exists beside the YAML file made absolute."""

    def found(settings: Any, key: str) -> Any:
        value = settings.get(key) if isinstance(settings, dict) else None
        if not isinstance(value, str) or Path(value).is_absolute() or not (folder / value).exists():
            return settings
        return {**settings, key: str((folder / value).resolve())}

    result = dict(raw)
    paths = (
        ("source", "path"),
        ("training", "base_model"),
        ("training", "teacher"),
        ("evaluation", "model"),
        ("evaluation", "reranker"),
    )
    for name, key in paths:
        if name in result:
            result[name] = found(result[name], key)
    generation = result.get("generation")
    if isinstance(generation, dict) and isinstance(generation.get("recipes"), list):
        result["generation"] = {**generation, "recipes": [found(item, "template") for item in generation["recipes"]]}
    evaluation = result.get("evaluation")
    if isinstance(evaluation, dict) and isinstance(evaluation.get("eval_sets"), list):
        result["evaluation"] = {**evaluation, "eval_sets": [found(item, "path") for item in evaluation["eval_sets"]]}
    return result


def _explain(details: Any) -> str:
    """Returns one line for one pydantic error: the key's path, what is wrong, what was expected."""
    location = _yaml_path(details["loc"])
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    if kind == "extra_forbidden":
        known = _known_keys(details["loc"][:-1])
        near = difflib.get_close_matches(str(details["loc"][-1]), known, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        return f"{location}: unknown key.{hint} Known keys: {', '.join(known)}."
    if kind == "missing":
        return f"{location}: missing; it has no default."
    if kind in ("union_tag_invalid", "literal_error"):
        names = str(context.get("expected_tags") or context.get("expected")).replace(" or ", ", ").replace("'", "")
        seen = str(context.get("tag", value))
        near = difflib.get_close_matches(seen, names.split(", "), n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        field = ".name" if kind == "union_tag_invalid" else ""
        return f"{location}{field}: unknown name '{seen}'.{hint} Choose one of: {names}."
    if kind == "union_tag_not_found":
        return f"{location}.name: missing; it says which one is meant. Names: `python run.py --list`."
    if kind == "value_error":
        return f"{location}: {context['error']}"
    return f"{location}: {details['msg'][0].lower()}{details['msg'][1:]}, found {_shown(value)}."


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _yaml_path(location: tuple[str | int, ...]) -> str:
    """Returns `filters[1].top_k` for pydantic's location, whose steps into a union carry the variant's name."""
    path, kind = "", _Cursor(Config)
    for part in location:
        if kind.is_variant(part):
            kind = kind.variant(part)
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
        kind = kind.child(part)
    return path.lstrip(".") or "the file"


def _known_keys(location: tuple[str | int, ...]) -> list[str]:
    kind = _Cursor(Config)
    for part in location:
        kind = kind.variant(part) if kind.is_variant(part) else kind.child(part)
    return kind.keys()


class _Cursor:
    """A place in the tree of settings models, walked by the parts of a pydantic error's location."""

    def __init__(self, annotation: Any) -> None:
        while typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        self._annotation = annotation

    def _models(self) -> list[type[BaseModel]]:
        union = typing.get_origin(self._annotation) in (typing.Union, types.UnionType)
        options = typing.get_args(self._annotation) if union else (self._annotation,)
        return [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]

    def is_variant(self, part: str | int) -> bool:
        """Whether `part` names one of several models rather than a key."""
        return isinstance(part, str) and len(self._models()) > 1 and any(_tag(model) == part for model in self._models())

    def variant(self, part: str | int) -> _Cursor:
        """Returns the place of the model that is named `part`."""
        return _Cursor(next(model for model in self._models() if _tag(model) == part))

    def child(self, part: str | int) -> _Cursor:
        """Returns the place of the key or list item `part`."""
        if isinstance(part, int):
            return _Cursor((*typing.get_args(self._annotation), Any)[0])
        fields = self._models()[0].model_fields if self._models() else {}
        if part not in fields:
            return _Cursor(Any)
        metadata = fields[part]
        return _Cursor(metadata.annotation)

    def keys(self) -> list[str]:
        """Returns the keys that exist here."""
        return sorted({key for model in self._models() for key in model.model_fields})


def _tag(model: type[BaseModel]) -> Any:
    field = model.model_fields.get("name")
    return field.default if field else None

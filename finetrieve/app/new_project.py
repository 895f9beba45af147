"""The files to start from with one's own documents: a commented configuration, an empty question file and a `.gitignore`.

The configuration is put together from those in `configs/`, so it has every key with its comment.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from finetrieve.app.config import DEFAULT_CONFIG, NAME, load_config, not_a_name
from finetrieve.app.config_schema import field_docstrings
from finetrieve.core.errors import InputError, unknown_name
from finetrieve.corpus.sources.registry import reach_source, source_from_argument
from finetrieve.generation.llm.providers.base import PROVIDERS

CONFIG, QUESTIONS, IGNORED = "finetrieve.yaml", "questions.csv", ".gitignore"
RULES = "rules"
_IGNORED_LINES = ("results/", ".env")
_SECTION = re.compile(r"^(?=[a-z_]+:)", re.MULTILINE)
_DEMO_SET = re.compile(r"^  eval_sets:\n(?:    .*\n)+", re.MULTILINE)
_HEADER = """\
# What Finetrieve does with the documents in {place}. Every key: docs/configuration.md of the project.
# Look at it:   python run.py --pipeline retrain --config {config} --dry-run
# Run it:       python run.py --pipeline retrain --config {config} --out {out}
"""
_NO_QUESTIONS = """\
  eval_sets: []              # once {questions} has 30 questions or more: [{{path: {questions}}}]
"""


@dataclass(frozen=True)
class Answers:
    """What a person answers."""

    docs: str | Path
    """A folder or a file of documents, or the address of a site."""
    name: str | None = None
    """Of the model; None: after the documents."""
    queries: str = RULES
    """Who writes the queries: `rules`, or an LLM as `provider/model`."""
    review: bool = False
    """Whether people correct the queries in Argilla."""


def check_free(folder: Path) -> None:
    """Raises an InputError where a file would be overwritten, or the folder cannot be one."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"'{folder}' is a file; give a folder.")
    there = [str(folder / name) for name in (CONFIG, QUESTIONS) if (folder / name).exists()]
    if there:
        raise InputError(f"{' and '.join(there)} would be overwritten. Give another folder, or move what is there away.")


def check_documents(docs: str | Path) -> str | Path:
    """Returns the place, `~` replaced by the home directory; raises an InputError where no documents can be read there."""
    docs = Path(docs).expanduser() if str(docs).startswith("~") else docs
    reach_source(source_from_argument(docs))
    return docs


def check_name(name: str) -> str | None:
    """Returns the model's name, None for an empty one; raises an InputError where it is no name."""
    if name and not re.fullmatch(NAME, name):
        raise InputError(not_a_name(name))
    return name or None


def check_queries(queries: str) -> str:
    """Returns who writes the queries; raises an InputError where it is neither `rules` nor a known provider with a model."""
    provider, _, model = queries.partition("/")
    if queries != RULES and not model:
        raise InputError(f"Queries are written by '{RULES}' or by PROVIDER/MODEL, such as openai/gpt-4o-mini; not '{queries}'.")
    if queries != RULES and provider not in PROVIDERS.names():
        raise unknown_name("provider", provider, PROVIDERS.names())
    return queries


def write_project(folder: Path, answers: Answers) -> list[Path]:
    """Returns the files that were written: the configuration, the question file and, where there was none, the `.gitignore`.

    Raises:
        InputError: A file is there already, an answer cannot be used, or the folder cannot be written.
    """
    check_free(folder)
    check_documents(answers.docs)
    check_queries(answers.queries)
    ignored = "".join(f"{line}\n" for line in _IGNORED_LINES)
    texts = {CONFIG: _config_text(folder, answers), QUESTIONS: "question,page\n", IGNORED: ignored}
    new = {folder / name: text for name, text in texts.items() if not (folder / name).exists()}
    was_there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in new.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"'{folder}' cannot be written: {error.strerror}; give a folder that you may write to.") from None
    try:
        load_config(folder / CONFIG)
    except InputError:
        for path in new:
            path.unlink()
        if not was_there:
            folder.rmdir()
        raise
    return list(new)


def _config_text(folder: Path, answers: Answers) -> str:
    config = folder / CONFIG
    parts = _sections(DEFAULT_CONFIG)
    parts["name"] = (
        _commented("name", answers.name, "of the model in the registry; null: after the documents")
        + parts["name"].split("\n", 1)[1]
    )
    parts["source"] = _source_text(folder, answers.docs)
    if answers.queries != RULES:
        parts["generation"] = _generation_text(answers.queries)
    if answers.review:
        parts["annotation"] = _sections(DEFAULT_CONFIG.with_name("argilla.yaml"))["annotation"]
    parts["evaluation"] = _DEMO_SET.sub(_NO_QUESTIONS.format(questions=QUESTIONS), parts["evaluation"])
    header = _HEADER.format(place=answers.docs, config=shlex.quote(str(config)), out=shlex.quote(str(folder / "results")))
    return header + "".join(parts.values())


def _sections(path: Path) -> dict[str, str]:
    """Returns key -> the text of its section in a YAML file, comments included."""
    _, *sections = _SECTION.split(path.read_text(encoding="utf-8"))
    return {section.partition(":")[0]: section for section in sections}


def _source_text(folder: Path, docs: str | Path) -> str:
    """Returns the section of the source: every key, with what its class says of it; the path is relative to the configuration."""
    source = source_from_argument(docs)
    says = field_docstrings(type(source))
    values: dict[str, Any] = source.model_dump(mode="json")
    if "path" in values:
        values["path"] = Path(os.path.relpath(docs, folder)).as_posix()
    lines = [_commented(f"  {key}", value, says.get(key, "").split(". ")[0].rstrip(".")) for key, value in values.items()]
    return "source:\n" + "".join(lines) + "\n"


def _commented(key: str, value: object, comment: str) -> str:
    """Returns a line of YAML with a comment."""
    text = yaml.safe_dump({"": value}, default_flow_style=True, allow_unicode=True, width=1_000).strip()[1:-1].partition(": ")[2]
    return f"{f'{key}: {text}':28} # {comment}\n" if comment else f"{key}: {text}\n"


def _generation_text(queries: str) -> str:
    """Returns the section of `configs/llm.yaml` for a provider and model; the price and the budget there are its own model's."""
    provider, _, model = queries.partition("/")
    text = _sections(DEFAULT_CONFIG.with_name("llm.yaml"))["generation"]
    known = re.search(r"provider: (\S+).*\n +model: (\S+)", text)
    assert known is not None
    if known.groups() == (provider, model):
        return text
    text = re.sub(r"(?<=provider: )\S+", provider, text, count=1)
    text = re.sub(r"(?<= model: )\S+", lambda _: _commented("", model, "")[2:-1], text, count=1)
    text = re.sub(r"price: .*\n.*\n.*\n", "price: null              # per million tokens: {input: 0.15, output: 0.60}\n", text)
    return re.sub(r"(?<=money: )\S+ .*", "null              # needs a price per recipe", text)

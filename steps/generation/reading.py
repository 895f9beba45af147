"""What an LLM answered, made a query and its negative, or the reason why it cannot be used."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from distilabel.steps.tasks.sentence_transformers import POSITIVE_NEGATIVE_PAIR_REGEX
from pydantic import BaseModel, ConfigDict, ValidationError

Problem = Literal["empty", "refusal", "truncated", "unparsable", "invalid", "language", "instructions"]

MAX_WORDS = 64
"""A longer answer is a paragraph, not a query."""
_LANGUAGE_WORDS = 3
_LANGUAGE_CERTAINTY = 0.8
"""At this certainty 2 of 12,244 human questions about five corpora were taken for another language, both quoting German."""

_REFUSAL = re.compile(
    r"^\W*(i['’]?m sorry|i am sorry|sorry,|i can(['’]t|not)|i (am|'m|’m) (unable|not able)|i won['’]t|unfortunately, i|"
    r"as an ai\b|as a (large )?language model)",
    re.IGNORECASE,
)
_INSTRUCTIONS = re.compile(
    r"\b(ignore|disregard|forget|override)\b[^.?!]{0,30}\b(previous|prior|above|earlier|preceding|all|your)\b[^.?!]{0,20}"
    r"\b(instructions?|prompts?|rules|directions)\b|\bsystem prompt\b|\bas an ai\b|\blanguage model\b[^.?!]{0,20}\byou\b|"
    r"<\|?(im_start|im_end|system|assistant|chunk|/chunk)\|?>|\[/?INST\]|^(system|assistant|user)\s*:",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^\s*```\w*\s*\n?(.*?)\n?\s*```\s*$", re.DOTALL)


class QueryAnswer(BaseModel):
    """A query without a negative."""

    model_config = ConfigDict(extra="forbid", strict=True)

    positive: str


class TripletAnswer(QueryAnswer):
    """A query with a negative; distilabel's names, since its prompt asks for them."""

    negative: str


@dataclass(frozen=True, slots=True)
class Written:
    """A usable answer."""

    query: str
    negative: str | None


class UnusableAnswer(ValueError):  # noqa: N818  # it says what the answer is
    """An answer that cannot become a row."""

    def __init__(self, problem: Problem, reason: str) -> None:
        super().__init__(reason)
        self.problem: Problem = problem


def answer_schema(negative: bool) -> dict[str, Any]:
    """Returns the JSON schema of an answer, in the form that strict providers demand."""
    return (TripletAnswer if negative else QueryAnswer).model_json_schema()


def written(text: str, negative: bool, chunk_text: str) -> Written:
    """Returns the query of an answer, and its negative when one was asked for.

    Raises:
        UnusableAnswer: With the reason in words that tell a person or an LLM what to mend.
    """
    if not text.strip():
        raise UnusableAnswer("empty", "the answer is empty")
    if _REFUSAL.match(text):
        raise UnusableAnswer("refusal", "the model refused")
    fields = _fields(text, negative)
    query, other = _tidy(fields["positive"]), _tidy(fields["negative"]) if negative else None
    _check(query, "positive", chunk_text)
    if other is not None:
        _check(other, "negative", chunk_text)
        if other.casefold() == query.casefold():
            raise UnusableAnswer("invalid", "the negative is the same as the positive")
    return Written(query, other)


def _fields(text: str, negative: bool) -> dict[str, str]:
    """Returns the fields of a JSON answer, or else of distilabel's two sections."""
    body = match.group(1) if (match := _FENCE.match(text)) else text
    found = _json_object(body)
    if found is not None:
        model = TripletAnswer if negative else QueryAnswer
        kept = {name: found[name] for name in model.model_fields if name in found}
        try:
            return model.model_validate(kept).model_dump()
        except ValidationError as error:
            details = error.errors()[0]
            raise UnusableAnswer("unparsable", f"the JSON's '{details['loc'][0]}': {details['msg'].lower()}") from None
    sections = POSITIVE_NEGATIVE_PAIR_REGEX.search(body)
    if sections is None or not body[: sections.start()].strip() == "":
        raise UnusableAnswer("unparsable", "it is neither the JSON object nor the sections that were asked for")
    if negative and not sections.group(2):
        raise UnusableAnswer("unparsable", "the section `## Negative` is missing")
    return {"positive": sections.group(1), "negative": sections.group(2) or ""}


def _json_object(text: str) -> dict[str, Any] | None:
    start = text.find("{")
    if start < 0:
        return None
    try:
        found, _ = json.JSONDecoder(strict=False).raw_decode(text[start:])
    except json.JSONDecodeError as error:
        if text.lstrip().startswith("{"):
            raise UnusableAnswer("unparsable", f"the JSON is not complete: {error.msg}") from None
        return None
    return found if isinstance(found, dict) else None


def _tidy(text: str) -> str:
    """Returns the text on one line, without the quotation marks, bullets and labels that models put around it."""
    line = " ".join(text.split())
    line = re.sub(r"^(?:[-*•]|\d+[.)])\s+", "", line)
    line = re.sub(r"^(?:query|question|positive|negative|q)\s*:\s*", "", line, flags=re.IGNORECASE)
    for opening, closing in ("**", '""', "''", "“”", "«»", "``"):
        if len(line) > 2 and line.startswith(opening) and line.endswith(closing) and line.count(opening) <= 2:
            line = line[1:-1].strip()
    return line


def _check(line: str, name: str, chunk_text: str) -> None:
    if not any(character.isalnum() for character in line):
        raise UnusableAnswer("invalid", f"the {name} has no words: {line[:60]!r}")
    if len(line.split()) > MAX_WORDS or len(line) > MAX_WORDS * 12:
        raise UnusableAnswer("invalid", f"the {name} has {len(line.split())} words; a query has at most {MAX_WORDS}")
    if _REFUSAL.match(line):
        raise UnusableAnswer("refusal", "the model refused")
    if _INSTRUCTIONS.search(line):
        raise UnusableAnswer("instructions", f"the {name} reads like instructions to a model, not like a query: {line[:80]!r}")
    if name == "positive" and (other := _other_language(line, chunk_text)) is not None:
        raise UnusableAnswer("language", f"the {name} is in another language ({other[0]}) than the text ({other[1]})")


def _other_language(query: str, chunk_text: str) -> tuple[str, str] | None:
    """Returns (the query's language, the text's) where both are certain and differ."""
    if len(query.split()) < _LANGUAGE_WORDS and query.isascii():
        return None
    language, certainty = _identifier().classify(query)
    if certainty < _LANGUAGE_CERTAINTY:
        return None
    expected, sure = _language_of(chunk_text)
    return (language, expected) if language != expected and sure >= _LANGUAGE_CERTAINTY else None


@functools.lru_cache(maxsize=4096)
def _language_of(text: str) -> tuple[str, float]:
    prose = re.sub(r"```.*?(```|\Z)", " ", text, flags=re.DOTALL)
    language, certainty = _identifier().classify(prose)
    return str(language), float(certainty)


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

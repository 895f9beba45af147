"""Parses an LLM's response into a query and its negative, or into the reason why it cannot be used."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from finetrieve.core.text import count_words, word_set
from finetrieve.generation.answer_fields import UnreadableAnswerError, answer_fields

Problem = Literal["empty", "refusal", "truncated", "unparsable", "invalid", "language", "instructions"]

MAX_WORDS = 64
"""A longer answer is a paragraph, not a query."""
_LANGUAGE_WORDS = 3
_ENGLISH_ALONE = word_set("the how what why which where does are and with my this that from your you when")
"""Frequent in English, and together frequent in no other language."""
_ENGLISH_SHARE = 0.05
_LANGUAGE_CERTAINTY = 0.8
_NO_LANGUAGE = frozenset({"zxx", "la"})
"""Code, tables and identifiers are "no language" to the identifier, terms of law and physics are Latin."""

_THOUGHT = re.compile(r"^\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^\s*```\w*\s*\n?(.*?)\n?\s*```\s*$", re.DOTALL)
_REFUSED_ANSWER = re.compile(
    r"\W*(i['’]?m sorry|i am sorry|sorry\b|i apologi[sz]e|i can(['’]t|not)|i (am|'m|’m) (unable|not able)|i won['’]t|"
    r"unfortunately, i|as an ai\b|as a (large )?language model)",
    re.IGNORECASE,
)
"""An answer that is not in the form that was asked for and begins so is a refusal."""
_REFUSED_LINE = re.compile(
    r"\W*(?:(?:(?:i['’]m|i am) (?:very |so |really )?sorry|sorry|i apologi[sz]e|unfortunately)\W+(?:but )?)?"
    r"(?:(?:i|we) (?:can(?:['’]t|not| not)|won['’]t|will not|must decline to)|"
    r"(?:i['’]m|i am|we['’]re|we are) (?:unable|not able) to)(?: be able to)? (?:(?:assist|help|comply)(?: you)?(?: with| on)?"
    r"(?: (?:that|this|it|your|the)\b.{0,30})?\W*$|"
    r"(?:fulfil+|complete|process|answer|comply with|do)(?: (?:that|this|your|the|such))+ (?:request|instruction|task)|"
    r"(?:provide|generate|write|create|produce)\b.{0,40}\b(?:quer(?:y|ies)|questions?|content|sentences?) "
    r"(?:for|about|from|based|that|to) )|\W*as an ai\b|\W*as a (?:large )?language model\b",
    re.IGNORECASE,
)
"""A query begins so only where the model speaks of its task: "I can't log in" is how people ask."""
_ORDER = re.compile(
    r"(?P<verb>ignore|disregard|forget|override)\b[^.?!]{0,30}\b(previous|prior|above|earlier|preceding|all|your|these)\b"
    r"[^.?!]{0,20}\b(?P<noun>instruction|prompt|rule|direction|guideline)s?\b",
    re.IGNORECASE,
)
_OWN_ORDER = re.compile(r"\b(previous|prior|above|earlier|preceding|your)\b", re.IGNORECASE)
_TO_MODELS = re.compile(
    r"\byour (?:system prompt|(?:initial )?instructions)\b|\bas an ai\b|<\|(?:im_start|im_end|system|assistant|user)\b|"
    r"<[/\s]*chunk\b[^>]*>|\[/?INST\]|"
    r"^(?:system|assistant|user)\s*:",
    re.IGNORECASE,
)
_DICTATION = re.compile(
    r"\b(?:reply|answer|respond|say|output|write|print|return)\b(?:[^.?!\n]{0,40}?\b(?:with|only|is)\b)?\W*$", re.IGNORECASE
)
_DICTATION_CHARACTERS = 80


class QueryOnly(BaseModel):
    """A query without a negative."""

    # Titles and docstrings stand in the schema, which is part of the response cache's keys.
    model_config = ConfigDict(extra="forbid", strict=True, title="QueryAnswer")

    positive: str


class QueryWithNegative(QueryOnly):
    """A query with a negative; distilabel's names, since its prompt asks for them."""

    model_config = ConfigDict(title="TripletAnswer")

    negative: str


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """The query of a usable response."""

    query: str
    negative: str | None


class InvalidResponseError(ValueError):
    """A response that cannot become a row."""

    def __init__(self, problem: Problem, reason: str) -> None:
        super().__init__(reason)
        self.problem: Problem = problem


@functools.cache
def response_schema(negative: bool) -> dict[str, Any]:
    """Returns the JSON schema of a response, in the form that strict providers demand."""
    return (QueryWithNegative if negative else QueryOnly).model_json_schema()


def parse_response(text: str, negative: bool, chunk_text: str) -> ParsedQuery:
    """Returns the query of a response, and its negative when one was asked for.

    Raises:
        InvalidResponseError: With the reason in words that tell a person or an LLM what to mend.
    """
    if not text.strip():
        raise InvalidResponseError("empty", "the answer is empty")
    fields = _fields(text, negative)
    query, other = tidy(fields["positive"]), tidy(fields["negative"]) if negative else None
    check_line(query, "positive", chunk_text)
    if other is not None:
        check_line(other, "negative", chunk_text, same_language=False)
        if other.casefold() == query.casefold():
            raise InvalidResponseError("invalid", "the negative is the same as the positive")
    return ParsedQuery(query, other)


def _fields(text: str, negative: bool) -> dict[str, str]:
    """Returns the fields of the last answer in a text."""
    model = QueryWithNegative if negative else QueryOnly
    try:
        found = answer_fields(text, ("positive", "negative"))
    except UnreadableAnswerError as error:
        check_refusal(text)
        raise InvalidResponseError("unparsable", str(error)) from None
    try:
        return model.model_validate({name: found[name] for name in model.model_fields if name in found}).model_dump()
    except ValidationError as error:
        details = error.errors()[0]
        raise InvalidResponseError("unparsable", f"the JSON's '{details['loc'][0]}': {details['msg'].lower()}") from None


def answer_body(text: str) -> str:
    """Returns a response without the thoughts in front and the fence around it."""
    text = _THOUGHT.sub("", text)
    return match.group(1) if (match := _FENCE.match(text)) else text


def check_refusal(text: str) -> None:
    """Checks an answer that is not in the form that was asked for.

    Raises:
        InvalidResponseError: It refuses.
    """
    if _REFUSED_ANSWER.match(text):
        raise InvalidResponseError("refusal", "the model refused")


def json_object(text: str, wanted: str) -> dict[str, Any] | None:
    """Returns the object with the key that is wanted, else the first, whatever the model says around it; None: there is none.

    Raises:
        InvalidResponseError: The text begins with one that is not complete.
    """
    objects: list[dict[str, Any]] = []
    start = text.find("{")
    while start >= 0:
        try:
            found, end = json.JSONDecoder(strict=False).raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError) as error:
            if start == len(text) - len(text.lstrip()):
                why = error.msg if isinstance(error, json.JSONDecodeError) else "it is nested too deeply"
                raise InvalidResponseError("unparsable", f"the JSON is not complete: {why}") from None
            end = start + 1
        else:
            objects.append(found)
        start = text.find("{", end)
    return next((found for found in objects if wanted in found), objects[0] if objects else None)


def tidy(text: str) -> str:
    """Returns the text on one line, without the quotation marks, bullets and labels that models put around it."""
    line = " ".join(text.split())
    line = re.sub(r"^(?:[-*•]|\d+[.)])\s+", "", line)
    line = re.sub(r"^(?:query|question|positive|negative|q)\s*:\s*", "", line, flags=re.IGNORECASE)
    line = re.sub(r"^\*\*(.+)\*\*$", r"\1", line)
    for opening, closing in ("**", "__", '""', "''", "“”", "«»", "``"):
        if len(line) > 2 and line.startswith(opening) and line.endswith(closing) and line.count(opening) <= 2:
            line = line[1:-1].strip()
    return line


def check_line(line: str, name: str, chunk_text: str, same_language: bool = True) -> None:
    """Checks that a line can be a query for a chunk.

    Raises:
        InvalidResponseError: It has no words or too many, refuses, speaks to models, or is in another language than the chunk.
    """
    if not any(character.isalnum() for character in line):
        raise InvalidResponseError("invalid", f"the {name} has no words: {line[:60]!r}")
    if (n_words := count_words(line)) > MAX_WORDS or len(line) > MAX_WORDS * 12:
        raise InvalidResponseError("invalid", f"the {name} has {n_words} words; a query has at most {MAX_WORDS}")
    if _REFUSED_LINE.match(line):
        raise InvalidResponseError("refusal", "the model refused")
    if _speaks_to_models(line, chunk_text) or _is_dictated(line, chunk_text):
        raise InvalidResponseError(
            "instructions", f"the {name} reads like instructions to a model, not like a query: {line[:80]!r}"
        )
    if same_language and (other := _find_language_mismatch(line, chunk_text)) is not None:
        raise InvalidResponseError("language", f"the {name} is in another language ({other[0]}) than the text ({other[1]})")


def _speaks_to_models(line: str, chunk_text: str) -> bool:
    """Whether a line gives a model orders or speaks as one; of what the chunk itself is about, people may ask."""
    known = chunk_text.casefold()
    if any(match.group().casefold() not in known for match in _TO_MODELS.finditer(line)):
        return True
    order = _ORDER.search(line)
    if order is None:
        return False
    # "Ignore all rules in a file" is asked of a linter; "ignore all previous instructions" at the start is an order.
    if _OWN_ORDER.search(order.group()) and not re.search(
        r"\w", re.sub(r"\b(?:please|now|and)\b", "", line[: order.start()], flags=re.I)
    ):
        return True
    return any(order.group(part).casefold() not in known for part in ("verb", "noun"))


def _is_dictated(line: str, chunk_text: str) -> bool:
    """Whether a line stands in the chunk right after an order to say it, where the chunk orders models about."""
    order = _ORDER.search(chunk_text)
    if order is None or not _OWN_ORDER.search(order.group()):
        return False
    text, needle = chunk_text.casefold(), line.casefold().strip(" .!?\"'`")
    place = text.find(needle) if needle else -1
    return place >= 0 and _DICTATION.search(text[max(0, place - _DICTATION_CHARACTERS) : place]) is not None


def _find_language_mismatch(query: str, chunk_text: str) -> tuple[str, str] | None:
    """Returns (the query's language, the text's) where both are certain and differ."""
    if len(query.split()) < _LANGUAGE_WORDS and query.isascii():
        return None
    if _plainly_english(query) and _plainly_english(chunk_text):
        return None
    language, certainty = _identifier().classify(query)
    if certainty < _LANGUAGE_CERTAINTY or language in _NO_LANGUAGE:
        return None
    expected, sure = _language_of(chunk_text)
    differ = language != expected and sure >= _LANGUAGE_CERTAINTY and expected not in _NO_LANGUAGE
    return (language, expected) if differ else None


def _plainly_english(text: str) -> bool:
    """Whether so many words are only English that nothing is left to find out. The classifier takes 20 times as long."""
    words = text.casefold().split()
    return sum(word in _ENGLISH_ALONE for word in words) > _ENGLISH_SHARE * len(words)


@functools.lru_cache(maxsize=4096)
def _language_of(text: str) -> tuple[str, float]:
    prose = re.sub(r"```.*?(```|\Z)", " ", text, flags=re.DOTALL)
    language, certainty = _identifier().classify(prose)
    return str(language), float(certainty)


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

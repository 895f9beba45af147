"""The fields of an LLM's answer: of the final one, as JSON or under headings, with the slips in form that models make."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import json_repair

LONGEST = 50_000
"""Characters of an answer that are read: a query has a hundred."""
_END_OF_THOUGHTS = re.compile(
    r"</(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|scratchpad)\s*>|\[/think\]|◁/think▷|"
    r"<\|channel\|>\s*final\s*(?:<\|[^|]*\|>[^<]*)?<\|message\|>",
    re.IGNORECASE,
)
"""What models that think aloud put in front of their answer, with or without a mark where it begins."""
_QUOTES = "\"'`“”„‘’«»"
_SECTION = r"^[ \t>*_#-]*(?P<name>{names})(?:[ \t]+(?:query|question))?[ \t]*[*_]*[ \t]*(?:[:：]|$)[ \t]*[*_]*[ \t]*"


class UnreadableAnswerError(ValueError):
    """An answer without the fields, with the reason in words."""


def answer_fields(text: str, names: Sequence[str]) -> dict[str, Any]:
    """Returns the fields of the last answer in a text, under their names; values are as the model gave them.

    Args:
        text: What the model said, its thoughts and drafts included.
        names: The fields that may be there, the one that has to be there first.

    Raises:
        UnreadableAnswerError: There is no answer, the last one is cut off, or it says a field twice.
    """
    text = text[:LONGEST].removeprefix("\ufeff")
    final = text[max((match.end() for match in _END_OF_THOUGHTS.finditer(text)), default=0) :]
    if names[0] not in final.casefold():  # the words of a thought's end stand in the answer itself
        final = text
    found = _last_json_answer(final, names)
    if isinstance(found, UnreadableAnswerError):
        raise found
    if found:
        return found
    sections = _section_answer(final, names)
    if sections:
        return sections
    if final.lstrip().startswith("{"):
        raise UnreadableAnswerError(_json_problem(final.lstrip(), names))
    raise UnreadableAnswerError("it is neither the JSON object nor the sections that were asked for")


def _last_json_answer(text: str, names: Sequence[str]) -> dict[str, Any] | UnreadableAnswerError | None:
    """Returns the fields of the last JSON object, or nearly of one, that has the first field as a key."""
    key = re.compile(rf"(?<![\w\\])[{_QUOTES}]?{re.escape(names[0])}[{_QUOTES}]?\s*[:：]", re.IGNORECASE)
    starts = dict.fromkeys(text.rfind("{", 0, match.start()) for match in key.finditer(text))
    end = len(text)
    for start in sorted((start for start in starts if start >= 0), reverse=True):
        found = _object_at(text[start:end], names)
        if found is not None:
            return found
        end = start
    return None


def _object_at(text: str, names: Sequence[str]) -> dict[str, Any] | UnreadableAnswerError | None:
    """Returns the fields of the object with which a text begins, or why it is none; None for a schema of such objects."""
    try:
        pairs = json.JSONDecoder(strict=False, object_pairs_hook=lambda pairs: pairs).raw_decode(text)[0]
    except (json.JSONDecodeError, RecursionError):
        whole = next(filter(_is_whole, (text[: match.end()] for match in re.finditer("}", text))), "")
        if not whole:
            return UnreadableAnswerError("the JSON is not complete: it ends before the answer does")
        repaired = json_repair.loads(whole)
        objects = repaired if isinstance(repaired, list) else [repaired]
        pairs = [pair for one in objects[-1:] if isinstance(one, dict) for pair in one.items()]
    named = [(name, value) for key, value in pairs for name in names if str(key).strip(_QUOTES + " :").casefold() == name]
    fields = dict(named)
    if len(named) > len(fields):
        return UnreadableAnswerError(f"the JSON has '{names[0]}' or another field twice: which one is meant?")
    if not isinstance(fields.get(names[0]), str | int | float | None) and not _one_each(fields):
        return None if isinstance(fields[names[0]], list) and _is_pairs(fields[names[0]]) else fields
    return {name: value[0] for name, value in fields.items()} if _one_each(fields) else fields


def _is_whole(text: str) -> bool:
    """Whether every brace and quotation mark of a text has its other one; apostrophes, which words have too, do not count."""
    quotes = len(re.findall(r'(?<!\\)"', text))
    return text.count("{") == text.count("}") and quotes % 2 == 0 and text.count("“") == text.count("”")


def _one_each(fields: dict[str, Any]) -> bool:
    """Whether the model gave a list of one for each field."""
    return bool(fields) and all(
        isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) for value in fields.values()
    )


def _is_pairs(value: list[Any]) -> bool:
    """Whether a value is an object, of which the decoder makes pairs: a schema says of each field what it is."""
    return all(isinstance(item, tuple) for item in value)


def _json_problem(text: str, names: Sequence[str]) -> str:
    try:
        found = json.JSONDecoder(strict=False).raw_decode(text)[0]
    except json.JSONDecodeError as error:
        return f"the JSON is not complete: {error.msg}"
    except RecursionError:
        return "the JSON is not complete: it is nested too deeply"
    keys = ", ".join(map(str, found))[:80] if isinstance(found, dict) else type(found).__name__
    return f"the JSON's '{names[0]}': field required; found {keys}"


def _section_answer(text: str, names: Sequence[str]) -> dict[str, Any]:
    """Returns the fields below their headings, `## Positive` or `**Positive:**`, from the last one of the first field on."""
    heading = re.compile(_SECTION.format(names="|".join(map(re.escape, names))), re.IGNORECASE | re.MULTILINE)
    found = list(heading.finditer(text))
    firsts = [number for number, match in enumerate(found) if match["name"].casefold() == names[0]]
    if not firsts:
        return {}
    last = found[firsts[-1] :]
    ends = [*(match.start() for match in last[1:]), len(text)]
    fields: dict[str, Any] = {}
    for match, end in zip(last, ends, strict=True):
        body = re.sub(r"^\s*```\w*\s*$", "", text[match.end() : end], flags=re.MULTILINE).strip()
        fields.setdefault(match["name"].casefold(), re.split(r"\n\s*\n", body)[0])
    return fields

"""What the model behind a server says: recorded answers of gpt-4o, else queries that the rules write, else quick ones."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from tests.fakes.requests import LlmRequest, schema_in, split_prompt

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "zenml-distilabel"
Source = Literal["auto", "rules", "quick"]
_MOST_OF_IT = 0.6
"""A chunk gets the answer recorded for a passage when it is that passage, or at least this share of it."""
_TEXT_FORM = re.compile(r"## Positive")
_NEGATIVE_FORM = re.compile(r"## Negative")
_OBEYED = re.compile(
    r"(?:ignore|disregard|forget) (?:all |any )*(?:of )?(?:the |your )*(?:previous|prior|above|earlier) instructions?.*?"
    r"(?:reply|answer|respond|say|output|write)(?: only)?(?: with)?:? [\"'“]?([^\"'”\n]+)",
    re.I,
)
_WORD = re.compile(r"[^\W_]+")
_TYPED = re.compile(r"queries that people typed:\n\n((?:- .+\n)+)")


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What the model has to say of a chunk, before it takes the form that was asked for."""

    queries: tuple[str, ...]
    negatives: tuple[str, ...]


def draw(*parts: object) -> float:
    """Returns a number in [0, 1) that only the parts decide."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def answer_request(llm_request: LlmRequest, source: Source, seed: int, choice: int = 0) -> ModelAnswer:
    """Returns what the model says: the same for the same request, seed and choice.

    The model is gullible: an instruction to forget its instructions is obeyed, unless it stands inside the delimited chunk. Shown
    what people typed, it writes as they do.
    """
    answer = _answer(llm_request, source, seed, choice)
    shown = _TYPED.search(llm_request.prompt)
    if shown is None:
        return answer
    typed = [line.removeprefix("- ") for line in shown.group(1).splitlines()]
    return ModelAnswer(tuple(_in_manner_of(typed, query) for query in answer.queries), answer.negatives)


def _in_manner_of(typed: list[str], query: str) -> str:
    """Returns the last words of a query, as many as people typed in the mean, with their case and their question marks."""
    count = max(1, round(sum(len(line.split()) for line in typed) / len(typed)))
    words = " ".join(_WORD.findall(query)[-count:])
    words = words.lower() if all(line == line.lower() for line in typed) else words
    return f"{words}?" if sum(line.endswith("?") for line in typed) > len(typed) / 2 else words


def _answer(llm_request: LlmRequest, source: Source, seed: int, choice: int) -> ModelAnswer:
    chunk, rest = split_prompt(llm_request)
    order = (seed, llm_request.identity, choice)
    ordered = _OBEYED.search(rest)
    if ordered:
        return ModelAnswer((ordered.group(1).strip(),), (ordered.group(1).strip(),))
    found = recorded_for(chunk) if source == "auto" else ()
    if found:
        query, negative = found[int(draw(*order) * len(found))]
        return ModelAnswer((query,), (negative,))
    written = _rule_queries(chunk) if source != "quick" else ()
    if not written:
        return _quick(chunk, order)
    start = int(draw(*order) * len(written))
    queries = written[start:] + written[:start]
    return ModelAnswer(queries, tuple(_negative(query, order) for query in queries))


def _quick(chunk: str, order: tuple[object, ...]) -> ModelAnswer:
    """A query of the chunk's own words: costs microseconds, so that a benchmark measures the client."""
    words = _WORD.findall(chunk[:2000]) or ["this"]
    start = int(draw("quick", *order) * max(1, len(words) - 5))
    query = f"How do I work with {' '.join(words[start : start + 5])} in {' '.join(words[:3])}?"
    return ModelAnswer((query,), (_negative(query, order),))


def _negative(query: str, order: tuple[object, ...]) -> str:
    about = " ".join(_WORD.findall(query)[-3:])
    forms = ("Which companies sell {}?", "Who wrote the first book on {}?", "When was {} taken off the market?")
    return forms[int(draw("negative", query, *order) * len(forms))].format(about)


@lru_cache(maxsize=20_000)
def _rule_queries(chunk: str) -> tuple[str, ...]:
    from finetrieve.generation.chunk_context import ChunkContext
    from finetrieve.generation.recipes.rules import write_queries

    written = tuple(query for query, _ in write_queries(ChunkContext("", "", "", chunk, True, True), 0, 6).queries)
    # The rules also write searches and needs; a language model that is asked for a question gives one.
    return tuple(query for query in written if query.endswith("?")) or written


@lru_cache(maxsize=20_000)
def recorded_for(chunk: str) -> tuple[tuple[str, str], ...]:
    """Returns the recorded (query, negative) pairs of the passage that a chunk is, or is most of."""
    wanted = _bare(chunk)
    if not wanted:
        return ()
    for passage, pairs in _recorded():
        if wanted == passage or (len(wanted) >= _MOST_OF_IT * len(passage) and wanted in passage):
            return pairs
    return ()


@cache
def _recorded() -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Bare passage text -> its recorded pairs; empty where the recordings are not."""
    if not RECORDED.is_dir():
        return ()
    pairs: dict[str, list[tuple[str, str]]] = {}
    queries = {row["_id"]: (row["text"], row["negative_query"]) for row in _rows("queries.jsonl")}
    for line in (RECORDED / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, passage, _ = line.split("\t")
        pairs.setdefault(passage, []).append(queries[query])
    return tuple((_bare(row["text"]), tuple(pairs[row["_id"]])) for row in _rows("corpus.jsonl") if row["_id"] in pairs)


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (RECORDED / name).read_text(encoding="utf-8").splitlines() if line.strip()]


def _bare(text: str) -> str:
    return "".join(_WORD.findall(text)).casefold()


def in_form(llm_request: LlmRequest, words: ModelAnswer, structured: bool) -> str:
    """Returns the answer's text in the form that the request wants: its schema's JSON, distilabel's sections, or the query alone."""
    _, rest = split_prompt(llm_request)
    schema = llm_request.schema if structured else None
    if schema is None and ((llm_request.json_mode and structured) or re.search(r"\bJSON\b", rest)):
        schema = schema_in(rest) or {"type": "object", "properties": {"query": {}, "negative": {}}}
    if schema is not None:
        return json.dumps(_filled(schema, schema, words, "", 0), ensure_ascii=False)
    if not _TEXT_FORM.search(rest):
        return words.queries[0]
    negative = f"\n\n## Negative\n\n{words.negatives[0]}" if _NEGATIVE_FORM.search(rest) else ""
    return f"## Positive\n\n{words.queries[0]}{negative}"


def _filled(schema: dict[str, Any], root: dict[str, Any], words: ModelAnswer, name: str, place: int) -> Any:
    """A value that obeys a schema, whose strings are queries, or negatives where the name says so."""
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][int(draw(words.queries, name, place) * len(schema["enum"]))]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind == "object":
        return {key: _filled(value, root, words, key, place) for key, value in schema.get("properties", {}).items()}
    if kind == "array":
        count = max(int(schema.get("minItems", 1)), min(int(schema.get("maxItems", len(words.queries))), len(words.queries)))
        return [_filled(schema.get("items", {}), root, words, name, number) for number in range(count)]
    if kind in {"integer", "number"}:
        return schema.get("minimum", 1)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    wrong = re.search(r"neg|bad|mislead|^s3$", name.casefold())
    text = (words.negatives if wrong else words.queries)[place % len(words.queries)]
    return f"Here it is said: {text}" if re.search(r"document|^s2$|^label$", name.casefold()) and not wrong else text


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _resolved(next(one for one in schema[several] if one.get("type") != "null"), root)
    kind = schema.get("type")
    return {**schema, "type": next(one for one in kind if one != "null")} if isinstance(kind, list) else schema

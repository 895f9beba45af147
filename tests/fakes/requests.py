"""What a request asks for, whatever the wire it came over, and where the chunk stands in its prompt."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

_OPENED = re.compile(r"^[ \t]*<chunk\b[^>\n]*>[ \t]*$", re.M)
_CLOSED = re.compile(r"^[ \t]*</chunk\b[^>\n]*>[ \t]*$", re.M)
_ANCHOR = re.compile(r"^## Anchor[ \t]*$", re.M)
CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class LlmRequest:
    """A request, understood."""

    model: str
    messages: list[tuple[str, str]]
    """(role, text)."""
    identity: str
    """Content hash: the same messages, model and settings have the same."""
    schema: dict[str, Any] | None = None
    """The JSON schema that the answer has to obey."""
    json_mode: bool = False
    """JSON is wanted, whatever its schema."""
    tool: str | None = None
    """The tool whose arguments are the answer."""
    max_tokens: int | None = None
    choices: int = 1
    stream: bool = False
    body: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def prompt(self) -> str:
        """All messages as one text."""
        return "\n\n".join(text for _, text in self.messages)

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, by its length."""
        return tokens(self.prompt) + 4 * len(self.messages)


def tokens(text: str) -> int:
    """Returns about how many tokens a text has."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def split_prompt(llm_request: LlmRequest) -> tuple[str, str]:
    """Returns the chunk that a request is about, and the prompt without it.

    Our prompts put the chunk between a line `<chunk>` and a line `</chunk>`; distilabel's GenerateSentencePair puts it below `## Anchor`
    with nothing that says where it ends, so there the rest holds it too: what it says is not told apart from the instructions.
    """
    prompt = llm_request.prompt
    opened = _OPENED.search(prompt)
    if opened:
        closed = _CLOSED.search(prompt, opened.end())
        end = closed.start() if closed else len(prompt)
        return prompt[opened.end() : end].strip(), prompt[: opened.start()] + prompt[end:]
    asked = next((text for role, text in reversed(llm_request.messages) if role == "user"), prompt)
    anchor = _ANCHOR.search(asked)
    return (asked[anchor.end() :] if anchor else asked).strip(), prompt


def schema_in(text: str) -> dict[str, Any] | None:
    """Returns the schema that a prompt spells out: a JSON schema, or an example object whose keys are wanted."""
    decoder = json.JSONDecoder()
    for place in (match.start() for match in re.finditer(r"\{", text)):
        try:
            found, _ = decoder.raw_decode(text, place)
        except ValueError:
            continue
        if isinstance(found, dict) and isinstance(found.get("properties"), dict):
            return found
        if isinstance(found, dict) and found:
            return _schema_like(found)
    return None


def _schema_like(example: Any) -> dict[str, Any]:
    if isinstance(example, dict):
        return {"type": "object", "properties": {key: _schema_like(value) for key, value in example.items()}}
    if isinstance(example, list):
        return {"type": "array", "items": _schema_like(example[0]) if example else {"type": "string"}, "minItems": len(example)}
    kinds = {bool: "boolean", int: "integer", float: "number"}
    return {"type": kinds.get(type(example), "string")}

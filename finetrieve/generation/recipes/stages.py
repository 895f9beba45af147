"""Requests that follow an answer of recipe `prompt`: those of the YAML file, and the judge, which has one form everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from finetrieve.core.settings import Settings

REASON = "judge_reason"
SCORES: dict[str, str] = {
    "self_contained": "a person who does not have the text before them understands it; it speaks of no text or section",
    "clear": "it asks for one thing, in words that a person would type",
    "answerable": "the text answers it in full",
    "own_words": "it is not copied from the text: it is put otherwise than the text puts it",
}
"""What the judge scores from 0 to 10, and what a 10 means."""
JUDGE_FIELDS = (REASON, *SCORES)
_DESCRIPTION_SCORES: dict[str, str] = {
    "self_contained": SCORES["self_contained"],
    "clear": "it says one thing, in one line that a person would type who looks for such texts",
    "answerable": "it is true of the text, each part of it",
    "own_words": "it says in general what the text says in particular, and shares few words with it",
}
"""The same of a description."""
_JUDGE = """\
{{ text }}

%s

- {{ %s }}

Judge it. First say in one or two sentences what is wrong with it, or that nothing is. Then give four scores from 0 (not at all)
to 10 (entirely):

%s"""
_REWRITE = """\
{{ text }}

%s was found wanting:

- {{ %s }}

The reason: {{ judge_reason }}

Write it anew, so that this is mended. It stays one line that a person would type, as near to the first one as it can be."""
Judged = Literal["query", "description"]
_JUDGED: dict[Judged, tuple[str, str, dict[str, str]]] = {
    "query": (
        "A person typed this query, which the text above is to answer:",
        "This query, which the text above is to answer,",
        SCORES,
    ),
    "description": (
        "This description is to be true of the text above:",
        "This description of the text above",
        _DESCRIPTION_SCORES,
    ),
}
"""What is judged -> how the judge is told of it, how it is when it is to be mended, and what a 10 means."""


class Stage(Settings):
    """A request that follows an answer and may use it in its prompt: a judge, a correction, a harder form."""

    prompt: str = Field(min_length=1)
    """Jinja: the user message. It can use the attributes, `text`, `title`, `section` and fields of answers before."""
    system: str = ""
    """Jinja: the system message, to which the form of the answer is added."""
    answer: dict[str, Any] | None = None
    """Its form, as JSON Schema or short: `{question: text, level: [easy, hard]}`; null: text, the field `answer`."""
    at_least: dict[str, float] = Field(default={})
    """Field of this answer -> number: with less, what the answers say is dropped."""
    if_below: dict[str, float] = Field(default={})
    """Field of an answer before -> number: asked only where there is less, such as a correction of what a judge scored low."""


class Judge(Settings):
    """The LLM judges each query: self-contained, clear, answerable from the chunk, not copied; and may mend it once.

    Judges as in Zheng et al. (2306.05685), the one rewrite with the judge's reason as in Self-Refine (Madaan et al., 2303.17651).
    """

    at_least: float = Field(default=7, ge=0, le=10)
    """A query of which one of the four scores, 0..10, is lower is dropped; 0: none is, and the filter `judge` can do it later."""
    rewrite: bool = True
    """A query that would be dropped is first written anew, with the judge's reason, and judged again."""

    def stages(self, field: str, judged: Judged = "query", note: str = "") -> list[Stage]:
        """Returns the requests that follow the answer with the query.

        Args:
            field: Of the answer, with the query.
            judged: What it is.
            note: Jinja, for whoever writes it anew: what else has to be true of it.
        """
        shown, wanting, scores = _JUDGED[judged]
        limits = dict.fromkeys(SCORES, self.at_least)
        score = {"type": "integer", "minimum": 0, "maximum": 10}
        answer: dict[str, Any] = {REASON: "text", **dict.fromkeys(SCORES, score)}
        prompt = _JUDGE % (shown, field, "\n".join(f"- {name}: {says}" for name, says in scores.items()))
        if not self.rewrite or not self.at_least:
            return [Stage(prompt=prompt, answer=answer, at_least=limits)]
        return [
            Stage(prompt=prompt, answer=answer),
            Stage(prompt=_REWRITE % (wanting, field) + note, answer={field: "text"}, if_below=limits),
            Stage(prompt=prompt, answer=answer, if_below=limits, at_least=limits),
        ]


def judge_score(fields: Mapping[str, Any]) -> float | None:
    """Returns the lowest of the judge's four scores, 0..10; None where no judge was asked."""
    return float(min(fields[name] for name in SCORES)) if set(SCORES) <= set(fields) else None

"""What the generation benchmarks share: made-up chunks, the settings of a run, and a run in a process of its own."""

from __future__ import annotations

import hashlib
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from steps.rows import Chunk  # noqa: E402

KEY_VARIABLE = "FINETRIEVE_BENCHMARK_KEY"
_WORDS = {
    "things": "report folder profile camera invoice backup account network printer calendar playlist archive server cluster",
    "deeds": "create rename delete export import share restore schedule copy lock archive print compress encrypt move",
    "places": "settings menu console window panel view dialog sidebar toolbar editor",
}


def chunks(count: int) -> list[Chunk]:
    """Returns chunks of about 100 words, each a page of its own, no two the same."""
    return [_chunk(number) for number in range(count)]


def _chunk(number: int) -> Chunk:
    draw = random.Random(number)
    deeds, things = (draw.sample(_WORDS[kind].split(), 4) for kind in ("deeds", "things"))
    title = f"{things[0].capitalize()} {number}"
    sentences = [f"This page is about {title.lower()} and what people do with it."]
    for deed, thing in zip(deeds, things, strict=True):
        place = draw.choice(_WORDS["places"].split())
        sentences.append(f"To {deed} the {thing} {number}, open the {place} and choose {deed.capitalize()} {thing}.")
        sentences.append(
            f"The {thing} {number} keeps its name for {draw.randrange(2, 90)} days, unless you change that in the {place}."
        )
    text = " ".join(sentences)
    doc = f"pages/{number}.md"
    return Chunk(hashlib.sha256(f"{doc}\n{text}".encode()).hexdigest()[:20], doc, doc, title, "", text, len(text) // 5, 0)

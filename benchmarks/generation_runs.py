"""What the generation benchmarks share: made-up chunks, the settings of a run, and a run in a process of its own.

As a program it is that process: it reads a run from its first argument, JSON, and writes what came of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from finetrieve.core.rows import Chunk  # noqa: E402
from finetrieve.core.tables import RowFile  # noqa: E402
from finetrieve.generation.settings import GenerationSettings  # noqa: E402

KEY_VARIABLE = "FINETRIEVE_BENCHMARK_KEY"
_WORDS = {
    "things": "report folder profile camera invoice backup account network printer calendar playlist archive server cluster",
    "deeds": "create rename delete export import share restore schedule copy lock archive print compress encrypt move",
    "places": "settings menu console window panel view dialog sidebar toolbar editor",
}


def chunks(count: int) -> Iterator[Chunk]:
    """Yields chunks of about 100 words, each a page of its own, no two the same."""
    return (_chunk(number) for number in range(count))


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


def llm_settings(base_url: str, answers: Path, **recipe: Any) -> GenerationSettings:
    """Returns settings with the recipe `triplet` alone, asking a server; `recipe` replaces its defaults."""
    asked = {"name": "triplet", "provider": "openai", "model": "gpt-4o-mini", "base_url": base_url, "api_key_env": KEY_VARIABLE}
    return GenerationSettings.model_validate({"recipes": [{**asked, **recipe}], "answers": str(answers)})


@dataclass(frozen=True)
class Run:
    """A run in a process of its own."""

    rows: int
    settings: dict[str, Any]
    """Generation settings, plain."""
    cache: str
    """A directory of its own for distilabel."""
    out: str
    """The directory that gets chunks and results."""

    def start(self, key: str) -> subprocess.Popen[str]:
        """Returns the process, in a group of its own, so that it can be killed with all that it started."""
        command = [sys.executable, str(Path(__file__).resolve()), json.dumps(asdict(self))]
        environment = {**os.environ, KEY_VARIABLE: key}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def result(self) -> Result:
        """Returns what came of a run that ended well."""
        folder = Path(self.out)
        counts = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
        tables = (pa.ipc.open_file(pa.memory_map(str(folder / f"{name}.arrow"))).read_all() for name in ("triplets", "rejects"))
        return Result(*tables, **counts)


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    triplets: pa.Table
    rejects: pa.Table
    seconds: float
    cpu: float
    """Seconds of all its processes."""


def session_processes(session: int) -> list[Path]:
    """Returns the `/proc` folders of the processes of a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # It may end while we look.
            # After the name, which may hold anything: state, parent, group, session.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(folder)
    return found


def main() -> None:
    """Generates as the first argument says."""
    from finetrieve.generation.generate import generate

    run = Run(**json.loads(sys.argv[1]))
    folder = Path(run.out)
    folder.mkdir(parents=True, exist_ok=True)
    corpus = RowFile(folder / "chunks.arrow", Chunk)
    corpus.extend(chunks(run.rows))
    settings = GenerationSettings.model_validate(run.settings)
    started = time.perf_counter()
    made = generate(corpus.table(), settings, 0, Path(run.cache))
    seconds = time.perf_counter() - started
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    for name, table in (("triplets", made.queries), ("rejects", made.rejects)):
        with pa.OSFile(str(folder / f"{name}.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    (folder / "counts.json").write_text(json.dumps({"seconds": seconds, "cpu": cpu}), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Where the queries of the rules are lost on the way from a chunk to training: `python benchmarks/query_yield.py CORPUS...`.

Each CORPUS is a folder or file of documentation, an installed package, or a configuration whose source is read. A column per
corpus, a row per stage: what is read, what can be asked, what the gate drops and why, what is chosen, what each filter of
curation keeps; then the forms and the speed. `--show N` prints N of the surviving queries, drawn by `--seed`, to be judged.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from finetrieve.core.corpus import Corpus  # noqa: E402
from finetrieve.core.rows import Chunk, GeneratedQuery  # noqa: E402
from finetrieve.core.tables import to_rows, to_table  # noqa: E402
from finetrieve.core.text import normalise_query  # noqa: E402
from finetrieve.corpus.chunking import build_chunks  # noqa: E402
from finetrieve.corpus.settings import ChunkSettings  # noqa: E402
from finetrieve.corpus.sources.base import Source  # noqa: E402
from finetrieve.corpus.sources.package import PackageSource  # noqa: E402
from finetrieve.corpus.sources.registry import (  # noqa: E402
    SourceSettings,
    read_source,
    source_from_path,
)
from finetrieve.curation.curate import curate  # noqa: E402
from finetrieve.curation.filters import FilterSettings, QueryFilter  # noqa: E402
from finetrieve.generation.assemble import SHARED_BY_MOST  # noqa: E402
from finetrieve.generation.chunk_context import ChunkContext, build_contexts  # noqa: E402
from finetrieve.generation.recipes.rules import write_queries  # noqa: E402
from finetrieve.generation.recipes.rules.gate import reject_reason  # noqa: E402
from finetrieve.generation.recipes.rules.phrasing import renderings  # noqa: E402
from finetrieve.generation.recipes.rules.prose import looks_english, plain, sentences, units  # noqa: E402
from finetrieve.generation.recipes.rules.writer import SPARE, find_candidates  # noqa: E402
from finetrieve.retrieval.base_model import load_tokenizer  # noqa: E402

CONFIG = ROOT / "configs" / "default.yaml"


@dataclass
class Yield:
    """One corpus on its way through the stages."""

    name: str
    stages: dict[str, int] = field(default_factory=dict)
    """Stage -> count, in order."""
    gate: Counter[str] = field(default_factory=Counter)
    """Kind of reason -> queries that the gate dropped."""
    styles: Counter[str] = field(default_factory=Counter)
    """Style -> surviving queries."""
    seconds: float = 0.0
    """Of the processor, for writing alone."""
    survivors: list[tuple[str, str]] = field(default_factory=list)
    """(query, place), to be judged."""


def main() -> None:
    """Prints the table, and the queries that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--per-chunk", type=int, default=6, help="queries of a chunk at most")
    parser.add_argument("--seed", type=int, default=13, help="of the wording and of what is shown")
    parser.add_argument("--show", type=int, default=0, help="surviving queries to print per corpus")
    parser.add_argument("--no-round-trip", action="store_true", help="without the filter that needs the model")
    arguments = parser.parse_args()
    found = [measured(corpus, arguments.seed, arguments.per_chunk, not arguments.no_round_trip) for corpus in arguments.corpora]
    for corpus in found:
        for query, place in random.Random(arguments.seed).sample(corpus.survivors, min(arguments.show, len(corpus.survivors))):
            print(f"{corpus.name}\t{query}\t{place}")
    _print_table(found)


def measured(corpus: str, seed: int, per_chunk: int, round_trip: bool) -> Yield:
    """Returns what became of a corpus' queries at every stage."""
    chunks, filters = _read(corpus, round_trip)
    found = Yield(re.sub(r"\.ya?ml$", "", Path(corpus).name))
    all_passages = list(build_contexts(chunks))
    found.stages["chunks"] = len(chunks)
    stages = Counter[str]()
    for passage in all_passages:
        _trace(passage, seed, stages, found.gate)
    start = time.process_time()
    written = [write_queries(passage, seed, per_chunk).queries for passage in all_passages]
    found.seconds = time.process_time() - start
    found.stages |= {name: stages[name] for name in ("in English", *_UNITS, *_KINDS, "wordings", "pass the gate")}
    found.stages["chosen, with spare"] = sum(map(len, written))
    triplets = list(_asked(chunks, written, per_chunk))
    found.stages["asked"] = len(triplets)
    result = curate(to_table(triplets, GeneratedQuery), Corpus.from_rows(chunks), filters)
    kept = to_rows(result.queries, GeneratedQuery)
    found.stages |= {f"after {name}": report.kept for name, report in result.report.root.items()}
    found.stages["chunks without a query"] = len(chunks) - len({triplet.chunk_id for triplet in kept})
    found.styles.update(triplet.style for triplet in kept)
    place = {chunk.id: " > ".join(part for part in (chunk.title, chunk.section) if part) for chunk in chunks}
    found.survivors = [(triplet.query, place[triplet.chunk_id]) for triplet in kept]
    return found


_UNITS = tuple(f"units: {kind}" for kind in ("sentence", "label", "parameter", "row", "heading", "comment"))
_KINDS = tuple(f"candidates: {kind}" for kind in ("action", "thing", "ready"))


def _read(corpus: str, round_trip: bool) -> tuple[list[Chunk], list[Any]]:
    """Returns a corpus' chunks and the filters; those of the default configuration where the corpus is not one."""
    config = yaml.safe_load((Path(corpus) if corpus.endswith((".yaml", ".yml")) else CONFIG).read_text())
    if corpus.endswith((".yaml", ".yml")):
        source = TypeAdapter[Source](SourceSettings).validate_python(config["source"])
    else:
        source = source_from_path(Path(corpus)) if Path(corpus).exists() or "/" in corpus else PackageSource(package=corpus)
    settings = ChunkSettings.model_validate(config["chunks"])
    chunks = build_chunks(read_source(source).documents, settings, load_tokenizer("embedded")).chunks
    filters = TypeAdapter[list[QueryFilter]](list[FilterSettings]).validate_python(config["filters"])
    return chunks, [each for each in filters if round_trip or each.name != "round_trip"]


def _trace(passage: ChunkContext, seed: int, stages: Counter[str], gate: Counter[str]) -> None:
    """Counts a passage's units, candidates and wordings, and what the gate says of each."""
    text = plain(passage.text)
    if not looks_english(text):
        return
    stages["in English"] += 1
    stages.update(f"units: {unit.kind}" for unit in units(passage.text, passage.title))
    own = frozenset(normalise_query(sentence) for sentence in sentences(text))
    for candidate in find_candidates(passage):
        stages[f"candidates: {candidate.kind}"] += 1
        for query, _ in renderings(candidate, seed, passage.id):
            stages["wordings"] += 1
            reason = reject_reason(query, own)
            if reason is None:
                stages["pass the gate"] += 1
            else:
                gate[re.sub(r"^'[^']*'|'[^']*'$|: '.*'$|^\d+ ", "", reason).strip()] += 1


def _asked(chunks: list[Chunk], written: list[list[tuple[str, str]]], per_chunk: int) -> Iterator[GeneratedQuery]:
    """Yields what generation hands to curation: no boilerplate, nothing twice, at most so many per chunk."""
    shared = Counter(query for queries in written for query in {query.casefold() for query, _ in queries})
    for chunk, queries in zip(chunks, written, strict=True):
        kept = {query.casefold(): (query, style) for query, style in queries if shared[query.casefold()] <= SHARED_BY_MOST}
        for query, style in list(kept.values())[:per_chunk]:
            yield GeneratedQuery(f"{chunk.id}\x1f{query}", chunk.id, query, None, style, "rules", "rules")


def _print_table(found: list[Yield]) -> None:
    def row(name: str, values: list[str]) -> None:
        print(f"{name:44}" + "".join(f"{value:>22}" for value in values))

    row("", [corpus.name[:20] for corpus in found])
    for stage in dict.fromkeys(stage for corpus in found for stage in corpus.stages):
        row(stage, [f"{corpus.stages.get(stage, 0):,}" for corpus in found])
    for title, counts in (("gate: ", [corpus.gate for corpus in found]), ("form: ", [corpus.styles for corpus in found])):
        for name, _ in sum(counts, Counter[str]()).most_common():
            shares = [f"{count[name]:,} ({count[name] / max(count.total(), 1):.0%})" for count in counts]
            row(f"{title}{name}"[:43], shares)
    row("surviving queries per chunk", [f"{len(corpus.survivors) / corpus.stages['chunks']:.2f}" for corpus in found])
    row(
        f"written per second, {SPARE} spare", [f"{corpus.stages['chosen, with spare'] / corpus.seconds:,.0f}" for corpus in found]
    )


if __name__ == "__main__":
    main()

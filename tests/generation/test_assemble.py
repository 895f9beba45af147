"""Answers become rows in the chunks' order, one batch in memory at a time, and none is lost on the way."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from finetrieve.core.rows import Chunk, GeneratedQuery
from finetrieve.core.tables import RowFile, to_rows
from finetrieve.generation.assemble import RecipeResults, assemble_rows
from finetrieve.generation.settings import GenerationSettings

RULES = GenerationSettings()


def answers(numbers: Sequence[int], count: int | None = None) -> RecipeResults:
    texts = [json.dumps({"queries": [], "about": number}) for number in numbers]
    return RecipeResults(pa.table({"chunk": list(numbers), "result": texts}), len(numbers) if count is None else count)


@pytest.mark.parametrize("numbers", [[0, 1, 2, 3], [2, 3, 0, 1], [3, 2, 1, 0], [1, 2, 4, 5, 3, 0], [0], []])
def test_answers_come_in_the_passages_order_whatever_order_they_were_written_in(numbers: list[int]) -> None:
    assert [answer["about"] for answer in answers(numbers)] == sorted(numbers)


def test_a_passage_without_an_answer_is_not_passed_over() -> None:
    with pytest.raises(RuntimeError, match="distilabel lost 1 of 4 chunks"):
        answers([0, 1, 3], 4)
    with pytest.raises(RuntimeError, match="distilabel lost 2 of 3 chunks"):
        RecipeResults(pa.table({"chunk": [0, 1, 2], "result": pa.array([None, "{}", None], pa.string())}), 3)


def of_corpus(folder: Path, count: int) -> tuple[pa.Table, RecipeResults]:
    """Chunks and answers in files, as a run has them."""
    folder.mkdir()
    file = RowFile(folder / "chunks.arrow", Chunk)
    file.extend(Chunk(f"{number:020}", "d", "s", "t", "", "Long text. " * 50, 9, number) for number in range(count))
    schema = pa.schema({"chunk": pa.int64(), "result": pa.string()})
    with pa.OSFile(str(folder / "answers.arrow"), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for start in range(0, count, 250):
            batch: dict[str, list[Any]] = {"chunk": list(range(start, start + 250)), "result": []}
            for number in batch["chunk"]:
                rows = [{"query": f"what does part {row} of page {number} say", "style": "what_is"} for row in range(3)]
                shared = [{"query": f"read on {number % 7}", "style": "how_to"}]
                batch["result"].append(json.dumps({"queries": rows + shared, "rejects": [["so so", "dull"]]}))
            writer.write_table(pa.table(batch, schema=schema))
    table = pa.ipc.open_file(pa.memory_map(str(folder / "answers.arrow"))).read_all()
    return file.table(), RecipeResults(table, count)


@pytest.mark.slow
def test_a_row_more_costs_some_dozen_bytes_of_memory(tmp_path: Path) -> None:
    peaks: dict[int, int] = {}
    for count in (2_000, 2_000, 8_000):  # once to warm up
        chunks, found = of_corpus(tmp_path / f"{count}-{len(peaks)}", count)
        (scratch := tmp_path / f"scratch-{count}-{len(peaks)}").mkdir(exist_ok=True)
        pooled = pa.total_allocated_bytes()
        tracemalloc.start()
        made = assemble_rows(chunks, {"rules": found}, RULES, scratch)
        peaks[count] = tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes() - pooled
        tracemalloc.stop()
        assert made.queries.num_rows == 3 * count
        assert made.dropped == {"quality": count, "boilerplate": count}
        assert made.rejects.num_rows == 2 * count
        assert to_rows(made.queries.slice(3, 1), GeneratedQuery)[0].query == "what does part 0 of page 1 say"
        assert list(made.chunks[:7]) == [0, 0, 0, 1, 1, 1, 2]
    assert (peaks[8_000] - peaks[2_000]) / 6_000 < 200

"""A chunks artifact of a million rows: seconds and memory to store, hash, show and open it, beside one Parquet file.

    python benchmarks/artifacts.py [--rows 1000000]

Each part runs in a process of its own. "Memory" is the peak of what the process held of its own (anonymous pages) above what
it held before the part: pages of the memory-mapped file belong to the system, which takes them back whenever it wants.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
from zenml.artifact_stores import BaseArtifactStore, LocalArtifactStore, LocalArtifactStoreConfig
from zenml.enums import StackComponentType
from zenml.utils.time_utils import utc_now

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PARTS = ("save", "hash", "picture", "open", "read 1,000 rows of it", "parquet save", "parquet open")
BATCH = 50_000


def main() -> None:
    """Prints the table, or runs one part of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        run_part(given.part, given.folder)
        return
    with tempfile.TemporaryDirectory(prefix="finetrieve-artifacts-") as folder:
        source = write_source(Path(folder) / "source.arrow", given.rows)
        print(f"{given.rows:,} chunks, {source.stat().st_size / 1e6:,.0f} MB as Arrow")
        print(f"{'':30} {'seconds':>8} {'memory, MB':>11}")
        for part in PARTS:
            command = [sys.executable, __file__, "--part", part, "--folder", folder]
            subprocess.run(command, check=True)


def write_source(path: Path, rows: int) -> Path:
    """Writes chunks as `load_chunks` would make them, a batch at a time."""
    from finetrieve.core.rows import Chunk
    from finetrieve.core.tables import schema_of

    schema = schema_of(Chunk)
    words = " ".join(f"word{number % 97}" for number in range(70))
    with path.open("wb") as file, pa.ipc.new_file(file, schema) as writer:
        for start in range(0, rows, BATCH):
            numbers = range(start, min(start + BATCH, rows))
            columns = {
                "id": [f"{number:020x}" for number in numbers],
                "doc_id": [f"docs/page-{number // 12}.md" for number in numbers],
                "source": [f"docs/page-{number // 12}.md" for number in numbers],
                "title": [f"Page {number // 12}" for number in numbers],
                "section": [f"Guide > Section {number % 40}" for number in numbers],
                "text": [f"{number} {words}" for number in numbers],
                "n_tokens": [90 + number % 30 for number in numbers],
                "position": [number % 12 for number in numbers],
            }
            writer.write_batch(pa.record_batch([pa.array(columns[field.name], field.type) for field in schema], schema=schema))
    return path


def run_part(part: str, folder: Path) -> None:
    """Runs one part and prints its line."""
    import pyarrow.parquet as pq

    from finetrieve.reporting.artifact_pages import spread, table_page
    from steps.materializers import TableMaterializer

    materializer = TableMaterializer(str(folder / "artifact"), local_store(folder))
    (folder / "artifact").mkdir(exist_ok=True)
    parquet = folder / "table.parquet"
    table = pa.ipc.open_file(pa.memory_map(str(folder / "source.arrow"))).read_all()
    work: dict[str, Callable[[], object]] = {
        "save": lambda: materializer.save(table),
        "hash": lambda: materializer.compute_content_hash(table),
        "picture": lambda: table_page(table),
        "open": lambda: materializer.load(pa.Table),
        "read 1,000 rows of it": lambda: spread(materializer.load(pa.Table), 1_000).to_pylist(),
        "parquet save": lambda: pq.write_table(table, parquet),
        "parquet open": lambda: pq.read_table(parquet),
    }
    seconds, memory = measured(work[part])
    print(f"{part:30} {seconds:8.2f} {memory:11.0f}", flush=True)


def local_store(folder: Path) -> BaseArtifactStore:
    """Returns a ZenML artifact store in a folder."""
    now = utc_now()
    return LocalArtifactStore(
        name="store",
        id=uuid4(),
        config=LocalArtifactStoreConfig(path=str(folder)),
        flavor="local",
        type=StackComponentType.ARTIFACT_STORE,
        user=uuid4(),
        created=now,
        updated=now,
    )


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Returns the seconds that the work took and the most megabytes that it held at once."""
    before = held()
    peak = before
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, held())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.perf_counter()
    kept = work()
    seconds = time.perf_counter() - started
    peak = max(peak, held())
    done.set()
    watcher.join()
    del kept
    return seconds, (peak - before) / 1e6


def held() -> int:
    """Returns the bytes of anonymous memory of this process."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()

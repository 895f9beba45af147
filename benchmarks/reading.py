"""Pages per second and memory of reading: `python benchmarks/reading.py [FOLDER ...] [--pages 2000] [--before CHECKOUT]`.

Reads folders of documentation, generated HTML pages and one page of 20 MB, each in a process of its own. With `--before` an older
checkout of this project reads the same right after, so that both numbers are of the same machine and minute. Writes nothing but
temporary files.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT = "the server keeps a queue of jobs and writes each result to the store before the next one begins"


def main() -> None:
    """Prints a line per corpus: pages, seconds, pages per second, peak memory, now and before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--pages", type=int, default=2000, help="generated HTML pages")
    parser.add_argument("--large", type=int, default=20, help="MB of the large page, 0 for none")
    parser.add_argument("--before", type=Path, help="an older checkout to read the same with")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(_read(Path(options.one))))
        return
    with tempfile.TemporaryDirectory() as temporary:
        generated, large = Path(temporary, "html"), Path(temporary, "large")
        generated.mkdir()
        large.mkdir()
        for number in range(options.pages):
            (generated / f"page{number}.html").write_text(_page(number))
        sections = options.large * 1_000_000 // len(_section(0))
        (large / "large.html").write_text(_page(0, body="".join(_section(number) for number in range(sections))))
        print(f"{'corpus':<24}{'version':<9}{'pages':>7}{'seconds':>9}{'pages/s':>9}{'peak MB':>9}")
        for folder in [*options.folders, generated, *([large] if options.large else [])]:
            for version, checkout in (("now", ROOT), *([("before", options.before)] if options.before else [])):
                rounds = [_measured(folder, checkout) for _ in range(1 if folder == large else options.rounds)]
                best = min(rounds, key=lambda result: result["seconds"])
                speed = best["pages"] / best["seconds"]
                print(
                    f"{folder.name:<24}{version:<9}{best['pages']:>7}{best['seconds']:>9.2f}{speed:>9.1f}{best['megabytes']:>9.0f}",
                    flush=True,
                )


def _measured(folder: Path, checkout: Path) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__).resolve()), "--one", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve())}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=checkout)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _read(folder: Path) -> dict[str, float]:
    from finetrieve.corpus.sources.folder import FolderSource

    reader = FolderSource(path=str(folder), max_file_mb=100).reader()
    start = time.process_time()
    documents = reader.read().documents
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"pages": len(documents), "seconds": seconds, "megabytes": peak}


def _page(number: int, body: str = "") -> str:
    links = "".join(f'<li><a href="/guide/{other}.html">Guide number {other}</a></li>' for other in range(40))
    body = body or "".join(_section(number * 10 + part) for part in range(8))
    return (
        f"<!DOCTYPE html><html><head><title>Guide {number} | Acme</title></head><body><header><a href='/'>Acme</a></header>"
        f"<nav><ul>{links}</ul></nav><main><article><h1>Guide {number}</h1>{body}</article></main>"
        "<footer><p>Copyright Acme</p></footer></body></html>"
    )


def _section(number: int) -> str:
    words = " ".join(f"{word} {number + at}" for at, word in enumerate(TEXT.split()))
    rows = "".join(f"<tr><td><code>option_{number}_{row}</code></td><td>{words}</td></tr>" for row in range(5))
    return (
        f"<section><h2>Part {number}</h2><p>{words}. See <a href='#x'>the other part</a> and <code>acme run</code>.</p>"
        f"<div class='highlight-python'><pre><span>job</span> = <span>{number}</span>\nrun(job)</pre></div>"
        f"<ul><li>{words}</li><li><p>{words}</p></li></ul><table><tr><th>Option</th><th>Meaning</th></tr>{rows}</table></section>"
    )


if __name__ == "__main__":
    main()

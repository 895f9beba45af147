"""pgvector: a table in PostgreSQL with a column `dense` and, for late interaction, an array of vectors `late`.

The server is the one that libpq's environment names (PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, PGSERVICE), here and in
`ask`: nothing of it is written down. The folder has the model, the texts and the table's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.errors import InputError
from finetrieve.core.failures import error_line
from finetrieve.core.rows import Chunk
from finetrieve.engines.base import Engine, Found
from finetrieve.engines.folder import whole_name
from finetrieve.engines.vector_files import Block, StoredVectors

if TYPE_CHECKING:
    from psycopg import Connection


TABLE_FILE = "table.txt"
OURS = "Written by Finetrieve."
"""The table's comment: no other table is replaced."""
_COLUMNS = [field.name for field in fields(Chunk)]
_NUMBERS = {"n_tokens", "position"}
_DENSE = "-(dense <#> %(query)s::vector)"
_LATE = """(SELECT sum(best) FROM (
    SELECT max(-(token <#> asked)) AS best
    FROM unnest(late) AS token, unnest(%(query)s::vector[]) WITH ORDINALITY AS query(asked, place) GROUP BY place) AS tokens)"""


class PgVectorEngine(Engine):
    """PostgreSQL with pgvector, searched exactly. Token vectors have no index there: for some 10,000 chunks."""

    name = "pgvector"
    description = "PostgreSQL with pgvector: the server that PGHOST, PGDATABASE, PGUSER and PGPASSWORD name."
    packages = ("psycopg",)

    @classmethod
    def build(cls, folder: Path, blocks: Iterable[Block], stored: StoredVectors) -> None:
        """Writes the table, named after the folder, in one transaction: what was there is read until it is whole.

        Raises:
            InputError: There is no server or no pgvector, or there is a table of that name which is not ours.
        """
        import psycopg

        table = "finetrieve_" + (re.sub(r"[^a-z0-9]+", "_", whole_name(folder).lower()).strip("_")[:40] or "index")
        try:
            with _connect() as connection:
                _check_ours(connection, table)
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
                connection.execute(f"DROP TABLE IF EXISTS {table}_new")
                connection.execute(f"CREATE TABLE {table}_new ({_schema(stored)})")
                names = ", ".join([*_COLUMNS, *stored.ways])
                with connection.cursor() as cursor, cursor.copy(f"COPY {table}_new ({names}) FROM STDIN") as copy:
                    for row in (row for block in blocks for row in _rows(block)):
                        copy.write_row(row)
                connection.execute(f"DROP TABLE IF EXISTS {table}")
                connection.execute(f"ALTER TABLE {table}_new RENAME TO {table}")
                connection.execute(f"COMMENT ON TABLE {table} IS '{OURS}'")
        except psycopg.Error as error:
            raise InputError(f"PostgreSQL does not take the vectors: {_line(error)}") from None
        (folder / TABLE_FILE).write_text(table, encoding="utf-8")

    def __init__(self, folder: Path, stored: StoredVectors) -> None:
        self._table = (folder / TABLE_FILE).read_text(encoding="utf-8")
        self._connection = _connect(autocommit=True)

    def dense(self, vector: FloatMatrix, k: int, among: Sequence[str] | None = None) -> list[Found]:
        """Returns the k nearest chunks of a unit vector `(dims,)`, the best first."""
        return self._search(_DENSE, _vector(vector), k, among)

    def late(self, vectors: FloatMatrix, k: int, among: Sequence[str] | None = None) -> list[Found]:
        """Returns the k best chunks by MaxSim, the best first."""
        return self._search(_LATE, _array(vectors), k, among)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def _search(self, score: str, query: str, k: int, among: Sequence[str] | None) -> list[Found]:
        import psycopg

        only = "" if among is None else "WHERE id = ANY(%(among)s)"
        rows = f"SELECT {', '.join(_COLUMNS)}, {score} AS score FROM {self._table} {only}"
        statement = f"{rows} ORDER BY score DESC, id LIMIT %(k)s"
        given = {"query": query, "k": k, "among": None if among is None else [_storable(name) for name in among]}
        try:
            found = self._connection.execute(statement, given).fetchall()
        except psycopg.Error as error:
            raise InputError(f"PostgreSQL does not search: {_line(error)}") from None
        return [Found(Chunk(*row[:-1]), float(row[-1])) for row in found]


def _connect(autocommit: bool = False) -> Connection[Any]:
    import psycopg

    try:
        return psycopg.connect(autocommit=autocommit)
    except psycopg.OperationalError as error:
        raise InputError(f"There is no PostgreSQL: {_line(error)} Set PGHOST, PGDATABASE, PGUSER and PGPASSWORD.") from None


def _check_ours(connection: Connection[Any], table: str) -> None:
    found = connection.execute("SELECT obj_description(to_regclass(%s)), to_regclass(%s)", (table, table)).fetchone()
    if found is not None and found[1] is not None and found[0] != OURS:
        raise InputError(f"The table '{table}' in PostgreSQL is not ours; give the folder another name, after which it is named.")


def _schema(stored: StoredVectors) -> str:
    columns = [f"{name} {'integer' if name in _NUMBERS else 'text'}" for name in _COLUMNS]
    columns += [f"dense vector({stored.dense.dims})"] if stored.dense is not None else []
    columns += [f"late vector({stored.late.dims})[]"] if stored.late is not None else []
    return ", ".join([*columns, "PRIMARY KEY (id)"])


def _rows(block: Block) -> Iterator[list[str | int]]:
    for row, chunk in enumerate(block.chunks):
        values: list[str | int] = [_storable(value) if isinstance(value, str) else value for value in astuple(chunk)]
        values += [_vector(block.dense[row])] if block.dense is not None else []
        values += [_array(block.late.part(row, row + 1).vectors)] if block.late is not None else []
        yield values


def _storable(text: str) -> str:
    """Returns a text that PostgreSQL takes: without the character zero and without halves of characters."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()


def _vector(values: npt.NDArray[Any]) -> str:
    return f"[{','.join(f'{value:.7g}' for value in values.tolist())}]"


def _array(vectors: npt.NDArray[Any]) -> str:
    return "{" + ",".join(f'"{_vector(vector)}"' for vector in vectors) + "}"


def _line(error: Exception) -> str:
    return error_line(error, 200).rstrip(".") + "."

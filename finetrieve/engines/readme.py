"""The README of a folder of vectors: what is in it, and code that loads it into a search engine, with nothing of ours needed."""

from __future__ import annotations

from finetrieve.core.numbers import counted
from finetrieve.engines.vector_files import Stored, StoredVectors
from finetrieve.retrieval.encoder import Role


def vectors_readme(name: str, n_chunks: int, stored: StoredVectors, prompts: dict[Role, str]) -> str:
    """Returns the README.

    Args:
        name: What people call the model.
        n_chunks: How many chunks there are.
        stored: Which vectors, and how.
        prompts: Role -> what the model wants in front of a text, where it wants something.
    """
    parts = [
        f"# Vectors of {counted(n_chunks, 'chunk')} by {name}",
        "",
        _intro(stored),
        "",
        "## Reading the files",
        "",
        _python(_reader(stored)),
    ]
    parts += ["", "## The vectors of a question", "", _questions(stored, prompts)]
    parts += ["", "## LanceDB", "", _python(_lancedb(stored)), "", "## Qdrant", "", _QDRANT_WORDS, "", _python(_qdrant(stored))]
    parts += ["", "## pgvector", "", _PGVECTOR_WORDS, "", _python(_pgvector(stored)), "", "## Vespa", "", _vespa(stored), ""]
    return "\n".join(parts)


def _python(code: str) -> str:
    return f"```python\n{code.strip()}\n```"


def _intro(stored: StoredVectors) -> str:
    rows = [
        "| file or column | what it is |",
        "|---|---|",
        "| `vectors/part-*.parquet` | a row for each chunk: `id`, `doc_id`, `source`, `title`, `section`, `text`, ... |",
    ]
    if stored.dense is not None:
        rows.append(f"| `dense` | one vector: {_form(stored.dense)} |")
    if stored.late is not None:
        pooled = "" if stored.late.pooling == 1 else f", the mean of {stored.late.pooling} tokens"
        rows.append(f"| `late` | a vector for each token{pooled}: {_form(stored.late)} |")
    rows.append("| `model/` | the sentence-transformers model that turns questions into vectors |")
    return "\n".join(rows)


def _form(stored: Stored) -> str:
    form = {
        "fp32": "numbers",
        "int8": "int8 numbers, to be multiplied by the column with `_scale` in its name",
        "binary": "bits in bytes, the first number in the highest bit",
    }
    return f"{stored.dims} {form[stored.precision]}"


_UNPACK = {
    "fp32": "np.asarray(values, np.float32)",
    "int8": "np.asarray(values, np.float32) * np.asarray(scales, np.float32)[:, None]",
    "binary": "(2.0 * np.unpackbits(np.asarray(values, np.uint8), axis=1, count={dims}) - 1) / {dims} ** 0.5",
}


def _reader(stored: StoredVectors) -> str:
    lines = [
        "from pathlib import Path",
        "",
        "import numpy as np",
        "import pyarrow.parquet as pq",
        "",
        'FOLDER = Path(".")',
        "",
        "",
    ]
    for way, kind in (("dense", stored.dense), ("late", stored.late)):
        if kind is not None:
            lines += [
                f"def {way}_of(values, scales=None):",
                f"    return {_UNPACK[kind.precision].format(dims=kind.dims)}",
                "",
                "",
            ]
    lines += ["def rows():", '    for path in sorted((FOLDER / "vectors").glob("part-*.parquet")):']
    lines += ["        for row in pq.read_table(path).to_pylist():"]
    if stored.dense is not None:
        scales = ', [row["dense_scale"]]' if stored.dense.precision == "int8" else ""
        lines.append(f'            row["dense"] = dense_of([row["dense"]]{scales})[0].tolist()')
    if stored.late is not None:
        scales = ', row["late_scale"]' if stored.late.precision == "int8" else ""
        lines.append(f'            row["late"] = late_of(row["late"]{scales}).tolist()')
    lines += ['            yield {name: value for name, value in row.items() if not name.endswith("_scale")}']
    return "\n".join(lines)


def _questions(stored: StoredVectors, prompts: dict[Role, str]) -> str:
    lines = []
    if stored.dense is not None:
        lines += [
            "from sentence_transformers import SentenceTransformer",
            "",
            'dense_model = SentenceTransformer(str(FOLDER / "model"))',
            "",
            "",
            "def dense_question(text):",
            f"    vector = dense_model.encode_query([text])[0][:{stored.dense.dims}]",
            "    return vector / np.linalg.norm(vector)",
            "",
            "",
        ]
    if stored.late is not None:
        prompt = prompts.get("query", "")
        lines += [
            "import json",
            "",
            "from sentence_transformers import MultiVectorEncoder",
            "",
            'late_model = MultiVectorEncoder(str(FOLDER / "model" / "late"))',
            'idf = json.loads((FOLDER / "model" / "late" / "token_idf.json").read_text())',
            "",
            "",
            "def late_question(text):",
            f"    vectors = np.asarray(late_model.encode_query([text])[0])[:, :{stored.late.dims}]",
            "    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)",
            f'    ids = late_model.tokenizer({prompt!r} + text, truncation=True)["input_ids"]',
            "    ids = [number for number in ids if number not in late_model.tokenizer.all_special_ids]",
            '    weights = np.array([idf["weights"].get(str(number), idf["unseen"]) for number in ids])',
            "    return vectors * (weights / weights.sum())[:, None]  # rare words count more; MaxSim is linear in them",
        ]
    return _python("\n".join(lines))


def _lancedb(stored: StoredVectors) -> str:
    way = stored.ways[-1]
    lines = ["import lancedb", "import pyarrow as pa", ""]
    lines += ['fields = [pa.field(name, pa.string()) for name in ("id", "doc_id", "source", "title", "section", "text")]']
    if stored.dense is not None:
        lines.append(f'fields.append(pa.field("dense", pa.list_(pa.float32(), {stored.dense.dims})))')
    if stored.late is not None:
        lines.append(f'fields.append(pa.field("late", pa.list_(pa.list_(pa.float32(), {stored.late.dims}))))')
    lines += [
        "schema = pa.schema(fields)",
        "batches = (pa.RecordBatch.from_pylist([row], schema) for row in rows())",
        'table = lancedb.connect("my-lancedb").create_table("chunks", pa.RecordBatchReader.from_batches(schema, batches))',
        f'found = table.search({way}_question("how do I start?"), vector_column_name="{way}").metric("dot").limit(5).to_list()',
        'print([row["id"] for row in found])',
    ]
    return "\n".join(lines)


_QDRANT_WORDS = 'In this process here; with `QdrantClient("http://...")` the same code fills a server.'


def _qdrant(stored: StoredVectors) -> str:
    way = stored.ways[-1]
    lines = [
        "import uuid",
        "",
        "from qdrant_client import QdrantClient, models",
        "",
        'client = QdrantClient(path="my-qdrant")',
        "dot = models.Distance.DOT",
        "config = {}",
    ]
    if stored.dense is not None:
        lines.append(f'config["dense"] = models.VectorParams(size={stored.dense.dims}, distance=dot)')
    if stored.late is not None:
        lines += [
            "maxsim = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)",
            f'config["late"] = models.VectorParams(size={stored.late.dims}, distance=dot, multivector_config=maxsim)',
        ]
    lines += [
        'client.create_collection("chunks", vectors_config=config)',
        "for row in rows():",
        "    vectors = {name: row.pop(name) for name in config}",
        '    point = models.PointStruct(id=str(uuid.uuid5(uuid.NAMESPACE_OID, row["id"])), vector=vectors, payload=row)',
        '    client.upsert("chunks", [point])',
        f'question = {way}_question("how do I start?").tolist()',
        f'found = client.query_points("chunks", query=question, using="{way}", limit=5).points',
        'print([point.payload["id"] for point in found])',
        "client.close()",
    ]
    return "\n".join(lines)


_PGVECTOR_WORDS = """\
The server is the one that PGHOST, PGDATABASE, PGUSER and PGPASSWORD name. With more than some 50,000 rows, single vectors want
an index: `CREATE INDEX ON chunks USING hnsw (dense vector_ip_ops)`, which finds nearly the nearest for `ORDER BY dense <#> ...`.
Token vectors have none: compare those of the first 100 by single vectors."""
_MAXSIM = """\
(SELECT sum(best) FROM (SELECT max(-(token <#> asked)) AS best FROM unnest(late) AS token,
    unnest(%(query)s::vector[]) WITH ORDINALITY AS query(asked, place) GROUP BY place) AS tokens)"""


def _pgvector(stored: StoredVectors) -> str:
    columns = [*(f"{name} text" for name in ("id", "doc_id", "source", "title", "section", "text"))]
    columns += [f"dense vector({stored.dense.dims})"] if stored.dense is not None else []
    columns += [f"late vector({stored.late.dims})[]"] if stored.late is not None else []
    names = [column.split()[0] for column in columns]
    way = stored.ways[-1]
    lines = [
        "import psycopg",
        "",
        "",
        "def as_array(vectors):",
        '    return "{" + ",".join(f\'"{vector}"\' for vector in vectors) + "}"',
        "",
        "",
        f"names = {names!r}",
        "with psycopg.connect() as connection:",
        '    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")',
        f'    connection.execute("CREATE TABLE chunks ({", ".join(columns)}, PRIMARY KEY (id))")',
        "    with connection.cursor() as cursor, cursor.copy(f\"COPY chunks ({', '.join(names)}) FROM STDIN\") as copy:",
        "        for row in rows():",
    ]
    lines += ['            row["dense"] = str(row["dense"])'] if stored.dense is not None else []
    lines += ['            row["late"] = as_array(row["late"])'] if stored.late is not None else []
    lines += ["            copy.write_row([row[name] for name in names])"]
    if way == "late":
        lines += [
            f'    score = """{_MAXSIM}"""',
            '    question = as_array(vector.tolist() for vector in late_question("how do I start?"))',
        ]
    else:
        lines += [
            '    score = "-(dense <#> %(query)s::vector)"',
            '    question = str(dense_question("how do I start?").tolist())',
        ]
    lines += [
        '    search = f"SELECT id, {score} AS score FROM chunks ORDER BY score DESC LIMIT 5"',
        '    found = connection.execute(search, {"query": question}).fetchall()',
        "    print([row[0] for row in found])",
    ]
    return "\n".join(lines)


def _vespa(stored: StoredVectors) -> str:
    fields, ranking, inputs = [], [], []
    if stored.dense is not None:
        kind = f"tensor<float>(x[{stored.dense.dims}])"
        fields.append(f"    field dense type {kind} {{ indexing: attribute }}")
        inputs.append(f"query(dense) {kind}")
        ranking.append("sum(query(dense) * attribute(dense))")
    if stored.late is not None:
        fields.append(f"    field late type tensor<float>(token{{}}, x[{stored.late.dims}]) {{ indexing: attribute }}")
        inputs.append(f"query(late) tensor<float>(asked{{}}, x[{stored.late.dims}])")
        ranking.append("sum(reduce(sum(query(late) * attribute(late), x), max, token), asked)")
    shown = "\n".join(fields)
    given = "\n".join(f"      {item}" for item in inputs)
    return f"""```text
schema chunks {{
  document chunks {{
    field id type string {{ indexing: attribute | summary }}
    field text type string {{ indexing: index | summary }}
{shown}
  }}
  rank-profile vectors {{
    inputs {{
{given}
    }}
    first-phase {{ expression: {ranking[-1]} }}
  }}
}}
```

Feed each row as `{{"put": "id:docs:chunks::ID", "fields": {{...}}}}`; a tensor with `token{{}}` is fed as
`{{"blocks": {{"0": [...], "1": [...]}}}}`. This example was not run by Finetrieve's tests."""

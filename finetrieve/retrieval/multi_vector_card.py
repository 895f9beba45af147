"""The card of a multi-vector model: how it is used, and the field that search engines want for it."""

from __future__ import annotations

_PRECISIONS = {
    "fp32": "as they are, 4 bytes a number",
    "int8": "as int8: each number times 127, rounded",
    "binary": "as bits: 1 where a number is above 0; the query's vectors stay whole",
}


def late_card(dim: int, dims: int, precision: str, pooling: int, has_idf: bool) -> str:
    """Returns the README of a multi-vector model.

    Args:
        dim: Numbers per token vector.
        dims: How many of them are meant to be stored.
        precision: `fp32`, `int8` or `binary`.
        pooling: Neighbouring tokens that are stored as their mean; 1 stores every token.
        has_idf: Whether `token_idf.json` lies beside it.
    """
    parts = ["---", "library_name: sentence-transformers", "tags: [finetrieve, retrieval, multi-vector, late-interaction]", "---"]
    parts += [
        "",
        "# The same model with a vector per token: late interaction",
        "",
        _USE,
        "",
        *_storing(dim, dims, precision, pooling),
    ]
    if has_idf:
        parts += ["", _IDF]
    parts += ["", "## The field that a search engine wants", "", *_fields(dims, precision)]
    return "\n".join([*parts, ""])


_USE = """```python
from sentence_transformers import MultiVectorEncoder
model = MultiVectorEncoder("path/to/model/late")
scores = model.similarity(model.encode_query(["how do I ..."]), model.encode_document(["Title > Section\\ntext"]))
```

Load this folder, `late`, and not the one above it: `MultiVectorEncoder` would add to the dense model a projection that nobody
trained. The weights are one file under two names; a copy to another disk may take their room twice.

A score is the mean over the query's tokens of the best cosine with a token of the chunk (MaxSim). [CLS] and [SEP] have no
vector. Three ways to serve it: over all chunks, in an engine with such a field; as a reranker of the first 20 of BM25 and the
dense model, which needs no index; or beside the dense model in one sum."""

_IDF = """`token_idf.json` makes rare words count more and may be left out. A query token weighs `weights[id]`, or `unseen` where
its id is not listed; the score is then the weighted mean instead of the plain one. In an engine, scale each query vector by its
weight."""


def _storing(dim: int, dims: int, precision: str, pooling: int) -> list[str]:
    if (dims, precision, pooling) == (dim, "fp32", 1):
        return [f"A token's vector has {dim} numbers, stored as they are."]
    steps = [f"Keep the first {dims} of {dim} numbers and bring the vector back to length 1."] if dims < dim else []
    if pooling > 1:
        steps.insert(0, f"Store the mean of each {pooling} neighbouring tokens of a chunk, at length 1; queries keep all tokens.")
    steps.append(f"Store the numbers {_PRECISIONS[precision]}.")
    return ["How the token vectors are meant to be stored (`settings.json`):", "", *(f"- {step}" for step in steps)]


def _fields(dims: int, precision: str) -> list[str]:
    cell, width = {"fp32": ("float", dims), "int8": ("int8", dims), "binary": ("int8", -(-dims // 8))}[precision]
    quantized = {
        "fp32": "",
        "int8": ", quantization_config=ScalarQuantization(scalar=ScalarQuantizationConfig(type=ScalarType.INT8))",
        "binary": ", quantization_config=BinaryQuantization(binary=BinaryQuantizationConfig())",
    }[precision]
    maximum = "multivector_config=MultiVectorConfig(comparator=MultiVectorComparator.MAX_SIM)"
    return [
        "| engine | field |",
        "|---|---|",
        f"| Qdrant | `VectorParams(size={dims}, distance=Distance.COSINE, {maximum}{quantized})` |",
        f"| Vespa | `field late type tensor<{cell}>(t{{}},x[{width}])`, ranked by the sum over query tokens of the best of `t` |",
        f'| LanceDB | `pa.field("late", pa.list_(pa.list_(pa.float32(), {dims})))`, searched with the metric `cosine` |',
        '| Weaviate | `Configure.MultiVectors.self_provided(name="late")`, client 4.16 or newer |',
    ]

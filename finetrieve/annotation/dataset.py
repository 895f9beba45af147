"""The dataset that people see in Argilla: its fields, questions, metadata, vectors and guidelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finetrieve.annotation.client import RefusedError, Server, find_dataset
from finetrieve.core.errors import InputError

Json = dict[str, Any]

PLACE, CHUNK = "place", "chunk"
QUERY, VERDICT, NEGATIVE, OWN_QUERIES = "query", "verdict", "negative", "own_queries"
GOOD, FIXABLE, BAD = "good", "fixable", "bad"
CHUNK_VECTOR, QUERY_VECTOR = "chunk-vector", "query-vector"
PRIORITY = "usefulness"
"""Metadata that holds the review priority, under the name that the datasets which exist have for it."""
JUDGE_SCORE = "judge_score"
CHUNK_SEPARATOR = "\n\n---\n\n"
"""Between the texts of a query that needs several chunks; inside one of them such a line is written otherwise."""
FURTHER_CHUNKS, FURTHER_DOCUMENTS = "further_chunk_ids", "further_doc_ids"
"""Metadata without a property, of queries that need several chunks: the others' ids, joined by spaces, and a list as JSON."""
FINGERPRINT = "fingerprint"
"""Metadata of ours without a property: what was pushed, in short. A record without it is not ours."""

GUIDELINES = """\
## What this is for

A search engine learns from these pairs: a **query** that somebody might type, and the **text** that answers it. A program wrote
the queries. You know better how people ask: correct them, and search gets better for everyone.

## One record, half a minute

1. Read the **text** on the left; above it stands where it comes from.
2. Read the **query**. Would a person type this, in these words? Does the text answer it?
3. Give your **verdict**:
   - **Good** (key 1): a person would ask this, and the text answers it.
   - **Fixable** (key 2): nearly. Correct the query in its box, so that it is good.
   - **Bad** (key 3): nobody would ask this, or the text does not answer it. It is left out.
4. **Submit** (Enter). The next record comes by itself.

Not sure, or not your subject? **Discard** (Backspace): the query is then left out as well. To skip a record and leave it to
others, press the right arrow. **Save as draft** keeps your work to yourself until you submit it.

## What a good query looks like

- In people's own words: *my session ends too early* rather than *session timeout configuration parameter*.
- Short is fine: key words, half a sentence, a question, a spelling mistake. As people type.
- Its answer is in **this** text, not only in the document around it.

## The other boxes

- **Your own queries**: what *you* would have typed to find this text, one per line. These are worth most of all.
- **Negative**: a query about something close by that this text does **not** answer. Most records have none: leave it empty.

## The order

Sort by *Usefulness*, the highest first (the link that was sent to you does): those records need a person most, and the filter
*Why it is here* says why. *Find similar* shows the records whose text or query is close to this one: correct a whole family
at once.
"""


def _text(name: str, title: str, description: str, required: bool) -> Json:
    settings = {"type": "text", "use_markdown": False}
    return {"name": name, "title": title, "description": description, "required": required, "settings": settings}


def _field(name: str, title: str, markdown: bool) -> Json:
    return {"name": name, "title": title, "required": True, "settings": {"type": "text", "use_markdown": markdown}}


def _metadata(name: str, title: str, kind: str) -> Json:
    return {"name": name, "title": title, "settings": {"type": kind}, "visible_for_annotators": True}


FIELDS: list[Json] = [_field(PLACE, "Where it stands", False), _field(CHUNK, "Text", True)]

QUESTIONS: list[Json] = [
    {
        "name": VERDICT,
        "title": "Verdict",
        "description": "On the query as it was suggested.",
        "required": True,
        "settings": {
            "type": "label_selection",
            "options": [
                {"value": GOOD, "text": "Good"},
                {"value": FIXABLE, "text": "Fixable: corrected below"},
                {"value": BAD, "text": "Bad: leave it out"},
            ],
        },
    },
    _text(QUERY, "Query", "Would a person type this? Correct it here.", True),
    _text(OWN_QUERIES, "Your own queries", "What would you have typed to find this text? One query per line.", False),
    _text(NEGATIVE, "Negative", "A query close by that this text does not answer. May stay empty.", False),
]

"""The verdict first: the first question has the focus, and there its keys 1 to 3 answer at once."""

METADATA: list[Json] = [
    _metadata(PRIORITY, "Usefulness", "float"),
    _metadata("reason", "Why it is here", "terms"),
    _metadata("parent_section", "Section", "terms"),
    _metadata("style", "Style", "terms"),
    _metadata("recipe", "Recipe", "terms"),
    _metadata("generator", "Generator", "terms"),
    _metadata("split", "Split", "terms"),
    _metadata("token_count", "Tokens", "integer"),
    _metadata("round_trip_rank", "Round-trip rank", "integer"),
    _metadata("similarity-anchor-positive", "Similarity of text and query", "float"),
    _metadata("similarity-anchor-negative", "Similarity of text and negative", "float"),
    _metadata("similarity-positive-negative", "Similarity of query and negative", "float"),
]

NEWER_METADATA: list[Json] = [_metadata(JUDGE_SCORE, "Judge's score", "float")]
"""Datasets that were made before have no property for it: it is in their records, and cannot be filtered by."""


def vector_settings(dimensions: int) -> list[Json]:
    """Returns the two vectors of a record, each of its own text."""
    titles = {CHUNK_VECTOR: "Text", QUERY_VECTOR: "Query"}
    return [{"name": name, "title": title, "dimensions": dimensions} for name, title in titles.items()]


def ensure_dataset(server: Server, workspace: Json, name: str, dimensions: int, min_submitted: int) -> Json:
    """Returns the dataset of a name, made if it is not there, finished if its making was cut off.

    Args:
        server: The server.
        workspace: Where it belongs.
        name: The dataset's.
        dimensions: Of the vectors.
        min_submitted: People who must answer a record; changed in a dataset that has another number.

    Raises:
        InputError: There is one of that name whose schema is another. It is left as it is.
    """
    dataset = find_dataset(server, workspace, name) or _create(server, workspace, name, min_submitted)
    if dataset["status"] == "draft":
        _complete(server, dataset, dimensions)
        dataset = server.request("PUT", f"/datasets/{dataset['id']}/publish")
    check_dataset(server, dataset, dimensions)
    if (dataset.get("distribution") or {}).get("min_submitted") != min_submitted:
        dataset = _set_distribution(server, dataset, min_submitted)
    return dataset


def _create(server: Server, workspace: Json, name: str, min_submitted: int) -> Json:
    body = {
        "name": name,
        "guidelines": GUIDELINES,
        "allow_extra_metadata": True,
        "distribution": {"strategy": "overlap", "min_submitted": min_submitted},
        "workspace_id": workspace["id"],
    }
    try:
        made: Json = server.request("POST", "/datasets", body)
    except RefusedError as error:
        # Made by the request whose answer was lost, or by somebody else just now.
        found = find_dataset(server, workspace, name) if error.status == 409 else None
        if found is None:
            raise
        return found
    return made


def _complete(server: Server, dataset: Json, dimensions: int) -> None:
    """Adds what a dataset that is not yet published lacks."""
    wanted = {
        "fields": FIELDS,
        "questions": QUESTIONS,
        "metadata-properties": [*METADATA, *NEWER_METADATA],
        "vectors-settings": vector_settings(dimensions),
    }
    for kind, rows in wanted.items():
        there = {row["name"] for row in _settings_of(server, dataset, kind)}
        for row in rows:
            if row["name"] not in there:
                _add(server, f"/datasets/{dataset['id']}/{kind}", row)


def _add(server: Server, path: str, row: Json) -> None:
    try:
        server.request("POST", path, row)
    except RefusedError as error:
        if error.status != 409:
            raise


def _settings_of(server: Server, dataset: Json, kind: str) -> list[Json]:
    mine = "/me" if kind == "metadata-properties" else ""
    return server.items(f"{mine}/datasets/{dataset['id']}/{kind}")


def _set_distribution(server: Server, dataset: Json, min_submitted: int) -> Json:
    body = {"distribution": {"strategy": "overlap", "min_submitted": min_submitted}}
    try:
        changed: Json = server.request("PATCH", f"/datasets/{dataset['id']}", body)
    except RefusedError:
        # Argilla forbids it once there are answers: those count for more than a setting.
        return dataset
    return changed


# What is there already.


def check_dataset(server: Server, dataset: Json, dimensions: int | None) -> None:
    """Checks that a dataset can take our records and give us answers; further fields and questions of people's own may stay.

    Args:
        server: The server.
        dataset: As the server describes it.
        dimensions: Of our vectors; None leaves them out of the comparison.

    Raises:
        InputError: With everything that differs.
    """
    differences = [
        *_differences("field", FIELDS, _settings_of(server, dataset, "fields")),
        *_differences("question", QUESTIONS, _settings_of(server, dataset, "questions")),
        *_differences("metadata", METADATA, _settings_of(server, dataset, "metadata-properties")),
    ]
    if dimensions is not None:
        differences += _vector_differences(vector_settings(dimensions), _settings_of(server, dataset, "vectors-settings"))
    if not dataset.get("allow_extra_metadata", True):
        differences.append("it allows no extra metadata")
    if differences:
        raise InputError(
            f"The Argilla dataset '{dataset['name']}' has another schema than ours: {'; '.join(differences)}. It is left as it "
            "is. Give annotation.dataset another name, or rename or delete that dataset in Argilla."
        )


def _differences(kind: str, wanted: Sequence[Json], found: Sequence[Json]) -> list[str]:
    by_name = {row["name"]: row for row in found}
    names = {row["name"] for row in wanted}
    lacking = [f"{kind} '{row['name']}' is missing" for row in wanted if row["name"] not in by_name]
    differing = [
        f"{kind} '{row['name']}' is {_kind(by_name[row['name']])}, expected {_kind(row)}"
        for row in wanted
        if row["name"] in by_name and _kind(by_name[row["name"]]) != _kind(row)
    ]
    demanded = [
        f"{kind} '{name}' is required and not ours" for name, row in by_name.items() if row.get("required") and name not in names
    ]
    return [*lacking, *differing, *demanded]


def _kind(row: Mapping[str, Any]) -> str:
    settings = row["settings"]
    if settings["type"] == "label_selection":
        return f"a choice of {', '.join(option['value'] for option in settings['options'])}"
    return str(settings["type"])


def _vector_differences(wanted: Sequence[Json], found: Sequence[Json]) -> list[str]:
    sizes = {row["name"]: row["dimensions"] for row in found}
    lacking = [f"vector '{row['name']}' is missing" for row in wanted if row["name"] not in sizes]
    differing = [
        f"vector '{row['name']}' has {sizes[row['name']]} numbers, the base model makes {row['dimensions']}"
        for row in wanted
        if sizes.get(row["name"], row["dimensions"]) != row["dimensions"]
    ]
    return [*lacking, *differing]


def question_ids(server: Server, dataset: Json) -> dict[str, str]:
    """Returns question name -> id."""
    return {row["name"]: row["id"] for row in _settings_of(server, dataset, "questions")}


def dataset_url(server: Server, dataset: Json) -> str:
    """Returns the page where people review a dataset, what needs them most first: by itself Argilla shuffles for each of them."""
    return f"{server.url}/dataset/{dataset['id']}/annotation-mode?page=1&status=pending&sort=metadata.{PRIORITY}.desc"

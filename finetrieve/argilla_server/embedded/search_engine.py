"""A search engine that answers from Argilla's own database: there is no second index that could drift.

Imports only argilla_server and what it brings. A search that needs an order of its own gives everyone the records of highest
priority first where the dataset says so (the metadata property `usefulness`), and shuffles equals differently for each person, so
that people who annotate at the same time do not do the same record.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID

import numpy as np
from argilla_server.database import AsyncSessionLocal
from argilla_server.enums import MetadataPropertyType, SimilarityOrder
from argilla_server.errors.future import UnprocessableEntityError
from argilla_server.models import (
    Dataset,
    Field,
    MetadataProperty,
    Record,
    Response,
    Suggestion,
    User,
    Vector,
    VectorSettings,
)
from argilla_server.search_engine.base import (
    Filter,
    FloatMetadataMetrics,
    IntegerMetadataMetrics,
    MetadataMetrics,
    Order,
    SearchEngine,
    SearchResponseItem,
    SearchResponses,
    TermsMetrics,
    TextQuery,
)
from pydantic_core import from_json
from sqlalchemy import Float, String, cast, func, literal, literal_column, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession

from .conditions import RECORDS, condition, elements, member, ordering
from .vectors import Matrix

NAME = "database"
PRIORITY_PROPERTY = "usefulness"
_PRIME = 2_147_483_647
_LOAD_ROWS = 1000

Session = Callable[[], AbstractAsyncContextManager[AsyncSession]]


@SearchEngine.register(engine_name=NAME)
class DatabaseSearchEngine(SearchEngine):
    """Argilla's search over its own tables.

    Attributes:
        matrices: The unit vectors by vector setting, shared by all instances: Argilla makes one engine per request.
    """

    matrices: dict[UUID, Matrix] = {}  # noqa: RUF012  # shared on purpose
    _catching_up: dict[UUID, asyncio.Lock] = {}  # noqa: RUF012

    def __init__(self, session: Session = AsyncSessionLocal) -> None:
        self._session = session
        self._expected: list[tuple[UUID, UUID, list[float]]] = []

    @classmethod
    async def new_instance(cls) -> DatabaseSearchEngine:
        """Returns an engine."""
        return cls()

    async def close(self) -> None:
        """Does nothing: a session lives no longer than a call."""

    async def ping(self) -> bool:
        """Returns whether the database answers."""
        async with self._session() as db:
            return (await db.execute(select(literal(1)))).scalar_one() == 1

    async def info(self) -> dict[str, Any]:
        """Returns what the status page shows."""
        async with self._session() as db:
            version = (await db.execute(select(func.sqlite_version()))).scalar_one()
        return {"name": NAME, "version": {"number": version}}

    # What Elasticsearch has to be told, a database knows; only the matrices are kept up to date.

    async def create_index(self, dataset: Dataset) -> None:
        """Does nothing."""

    async def delete_index(self, dataset: Dataset) -> None:
        """Forgets the vectors whose setting is gone."""
        async with self._session() as db:
            left = set((await db.execute(select(VectorSettings.id))).scalars())
        for settings_id in self.matrices.keys() - left:
            self.matrices.pop(settings_id, None)

    async def configure_metadata_property(self, dataset: Dataset, metadata_property: MetadataProperty) -> None:
        """Does nothing."""

    def expect(self, vectors: Iterable[tuple[UUID, UUID, list[float]]]) -> None:
        """Takes note of vectors that are being written: vector setting, record, value; `index_records` follows the commit."""
        self._expected.extend(vectors)

    async def index_records(self, dataset: Dataset, records: Iterable[Record]) -> None:
        """Takes the vectors of new or changed records into the matrices."""
        fresh: dict[UUID, list[tuple[UUID, list[float]]]] = {}
        for settings_id, record_id, value in self._expected:
            fresh.setdefault(settings_id, []).append((record_id, value))
        self._expected.clear()
        for record in records:
            for vector in record.vectors if record.is_relationship_loaded("vectors") else []:
                fresh.setdefault(vector.vector_settings_id, []).append((record.id, vector.value))
        for settings_id, items in fresh.items():
            matrix = self.matrices.setdefault(settings_id, Matrix(len(items[0][1])))
            await asyncio.to_thread(matrix.put, items)

    async def partial_record_update(self, record: Record, **update: Any) -> None:
        """Does nothing."""

    async def delete_records(self, dataset: Dataset, records: Iterable[Record]) -> None:
        """Forgets the vectors of records."""
        gone = [record.id for record in records]
        for matrix in list(self.matrices.values()):
            matrix.remove(gone)

    async def update_record_response(self, response: Response) -> None:
        """Does nothing."""

    async def delete_record_response(self, response: Response) -> None:
        """Does nothing."""

    async def update_record_suggestion(self, suggestion: Suggestion) -> None:
        """Does nothing."""

    async def delete_record_suggestion(self, suggestion: Suggestion) -> None:
        """Does nothing."""

    async def get_dataset_progress(self, dataset: Dataset) -> dict[str, int]:
        """Returns how many records there are, and how many in each status."""
        if dataset.is_draft:
            return {}
        return await self._counts(
            select(Record.status, func.count()).where(Record.dataset_id == dataset.id).group_by(Record.status)
        )

    async def get_dataset_user_progress(self, dataset: Dataset, user: User) -> dict[str, int]:
        """Returns how many responses a person has, and how many in each status."""
        if dataset.is_draft:
            return {}
        responses = select(Response.status, func.count()).join(Record, Record.id == Response.record_id)
        mine = responses.where(Record.dataset_id == dataset.id, Response.user_id == user.id)
        return await self._counts(mine.group_by(Response.status))

    async def search(
        self,
        dataset: Dataset,
        query: TextQuery | str | None = None,
        filter: Filter | None = None,  # the interface's name
        sort: list[Order] | None = None,
        offset: int = 0,
        limit: int = 100,
        user_id: UUID | str | None = None,
    ) -> SearchResponses:
        """Returns a page of the records that match, with a score, and how many match in all."""
        async with self._session() as db:
            wanted, score = await self._matching(db, dataset, query, filter)
            order = [ordering(part, dataset) for part in sort or []]
            if not sort and query is not None:
                order.append(score.desc())
            if not sort and user_id is not None:
                order += await self._queue_order(db, dataset)
            order.append(_shuffled(user_id) if user_id is not None else literal_column("records.rowid"))
            page = wanted.add_columns(score.label("score"), func.count().over().label("total")).order_by(*order)
            rows = (await db.execute(page.offset(offset).limit(limit))).all()
            total = rows[0].total if rows else 0
            if not rows and (offset or not limit):
                total = (await db.execute(select(func.count()).select_from(wanted.subquery()))).scalar_one()
        return SearchResponses(items=[SearchResponseItem(record_id=row.id, score=row.score) for row in rows], total=total)

    async def similarity_search(
        self,
        dataset: Dataset,
        vector_settings: VectorSettings,
        value: list[float] | None = None,
        record: Record | None = None,
        query: TextQuery | str | None = None,
        filter: Filter | None = None,  # the interface's name
        max_results: int = 100,
        order: SimilarityOrder = SimilarityOrder.most_similar,
        threshold: float | None = None,
    ) -> SearchResponses:
        """Returns the records whose vectors are nearest to a vector or to a record's, or farthest from it.

        Raises:
            ValueError: Neither a vector nor a record is given, or both.
            UnprocessableEntityError: The vector has another length than those that are stored.
        """
        if bool(value) == bool(record):
            raise ValueError("Must provide either vector value or record to compute the similarity search")
        target = value or (record.vector_value_by_vector_settings(vector_settings) if record else None)
        if not target:
            raise ValueError("Cannot find a vector value to apply with provided info")
        if len(target) != vector_settings.dimensions:
            raise UnprocessableEntityError(f"Expected a vector of {vector_settings.dimensions} numbers, found {len(target)}.")
        if order == SimilarityOrder.least_similar:
            target = [-part for part in target]
        async with self._session() as db:
            matrix = await self.matrix(db, vector_settings)
            among = None
            if query is not None or filter is not None:
                wanted, _ = await self._matching(db, dataset, query, filter)
                among = set((await db.execute(wanted)).scalars())
        found = matrix.nearest(target, max_results, among, without=record.id if record else None)
        # Elasticsearch's score of a cosine.
        scored = [SearchResponseItem(record_id=record_id, score=(1 + cosine) / 2) for record_id, cosine in found]
        items = [item for item in scored if threshold is None or (item.score or 0) >= threshold]
        return SearchResponses(items=items, total=len(scored))

    async def compute_metrics_for(self, metadata_property: MetadataProperty) -> MetadataMetrics:
        """Returns the values of a metadata property with their counts, or its lowest and highest."""
        values = elements(RECORDS.c.metadata, member(metadata_property.name))
        there = [RECORDS.c.dataset_id == metadata_property.dataset_id, values.c.value.is_not(None)]
        async with self._session() as db:
            if metadata_property.type == MetadataPropertyType.terms:
                term = cast(values.c.value, String)
                counts = select(term, func.count()).select_from(RECORDS).join(values, literal(True)).where(*there)
                rows = (await db.execute(counts.group_by(term).order_by(func.count().desc(), term))).all()
                found = [TermsMetrics.TermCount(term=term, count=count) for term, count in rows]
                return TermsMetrics(total=sum(row.count for row in found), values=found)
            number = cast(values.c.value, Float)
            bounds = select(func.min(number), func.max(number)).select_from(RECORDS).join(values, literal(True)).where(*there)
            least, most = (await db.execute(bounds)).one()
        if metadata_property.type == MetadataPropertyType.integer:
            return IntegerMetadataMetrics(min=None if least is None else int(least), max=None if most is None else int(most))
        # Argilla's float properties are single precision.
        return FloatMetadataMetrics(
            min=None if least is None else float(np.float32(least)), max=None if most is None else float(np.float32(most))
        )

    async def matrix(self, db: AsyncSession, settings: VectorSettings) -> Matrix:
        """Returns the unit vectors of a vector setting, brought in line with the database where their number differs."""
        matrix = self.matrices.setdefault(settings.id, Matrix(settings.dimensions))
        if await _count(db, settings.id) != len(matrix):
            async with self._catching_up.setdefault(settings.id, asyncio.Lock()):
                await _catch_up(db, settings.id, matrix)
        return matrix

    async def warm(self) -> None:
        """Reads the vectors of all datasets, those that people worked on last first, so that nobody waits for it later."""
        latest = select(VectorSettings).join(Dataset).order_by(Dataset.last_activity_at.desc())
        async with self._session() as db:
            for settings in (await db.execute(latest)).scalars().all():
                await self.matrix(db, settings)

    async def _counts(self, query: Any) -> dict[str, int]:
        async with self._session() as db:
            counts = {str(status.value): int(count) for status, count in (await db.execute(query)).all()}
        return {"total": sum(counts.values()), **counts}

    async def _matching(
        self, db: AsyncSession, dataset: Dataset, query: TextQuery | str | None, wanted: Filter | None
    ) -> tuple[Any, Any]:
        """Returns the select of the matching record ids, and the score of each as SQL."""
        matching = select(RECORDS.c.id).where(RECORDS.c.dataset_id == dataset.id)
        if wanted is not None:
            matching = matching.where(condition(wanted, dataset))
        if query is None:
            return matching, literal(1.0)
        asked = TextQuery(q=query) if isinstance(query, str) else query
        names = await self._searched_fields(db, dataset, asked.field)
        score = func.text_score(type_coerce(RECORDS.c.fields, String), asked.q, json.dumps(names))
        return matching.where(score > 0), score

    async def _searched_fields(self, db: AsyncSession, dataset: Dataset, name: str | None) -> list[str]:
        """Returns the names of the fields that a text query looks at: the one that is named, or all but images.

        Raises:
            ValueError: There is no such field.
        """
        fields = (await db.execute(select(Field).where(Field.dataset_id == dataset.id))).scalars().all()
        names = [field.name for field in fields if not field.is_image]
        if name is None or name in names:
            return [name] if name else names
        raise ValueError(f"Field {name} not found in dataset {dataset.id}")

    async def _queue_order(self, db: AsyncSession, dataset: Dataset) -> list[Any]:
        """Returns the order by review priority, in tenths, for datasets that have it."""
        found = select(MetadataProperty.id).where(
            MetadataProperty.dataset_id == dataset.id, MetadataProperty.name == PRIORITY_PROPERTY
        )
        if (await db.execute(found)).first() is None:
            return []
        return [func.round(func.json_extract(RECORDS.c.metadata, member(PRIORITY_PROPERTY)), 1).desc().nulls_last()]


async def _count(db: AsyncSession, settings_id: UUID) -> int:
    stored = select(func.count()).select_from(Vector).where(Vector.vector_settings_id == settings_id)
    return int((await db.execute(stored)).scalar_one())


async def _catch_up(db: AsyncSession, settings_id: UUID, matrix: Matrix) -> None:
    """Reads the vectors that a matrix has not, and forgets those that the database has not."""
    stored = set((await db.execute(select(Vector.record_id).where(Vector.vector_settings_id == settings_id))).scalars())
    known = matrix.ids()
    matrix.remove(known - stored)
    missing = list(stored - known)
    for start in range(0, len(missing), _LOAD_ROWS):
        # As text, a thousand at a time: all at once they would take more memory than the matrix.
        rows = select(Vector.record_id, type_coerce(Vector.__table__.c.value, String)).where(
            Vector.vector_settings_id == settings_id, Vector.record_id.in_(missing[start : start + _LOAD_ROWS])
        )
        await asyncio.to_thread(_take, matrix, (await db.execute(rows)).all())


def _take(matrix: Matrix, rows: Sequence[Any]) -> None:
    # What was written meanwhile is newer.
    matrix.put(((record_id, from_json(value)) for record_id, value in rows), replace=False)


def _shuffled(user_id: UUID | str) -> Any:
    """Returns an order of the records that looks random, differs from person to person and stays for each.

    Multiplication modulo a prime permutes the row numbers, and products stay within SQLite's 64 bits.
    """
    seed = UUID(str(user_id)).int
    step, start = _PRIME // 4 + seed % (_PRIME // 2), (seed >> 64) % _PRIME
    return literal_column(f"(records.rowid * {step} + {start}) % {_PRIME}")

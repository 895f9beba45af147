"""Argilla's filters and sort orders as SQL over its own tables. Imports only argilla_server and what it brings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from argilla_server.enums import ResponseStatusFilter, SortOrder
from argilla_server.models import Dataset, Question, Record, Response, Suggestion
from argilla_server.search_engine.base import (
    AndFilter,
    Filter,
    FilterScope,
    MetadataFilterScope,
    Order,
    RangeFilter,
    RecordFilterScope,
    ResponseFilterScope,
    SuggestionFilterScope,
    TermsFilter,
)
from sqlalchemy import Float, String, and_, cast, exists, false, func, literal, not_, or_, select, true
from sqlalchemy.sql.elements import ColumnElement

RECORDS = Record.__table__
RESPONSES = Response.__table__
SUGGESTIONS = Suggestion.__table__
QUESTIONS = Question.__table__

Condition = ColumnElement[bool]


def condition(wanted: Filter, dataset: Dataset) -> Condition:
    """Returns the SQL of a filter over the records of a dataset.

    Raises:
        ValueError: There is no such filter.
    """
    if isinstance(wanted, AndFilter):
        return and_(true(), *(condition(part, dataset) for part in wanted.filters))
    scope = wanted.scope
    if isinstance(scope, RecordFilterScope):
        return _on_record(wanted, scope)
    if isinstance(scope, MetadataFilterScope):
        values = elements(RECORDS.c.metadata, member(scope.metadata_property))
        return exists(select(1).select_from(values).where(_compared(values.c.value, wanted)))
    if isinstance(scope, SuggestionFilterScope):
        return _on_suggestion(wanted, scope, dataset)
    if isinstance(scope, ResponseFilterScope):
        return _on_response(wanted, scope)
    raise ValueError(f"Cannot process request for search scope {scope}")


def ordering(order: Order, dataset: Dataset) -> ColumnElement[Any]:
    """Returns the SQL of one sort order; records without a value come last."""
    value = _sorted_value(order.scope, dataset, lowest=order.order == SortOrder.asc)
    return (value.asc() if order.order == SortOrder.asc else value.desc()).nulls_last()


def _on_record(wanted: TermsFilter | RangeFilter, scope: RecordFilterScope) -> Condition:
    column = RECORDS.c[str(scope.property)]
    if scope.property in ("inserted_at", "updated_at"):
        return _on_moment(column, wanted)
    if isinstance(wanted, RangeFilter):
        return _between(cast(column, String), wanted.ge, wanted.le)
    values = [_record_id(value) for value in wanted.values] if scope.property == "id" else wanted.values
    return cast(column, String).in_(values)


def _record_id(value: str) -> str:
    try:
        return UUID(value).hex
    except ValueError:
        return value


def _on_moment(column: ColumnElement[Any], wanted: TermsFilter | RangeFilter) -> Condition:
    if isinstance(wanted, TermsFilter):
        return or_(false(), *(column == moment for value in wanted.values if (moment := _moment(value)) is not None))
    bounds = [(bound, _moment(bound)) for bound in (wanted.ge, wanted.le)]
    if any(given is not None and moment is None for given, moment in bounds):
        return false()
    return _between(column, bounds[0][1], bounds[1][1])


def _moment(value: Any) -> datetime | None:
    """Returns a point in time, given in ISO 8601 or in milliseconds since 1970, in UTC as the database has it."""
    try:
        read = datetime.fromtimestamp(float(value) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        try:
            read = datetime.fromisoformat(str(value))
        except ValueError:
            return None
    return read.astimezone(UTC).replace(tzinfo=None) if read.tzinfo else read


def _on_suggestion(wanted: TermsFilter | RangeFilter, scope: SuggestionFilterScope, dataset: Dataset) -> Condition:
    rows, column = _suggested(scope, dataset)
    return exists(rows.where(_compared(column, wanted, numeric=scope.property == "score")))


def _on_response(wanted: TermsFilter | RangeFilter, scope: ResponseFilterScope) -> Condition:
    if scope.question:
        rows, column = _answered(scope)
        return exists(rows.where(_compared(column, wanted)))
    if scope.property == "status" and isinstance(wanted, TermsFilter):
        return _on_status(list(wanted.values), scope)
    raise ValueError(f"Cannot process filter scope {scope}")


def _on_status(statuses: list[str], scope: ResponseFilterScope) -> Condition:
    """Returns whether a person, or anyone, has left a response in one of the states; "pending" is to have left none."""
    stored = [str(status) for status in statuses if status != ResponseStatusFilter.pending]
    choices = []
    if len(stored) < len(statuses):
        choices.append(not_(exists(_response_of(scope))))
    if stored:
        choices.append(exists(_response_of(scope).where(cast(RESPONSES.c.status, String).in_(stored))))
    if statuses:
        return or_(*choices)
    return exists(_response_of(scope)) if scope.user else true()


def _response_of(scope: ResponseFilterScope) -> Any:
    """Returns a select over the responses that a record has, of one person where one is named."""
    wanted = select(1).select_from(RESPONSES).correlate(RECORDS).where(RESPONSES.c.record_id == RECORDS.c.id)
    return wanted.where(RESPONSES.c.user_id == scope.user.id) if scope.user else wanted


def _compared(value: ColumnElement[Any], wanted: TermsFilter | RangeFilter, numeric: bool = False) -> Condition:
    if isinstance(wanted, RangeFilter):
        bounds = [_number(bound) for bound in (wanted.ge, wanted.le) if bound is not None]
        if None in bounds:
            return false()
        return _between(cast(value, Float), _number(wanted.ge), _number(wanted.le))
    if numeric:
        return cast(value, Float).in_([number for term in wanted.values if (number := _number(term)) is not None])
    return cast(value, String).in_([str(term) for term in wanted.values])


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _between(value: ColumnElement[Any], least: Any, most: Any) -> Condition:
    bounds = [value.is_not(None)]
    if least is not None:
        bounds.append(value >= least)
    if most is not None:
        bounds.append(value <= most)
    return and_(*bounds)


def member(name: str) -> str:
    """Returns the SQLite path of a member of a JSON object."""
    return '$."' + name.replace('"', '\\"') + '"'


def elements(column: ColumnElement[Any], path: str = "$") -> Any:
    """Returns the values under a path of a JSON column as a table: one row for a scalar, one per element of a list."""
    return func.json_each(column, literal(path)).table_valued("value", name=None)


def _sorted_value(scope: FilterScope, dataset: Dataset, lowest: bool) -> ColumnElement[Any]:
    """Returns what a record is sorted by: of several values the lowest for an ascending order, else the highest.

    Raises:
        ValueError: There is no such scope.
    """
    pick = func.min if lowest else func.max
    if isinstance(scope, RecordFilterScope):
        column: ColumnElement[Any] = RECORDS.c[str(scope.property)]
        return column
    if isinstance(scope, MetadataFilterScope):
        values = elements(RECORDS.c.metadata, member(scope.metadata_property))
        rows, column = select(values.c.value).correlate(RECORDS), values.c.value
    elif isinstance(scope, SuggestionFilterScope):
        rows, column = _suggested(scope, dataset)
    elif isinstance(scope, ResponseFilterScope):
        rows, column = _answered(scope)
    else:
        raise ValueError(f"Cannot process request for search scope {scope}")
    picked: ColumnElement[Any] = rows.with_only_columns(pick(column)).scalar_subquery()
    return picked


def _suggested(scope: SuggestionFilterScope, dataset: Dataset) -> tuple[Any, ColumnElement[Any]]:
    """Returns a select over the suggestions of a record for a question, and the column that is asked for."""
    rows = (
        select(1)
        .select_from(SUGGESTIONS)
        .correlate(RECORDS)
        .where(SUGGESTIONS.c.record_id == RECORDS.c.id, SUGGESTIONS.c.question_id == _question_id(scope.question, dataset))
    )
    if scope.property in ("agent", "type"):
        return rows, SUGGESTIONS.c[scope.property]
    values = elements(SUGGESTIONS.c["score" if scope.property == "score" else "value"])
    return rows.join(values, true()), values.c.value


def _question_id(name: str, dataset: Dataset) -> Any:
    wanted = select(QUESTIONS.c.id).where(QUESTIONS.c.name == name, QUESTIONS.c.dataset_id == dataset.id)
    return wanted.correlate(None).scalar_subquery()


def _answered(scope: ResponseFilterScope) -> tuple[Any, ColumnElement[Any]]:
    """Returns a select over the responses of a record, and the column that is asked for: an answer, or the status."""
    if not scope.question:
        return _response_of(scope), RESPONSES.c.status
    values = elements(RESPONSES.c["values"], f"{member(scope.question)}.value")
    return _response_of(scope).join(values, true()), values.c.value

"""How artifacts are stored and shown: Arrow for tables, JSON for records, a directory for a model, HTML for the report.

No pickle anywhere. Each materializer gives a content hash, so an equal output leaves the steps that follow it cached.
"""

from __future__ import annotations

import hashlib
import html
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from zenml.enums import ArtifactType, VisualizationType
from zenml.materializers.base_materializer import BaseMaterializer
from zenml.metadata.metadata_types import MetadataType

from finetrieve.core.model_directory import ModelDirectory
from finetrieve.core.paths import scratch_folder
from finetrieve.core.record import Record
from finetrieve.reporting.artifact_pages import record_page, table_page
from finetrieve.reporting.graph_page import graph_page

_BATCH_ROWS = 65_536
_METADATA_LENGTH = 250


class TableMaterializer(BaseMaterializer):
    """Stores a `pyarrow.Table` as one uncompressed Arrow file, which a local store opens memory-mapped."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (pa.Table,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA
    SKIP_REGISTRATION: ClassVar[bool] = False

    def load(self, data_type: type[Any]) -> pa.Table:  # noqa: ARG002
        """Returns the stored table."""
        uri = f"{self.uri}/table.arrow"
        if Path(uri).is_file():
            return pa.ipc.open_file(pa.memory_map(uri)).read_all()
        with self.artifact_store.open(uri, "rb") as file:
            return pa.ipc.open_file(pa.BufferReader(file.read())).read_all()

    def save(self, data: pa.Table) -> None:
        """Writes the table in batches."""
        with (
            self.artifact_store.open(f"{self.uri}/table.arrow", "wb") as file,
            pa.ipc.new_file(file, data.schema) as writer,
        ):
            for batch in _batches(data):
                writer.write_batch(batch)

    def save_visualizations(self, data: pa.Table) -> dict[str, VisualizationType]:
        """Writes a page with the counts and a sample, every word escaped."""
        return _write_page(self, table_page(data))

    def extract_metadata(self, data: pa.Table) -> dict[str, MetadataType]:
        """Returns the number of rows and the columns."""
        return {"rows": data.num_rows, "columns": ", ".join(data.column_names)}

    def compute_content_hash(self, data: pa.Table) -> str:
        """Returns the sha256 of the table's batches; the same rows give the same hash however they were chunked."""
        digest = hashlib.sha256(data.schema.serialize())
        for batch in _batches(data):
            digest.update(batch.serialize())
        return digest.hexdigest()


class GraphMaterializer(TableMaterializer):
    """Stores links between chunks as a table, and shows them with a picture of the chunks that have most of them."""

    SKIP_REGISTRATION: ClassVar[bool] = True

    def save_visualizations(self, data: pa.Table) -> dict[str, VisualizationType]:
        """Writes a page with the counts, the picture and the strongest links, every word escaped."""
        return _write_page(self, graph_page(data))


def _batches(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """Yields batches, one in memory at a time, whose serialized bytes depend on the rows alone, however the table is chunked."""
    for start in range(0, table.num_rows, _BATCH_ROWS):
        window = table.slice(start, _BATCH_ROWS)
        # Taking every row copies them: a slice would carry bits and bytes of the rows beside it.
        yield from window.take(pa.array(range(window.num_rows), pa.int64())).combine_chunks().to_batches()


class JsonMaterializer(BaseMaterializer):
    """Stores a typed record as JSON and shows it as nested tables."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Record,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA_ANALYSIS
    SKIP_REGISTRATION: ClassVar[bool] = False

    def load(self, data_type: type[Any]) -> Record:
        """Returns the record of the wanted type."""
        with self.artifact_store.open(f"{self.uri}/record.json", "r") as file:
            record: Record = data_type.read(json.loads(file.read()))
        return record

    def save(self, data: Record) -> None:
        """Writes the values; one that JSON cannot hold is our mistake and raises."""
        with self.artifact_store.open(f"{self.uri}/record.json", "w") as file:
            file.write(json.dumps(data.as_json(), indent=1, ensure_ascii=True, allow_nan=False))

    def save_visualizations(self, data: Record) -> dict[str, VisualizationType]:
        """Writes a page of nested tables, every word escaped."""
        return _write_page(self, record_page(data.as_json()))

    def extract_metadata(self, data: Record) -> dict[str, MetadataType]:
        """Returns the top-level plain values, which ZenML can filter by."""
        return _plain_values(data.as_json())

    def compute_content_hash(self, data: Record) -> str:
        """Returns the sha256 of the canonical JSON, without how long it took: doing the same again changes nothing."""
        lasting = {key: value for key, value in data.as_json().items() if key != "seconds"}
        return hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()


def _plain_values(record: dict[str, Any]) -> dict[str, MetadataType]:
    """Returns the numbers and short texts of a record."""
    return {
        key: value
        for key, value in record.items()
        if isinstance(value, bool | int | float | str) and len(str(value)) < _METADATA_LENGTH
    }


class HtmlMaterializer(BaseMaterializer):
    """Stores a self-contained HTML page, which is its own visualization."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (str,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA_ANALYSIS
    SKIP_REGISTRATION: ClassVar[bool] = True

    def load(self, data_type: type[Any]) -> str:  # noqa: ARG002
        """Returns the page."""
        with self.artifact_store.open(f"{self.uri}/report.html", "rb") as file:
            return bytes(file.read()).decode("utf-8")

    def save(self, data: str) -> None:
        """Writes the page."""
        with self.artifact_store.open(f"{self.uri}/report.html", "wb") as file:
            file.write(data.encode("utf-8"))

    def save_visualizations(self, data: str) -> dict[str, VisualizationType]:  # noqa: ARG002
        """Returns the page itself."""
        return {f"{self.uri}/report.html": VisualizationType.HTML}

    def compute_content_hash(self, data: str) -> str:
        """Returns the sha256 of the page."""
        return hashlib.sha256(data.encode()).hexdigest()


class ModelMaterializer(BaseMaterializer):
    """Stores a model directory file by file; a local store hands its own directory back, without a copy."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (ModelDirectory,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.MODEL
    SKIP_REGISTRATION: ClassVar[bool] = False

    def load(self, data_type: type[Any]) -> ModelDirectory:  # noqa: ARG002
        """Returns the directory: the store's own when it is local, else a copy that lasts as long as the process."""
        place = Path(self.uri, "model")
        if place.is_dir():
            return ModelDirectory(place)
        target = scratch_folder()
        self._fetch(f"{self.uri}/model", target)
        return ModelDirectory(target)

    def _fetch(self, uri: str, target: Path) -> None:
        target.mkdir(exist_ok=True)
        for entry in self.artifact_store.listdir(uri):
            name = str(entry)
            if self.artifact_store.isdir(f"{uri}/{name}"):
                self._fetch(f"{uri}/{name}", target / name)
                continue
            with self.artifact_store.open(f"{uri}/{name}", "rb") as file, (target / name).open("wb") as copy:
                shutil.copyfileobj(file, copy)

    def save(self, data: ModelDirectory) -> None:
        """Copies every file of the directory into the store."""
        for path in _files(data.path):
            uri = f"{self.uri}/model/{path.relative_to(data.path).as_posix()}"
            self.artifact_store.makedirs(uri.rsplit("/", 1)[0])
            with path.open("rb") as file, self.artifact_store.open(uri, "wb") as copy:
                shutil.copyfileobj(file, copy)

    def save_visualizations(self, data: ModelDirectory) -> dict[str, VisualizationType]:
        """Shows the model card."""
        card = data.path / "README.md"
        if not card.is_file():
            return {}
        uri = f"{self.uri}/model-card.md"
        with self.artifact_store.open(uri, "wb") as file:
            file.write(html.escape(card.read_text(encoding="utf-8"), quote=False).encode())
        return {uri: VisualizationType.MARKDOWN}

    def extract_metadata(self, data: ModelDirectory) -> dict[str, MetadataType]:
        """Returns the model's size in bytes and, of one that was trained here, the plain values of its training record."""
        facts: dict[str, MetadataType] = {"bytes": sum(path.stat().st_size for path in _files(data.path))}
        record = data.path / "training_record.json"
        return facts | (_plain_values(json.loads(record.read_text(encoding="utf-8"))) if record.is_file() else {})

    def compute_content_hash(self, data: ModelDirectory) -> str:
        """Returns the sha256 over the files' names and contents."""
        digest = hashlib.sha256()
        for path in _files(data.path):
            digest.update(path.relative_to(data.path).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def _files(directory: Path) -> list[Path]:
    """Returns a model's files without its multi-vector form: it has the same weights and is written anew where it is wanted."""
    derived = directory / "late" if (directory / "late" / "modules.json").is_file() else None
    return sorted(path for path in directory.rglob("*") if path.is_file() and derived not in path.parents)


def _write_page(materializer: BaseMaterializer, page: str) -> dict[str, VisualizationType]:
    uri = f"{materializer.uri}/preview.html"
    with materializer.artifact_store.open(uri, "wb") as file:
        file.write(page.encode("utf-8", "replace"))
    return {uri: VisualizationType.HTML}

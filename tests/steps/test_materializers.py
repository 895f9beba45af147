from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from zenml.artifact_stores import LocalArtifactStore, LocalArtifactStoreConfig
from zenml.enums import StackComponentType
from zenml.utils.time_utils import utc_now

from finetrieve.core.record import Record
from steps.materializers import HtmlMaterializer, JsonMaterializer, ModelDirectory, ModelMaterializer, TableMaterializer

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def store(tmp_path: Path) -> LocalArtifactStore:
    from uuid import uuid4

    path = tmp_path / "store"
    path.mkdir()
    return LocalArtifactStore(
        name="store",
        id=uuid4(),
        config=LocalArtifactStoreConfig(path=str(path)),
        flavor="local",
        type=StackComponentType.ARTIFACT_STORE,
        user=uuid4(),
        created=utc_now(),
        updated=utc_now(),
    )


def place(store: LocalArtifactStore, name: str) -> str:
    uri = f"{store.path}/{name}"
    store.makedirs(uri)
    return uri


def a_table(rows: int) -> pa.Table:
    return pa.table({"style": ["how_to", "what_is"] * (rows // 2), "query": [f"{HOSTILE} {i}" for i in range(rows)]})


def test_a_table_comes_back_and_nothing_is_pickled(store: LocalArtifactStore) -> None:
    materializer = TableMaterializer(place(store, "table"), store)
    materializer.save(a_table(200_000))
    assert materializer.load(pa.Table).equals(a_table(200_000))
    assert [path.name for path in Path(materializer.uri).iterdir()] == ["table.arrow"]


def test_the_hash_of_a_table_depends_on_its_rows_and_not_on_its_chunks(store: LocalArtifactStore) -> None:
    materializer = TableMaterializer(place(store, "table"), store)
    whole = a_table(1000)
    in_pieces = pa.concat_tables([whole.slice(0, 7), whole.slice(7, 500), whole.slice(507)])
    assert materializer.compute_content_hash(in_pieces) == materializer.compute_content_hash(whole)
    assert materializer.compute_content_hash(whole.slice(1)) != materializer.compute_content_hash(whole)


def test_what_a_dashboard_shows_of_a_table_is_escaped_and_short(store: LocalArtifactStore) -> None:
    materializer = TableMaterializer(place(store, "table"), store)
    [page] = materializer.save_visualizations(a_table(50_000))
    text = Path(page).read_text()
    assert HOSTILE not in text and "&lt;script&gt;" in text
    assert '<td class="n">25,000</td>' in text  # how often each style occurs
    assert len(text) < 100_000


class Counts(Record):
    chunks: int
    skipped: dict[str, int]
    rate: float


def test_a_record_comes_back_and_is_shown_escaped(store: LocalArtifactStore) -> None:
    materializer = JsonMaterializer(place(store, "record"), store)
    record = Counts(chunks=3, skipped={HOSTILE: 2}, rate=0.25)
    materializer.save(record)
    assert materializer.load(Counts) == record
    [page] = materializer.save_visualizations(record)
    assert HOSTILE not in Path(page).read_text()
    assert materializer.extract_metadata(record) == {"chunks": 3, "rate": 0.25}


def test_a_page_is_its_own_visualization(store: LocalArtifactStore) -> None:
    materializer = HtmlMaterializer(place(store, "report"), store)
    materializer.save("<p>better ✓</p>")
    assert materializer.load(str) == "<p>better ✓</p>"
    [page] = materializer.save_visualizations("<p>better ✓</p>")
    assert Path(page).read_text(encoding="utf-8") == "<p>better ✓</p>"


def test_a_model_is_stored_file_by_file_and_hashed_by_content(store: LocalArtifactStore, tmp_path: Path) -> None:
    source = tmp_path / "model"
    (source / "1_Pooling").mkdir(parents=True)
    (source / "model.safetensors").write_bytes(b"weights")
    (source / "1_Pooling" / "config.json").write_text("{}")
    (source / "README.md").write_text(f"# Card {HOSTILE}")
    materializer = ModelMaterializer(place(store, "model"), store)
    materializer.save(ModelDirectory(source))
    loaded = materializer.load(ModelDirectory)
    assert (loaded.path / "1_Pooling" / "config.json").read_text() == "{}"
    assert materializer.compute_content_hash(loaded) == materializer.compute_content_hash(ModelDirectory(source))
    [card] = materializer.save_visualizations(ModelDirectory(source))
    assert HOSTILE not in Path(card).read_text()
    (source / "late").mkdir()  # the same weights under a second name are not stored twice
    (source / "late" / "modules.json").write_text("[]")
    (source / "late" / "model.safetensors").hardlink_to(source / "model.safetensors")
    assert materializer.compute_content_hash(ModelDirectory(source)) == materializer.compute_content_hash(loaded)
    again = ModelMaterializer(place(store, "again"), store)
    again.save(ModelDirectory(source))
    assert not (again.load(ModelDirectory).path / "late").exists()
    (source / "model.safetensors").write_bytes(b"other weights")
    assert materializer.compute_content_hash(ModelDirectory(source)) != materializer.compute_content_hash(loaded)

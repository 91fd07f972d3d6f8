"""The engine: declared columns from files of any age, no network, readers, kept results."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from qiaomen.store import Engine, Lake
from qiaomen.vocab import Column, Table, Unavailable

OLD = Table("things", "store", "Things.", (Column("thing_id", "int64", "n"),), ("thing_id",))
NEW = Table(
    "things",
    "store",
    "Things.",
    (Column("thing_id", "int64", "n"), Column("colour", "string", "added later")),
    ("thing_id",),
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "it's a lake")
    with lake.stage() as stage:
        stage.write(OLD, pa.table({"thing_id": [2, 1]}))
        stage.publish()
    return lake


def test_a_column_that_files_lack_is_null_and_an_absent_table_is_empty(lake: Lake) -> None:
    with Engine() as engine:
        new = engine.table(lake.snapshot(), NEW)
        assert engine.arrow(new.order_by("thing_id"), NEW).to_pylist() == [
            {"thing_id": 1, "colour": None},
            {"thing_id": 2, "colour": None},
        ]
        absent = Table("others", "store", "Others.", NEW.columns, ("thing_id",))
        assert engine.arrow(engine.table(lake.snapshot(), absent), absent).equals(absent.empty())


def test_expressions_join_files_memory_and_kept_results(lake: Lake) -> None:
    with Engine(threads=1, memory="500MB", temp=lake.path) as engine, lake.stage() as stage:
        things = engine.table(stage, OLD)
        words = engine.memory(pa.table({"thing_id": [1, 3], "colour": ["红", "蓝"]}))
        kept = engine.keep(things.join(words, "thing_id"))
        assert engine.count(kept) == 1
        stage.write(NEW, engine.reader(kept))
        assert stage.arrow(NEW).to_pylist() == [{"thing_id": 1, "colour": "红"}]
        assert engine.arrow(engine.table(stage, NEW), NEW).num_rows == 1


def test_the_engine_has_no_network_and_the_faulty_optimizer_is_off() -> None:
    with Engine() as engine:
        rows = engine.arrow(
            engine.memory(pa.table({"d": pa.array([0], pa.date32())})).mutate(
                x=_setting("disabled_optimizers"), y=_setting("autoinstall_known_extensions")
            )
        ).to_pylist()
    assert "common_subexpressions" in rows[0]["x"]
    assert rows[0]["y"] in {"false", "False"}


def _setting(name: str) -> object:
    import ibis

    @ibis.udf.scalar.builtin(name="current_setting")
    def current_setting(name: str) -> str: ...

    return current_setting(name)


def test_a_damaged_file_is_named(lake: Lake) -> None:
    lake.snapshot().files("things")[0].write_bytes(b"PAR1")
    with Engine() as engine, pytest.raises(Unavailable, match=r"things.*已损坏"):
        engine.table(lake.snapshot(), OLD)

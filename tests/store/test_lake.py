"""The lake: generations, compare-and-swap, order of rows, crashes, damage, collection."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.store import Lake
from qiaomen.vocab import Column, Conflict, NotFound, Table, Unavailable

THINGS = Table(
    "things",
    "store",
    "Things.",
    (
        Column("thing_id", "int64", "number"),
        Column("name", "string", "name"),
        Column("made_on", "date", "day"),
        Column("seen_at", "timestamp", "when"),
    ),
    ("thing_id",),
)
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)


def things(*numbers: int) -> pa.Table:
    return THINGS.conform(
        pa.table(
            {
                "thing_id": pa.array(numbers, pa.int64()),
                "name": [f"物{number}" for number in numbers],
                "made_on": [date(2026, 1, 1)] * len(numbers),
                "seen_at": [NOW] * len(numbers),
            }
        )
    )


def test_an_empty_lake_is_generation_0_and_gives_declared_empty_tables(tmp_path: Path) -> None:
    snap = Lake(tmp_path / "lake").snapshot()
    assert snap.number == 0
    assert not snap.has("things")
    assert snap.rows("things") == 0
    assert snap.arrow(THINGS).schema == THINGS.schema
    with pytest.raises(NotFound, match="qiaomen run"):
        snap.arrays("graph")


def test_a_published_generation_holds_sorted_rows_arrays_and_note(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with lake.stage() as stage:
        assert stage.write(THINGS, things(3, 1, 2)) == 3
        stage.write_arrays("graph", {"heads": np.arange(4), "none": np.zeros(0, "int32")})
        assert stage.arrow(THINGS)["thing_id"].to_pylist() == [1, 2, 3]
        assert stage.arrays("graph")["heads"].tolist() == [0, 1, 2, 3]
        assert not lake.snapshot().has("things"), "nothing is seen before publish"
        snap = stage.publish({"as_of": "2026-03-01"})
    assert (snap.number, snap.rows("things"), snap.note["as_of"]) == (1, 3, "2026-03-01")
    again = lake.snapshot()
    assert again.arrow(THINGS).equals(things(1, 2, 3))
    heads = again.arrays("graph")["heads"]
    assert isinstance(heads, np.memmap)
    assert not heads.flags.writeable
    assert again.arrays("graph")["none"].size == 0
    assert pq.ParquetFile(again.files("things")[0]).metadata.row_group(0).column(1).compression == "ZSTD"


def test_what_a_stage_does_not_write_is_carried_over(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with lake.stage() as stage:
        stage.write(THINGS, things(1))
        stage.write_arrays("graph", {"heads": np.arange(2)})
        stage.publish()
    with lake.stage() as stage:
        stage.write_arrays("graph", {"tails": np.arange(3)})
        stage.publish()
    snap = lake.snapshot()
    assert snap.rows("things") == 1
    assert list(snap.arrays("graph")) == ["tails"]
    with lake.stage() as stage:
        stage.drop("things")
        assert not stage.publish().has("things")
    assert lake.snapshot(1).rows("things") == 1
    with pytest.raises(NotFound):
        lake.snapshot(9)


def test_the_second_of_two_stages_conflicts_and_changes_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with lake.stage() as first, lake.stage() as second:
        first.write(THINGS, things(1))
        second.write(THINGS, things(2))
        first.publish()
        with pytest.raises(Conflict, match="另一次运行"):
            second.publish()
    assert lake.snapshot().arrow(THINGS)["thing_id"].to_pylist() == [1]
    assert len(list((tmp_path / "data" / "things").iterdir())) == 1, "an abandoned stage removes its files"


def test_batches_of_any_size_are_sorted_like_a_table_in_memory(tmp_path: Path) -> None:
    rows = things(*range(5_000, 0, -1))
    lake = Lake(tmp_path, memory="200MB")
    with lake.stage() as stage:
        assert stage.write(THINGS, rows.to_reader(max_chunksize=700)) == 5_000
        stage.publish()
    assert lake.snapshot().arrow(THINGS).equals(rows.sort_by("thing_id"))
    assert [path.suffix for path in (tmp_path / "data" / "things").iterdir()] == [".parquet"]


@given(st.lists(st.tuples(st.one_of(st.none(), st.text(max_size=4)), st.integers(0, 5)), unique=True))
def test_both_ways_of_writing_give_the_same_rows(pairs: list[tuple[str | None, int]]) -> None:
    import tempfile

    table = Table(
        "pairs", "store", "Pairs.", (Column("word", "string", "w"), Column("n", "int64", "n")), ("word", "n")
    )
    data = pa.table(
        {
            "word": pa.array([word for word, _ in pairs], pa.string()),
            "n": pa.array([n for _, n in pairs], pa.int64()),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        with lake.stage() as stage:
            stage.write(table, data)
            at_once = stage.arrow(table)
            stage.write(table, iter(data.to_batches(max_chunksize=2)))
            assert stage.arrow(table).equals(at_once)


@pytest.mark.parametrize("as_batches", [False, True], ids=["table", "batches"])
def test_a_key_given_twice_and_undeclared_columns_are_refused(tmp_path: Path, as_batches: bool) -> None:
    with Lake(tmp_path).stage() as stage:
        for wrong, words in (
            (things(1, 2, 1), "given twice"),
            (things(1).append_column("colour", pa.array(["red"])), "colour"),
            (things(1).set_column(0, "thing_id", pa.array(["x"])), "things"),
        ):
            with pytest.raises(ValueError, match=words):
                stage.write(THINGS, iter(wrong.to_batches()) if as_batches else wrong)
        assert not stage.has("things")


def test_object_arrays_and_odd_names_are_refused(tmp_path: Path) -> None:
    with Lake(tmp_path).stage() as stage:
        with pytest.raises(ValueError, match="object"):
            stage.write_arrays("graph", {"things": np.array([{}], dtype=object)})
        with pytest.raises(ValueError, match="not a name"):
            stage.write_arrays("graph", {"../etc": np.arange(1)})


def test_a_finished_stage_takes_no_more(tmp_path: Path) -> None:
    stage = Lake(tmp_path).stage()
    stage.publish()
    with pytest.raises(Conflict):
        stage.write(THINGS, things(1))


@pytest.fixture
def published(tmp_path: Path) -> Iterator[Lake]:
    lake = Lake(tmp_path / "lake")
    with lake.stage() as stage:
        stage.write(THINGS, things(1, 2))
        stage.write_arrays("graph", {"heads": np.arange(100)})
        stage.publish()
    yield lake


@pytest.mark.parametrize("damage", ["truncate", "edit", "garbage"])
def test_a_damaged_manifest_is_named(published: Lake, damage: str) -> None:
    path = published.path / "manifest" / "000000000001.json"
    text = path.read_text()
    if damage == "truncate":
        path.write_text(text[: len(text) // 2])
    elif damage == "edit":
        document = json.loads(text)
        document["body"]["tables"]["things"]["rows"] = 7
        path.write_text(json.dumps(document))
    else:
        path.write_bytes(b"\xff\x00")
    with pytest.raises(Unavailable, match="清单已损坏") as caught:
        published.snapshot()
    assert path.name in str(caught.value)
    assert "处理办法" in str(caught.value)


def test_damaged_and_missing_data_files_are_named(published: Lake) -> None:
    snap = published.snapshot()
    path = snap.files("things")[0]
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(Unavailable, match="缺失或已损坏"):
        snap.arrow(THINGS)
    path.unlink()
    with pytest.raises(Unavailable, match="缺失或已损坏"):
        snap.arrow(THINGS)
    array = next((published.path / "arrays").rglob("*.npy"))
    array.write_bytes(array.read_bytes()[:150])
    with pytest.raises(Unavailable, match="缺失或已损坏"):
        snap.arrays("graph")


def test_collection_keeps_what_is_needed(published: Lake) -> None:
    for number in (3, 4, 5):
        with published.stage() as stage:
            stage.write(THINGS, things(number))
            stage.publish()
    orphan = published.path / "data" / "things" / "orphan.parquet"
    orphan.write_bytes(b"left by a crash")
    live = published.stage()
    live.write(THINGS, things(9))
    assert published.collect(keep=2) == 0, "everything is younger than an hour"
    assert published.collect(keep=2, pinned=frozenset({1}), older_than=timedelta(0)) == 2
    assert published.generations() == (1, 3, 4)
    assert published.snapshot(1).rows("things") == 2
    assert published.snapshot(1).arrow(THINGS).num_rows == 2
    assert published.snapshot().arrays("graph")["heads"].size == 100
    assert live.publish().arrow(THINGS)["thing_id"].to_pylist() == [9], "a live stage loses nothing"
    assert not orphan.exists()


def _writer(lake: Path, action: str) -> subprocess.Popen[str]:
    program = textwrap.dedent(
        f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_lake import THINGS, things
        from qiaomen.store import Lake
        stage = Lake({str(lake)!r}).stage()
        stage.write(THINGS, things(*range(100)))
        {action}
        """
    )
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def test_a_killed_writer_leaves_the_former_generation(published: Lake) -> None:
    writer = _writer(published.path, "print('written', flush=True); time.sleep(60)")
    assert writer.stdout is not None
    assert writer.stdout.readline().strip() == "written"
    writer.send_signal(signal.SIGSTOP)
    assert published.collect(older_than=timedelta(0)) == 0, "its stage is alive"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    assert published.snapshot().arrow(THINGS).num_rows == 2
    deadline = time.monotonic() + 10
    removed = 0
    while not removed and time.monotonic() < deadline:
        removed = published.collect(older_than=timedelta(0))
    assert removed == 1, "a dead stage is collected"
    assert list((published.path / "stages").iterdir()) == []


def test_a_full_disk_is_said_and_harms_nothing(published: Lake) -> None:
    action = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))\n"
        "from qiaomen.vocab import Unavailable\n"
        "try:\n    stage.write(THINGS, things(*range(1000)))\n"
        "except Unavailable as error:\n    print(error, flush=True)\n"
        "try:\n    stage.write(THINGS, things(*range(1000)).to_reader())\n"
        "except Unavailable as error:\n    print(error, flush=True)\n"
    )
    out, _ = _writer(published.path, action.replace("\n", "\n        ")).communicate(timeout=60)
    lines = [line for line in out.splitlines() if "磁盘空间不足" in line]
    assert len(lines) == 2
    assert published.snapshot().arrow(THINGS).num_rows == 2


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="处理办法"):
        Lake(tmp_path / "file" / "lake").stage()


def test_a_stage_knows_the_note_of_the_generation_below(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.stage().publish({"as_of": "2026-06-30"})
    with lake.stage() as stage:
        stage.write_arrays("numbers", {"one": np.arange(3)})
        assert stage.note == {"as_of": "2026-06-30"}

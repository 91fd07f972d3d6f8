"""Laws of the merge, against a plain dictionary: counts add up, loading twice changes nothing, the last row wins."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.registry.upsert import ENDED, Merge, content_hashes, merge, ordinals, record_keys
from qiaomen.vocab import Column, loaded_table

THINGS = loaded_table("things", "registry", "Things.", (Column("value", "string", "value"),))
SPANS = loaded_table(
    "spans", "registry", "Spans.", (Column("value", "string", "value"), Column("until", "date", "until"))
)
TODAY = date(2026, 3, 31)
Row = tuple[str, str]
ROWS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("xyz")), max_size=12)


def incoming(rows: list[Row], load_id: str = "L1", source: str = "s") -> pa.Table:
    data = pa.table({"value": pa.array([value for _, value in rows], pa.string())})
    return THINGS.conform(
        data.append_column("record_hash", content_hashes(data, ("value",)))
        .append_column("record_key", pa.array([key for key, _ in rows], pa.string()))
        .append_column("source", pa.array([source] * len(rows), pa.string()))
        .append_column("file", pa.array(["f"] * len(rows), pa.string()))
        .append_column("line", pa.array(range(2, len(rows) + 2), pa.int64()))
        .append_column("load_id", pa.array([load_id] * len(rows), pa.string()))
    )


def total(outcome: Merge) -> int:
    parts = (outcome.inserted, outcome.updated, outcome.unchanged, outcome.repeated, outcome.superseded)
    return sum(len(part) for part in parts)


def content(table: pa.Table) -> dict[Row, str]:
    keys = zip(table["source"].to_pylist(), table["record_key"].to_pylist(), strict=True)
    return dict(zip(keys, table["value"].to_pylist(), strict=True))


@settings(deadline=None)
@given(ROWS, ROWS, ROWS)
def test_merging_is_updating_a_dictionary(first: list[Row], second: list[Row], other: list[Row]) -> None:
    lake = THINGS.empty()
    plain: dict[Row, str] = {}
    for source, rows in (("s", first), ("t", other), ("s", second)):
        before = lake.num_rows
        outcome = merge(THINGS, lake, incoming(rows, source=source), source)
        assert total(outcome) == len(rows)
        lake = lake if outcome.table is None else outcome.table
        plain |= {(source, key): value for key, value in rows}
        assert content(lake) == plain
        assert lake.num_rows == len(plain) == before + len(outcome.inserted)


@settings(deadline=None)
@given(ROWS)
def test_loading_twice_changes_nothing(rows: list[Row]) -> None:
    once = merge(THINGS, THINGS.empty(), incoming(rows), "s").table or THINGS.empty()
    again = merge(THINGS, once, incoming(rows, "L2"), "s")
    assert again.table is None
    assert len(again.unchanged) == once.num_rows


@settings(deadline=None)
@given(ROWS)
def test_superseded_rows_name_the_row_that_took_their_place(rows: list[Row]) -> None:
    outcome = merge(THINGS, THINGS.empty(), incoming(rows), "s")
    for lost, winner in zip(outcome.superseded, outcome.superseded_by, strict=True):
        assert rows[lost][0] == rows[winner][0]
        assert rows[lost][1] != rows[winner][1]
        assert winner == max(index for index, row in enumerate(rows) if row[0] == rows[lost][0])


@settings(deadline=None)
@given(ROWS)
def test_the_first_wins_where_declared(rows: list[Row]) -> None:
    flags = pa.array([True] * len(rows), pa.bool_())
    outcome = merge(THINGS, THINGS.empty(), incoming(rows), "s", first_wins=flags)
    assert total(outcome) == len(rows)
    table = outcome.table or THINGS.empty()
    assert content(table) == {("s", key): value for key, value in reversed(rows)}


@settings(deadline=None)
@given(ROWS, ROWS)
def test_a_snapshot_leaves_exactly_its_rows(first: list[Row], second: list[Row]) -> None:
    lake = merge(THINGS, THINGS.empty(), incoming(first), "s").table or THINGS.empty()
    outcome = merge(THINGS, lake, incoming(second, "L2"), "s", snapshot=("",), today=TODAY)
    table = lake if outcome.table is None else outcome.table
    assert content(table) == {("s", key): value for key, value in second}
    assert outcome.ended == len({key for key, _ in first} - {key for key, _ in second})


def test_a_snapshot_sets_until_and_a_returning_row_is_an_update() -> None:
    def rows(*keys: str) -> pa.Table:
        plain = incoming([(key, "v") for key in keys])
        return SPANS.conform(plain)

    lake = merge(SPANS, SPANS.empty(), rows("a", "b"), "s").table
    ended = merge(SPANS, lake, rows("a"), "s", snapshot=("",), today=TODAY)
    assert ended.table is not None
    gone = next(row for row in ended.table.to_pylist() if row["record_key"] == "b")
    assert gone["until"] == TODAY
    assert gone["record_hash"].startswith(ENDED)
    again = merge(SPANS, ended.table, rows("a"), "s", snapshot=("",), today=TODAY)
    assert again.table is None, "an ended row does not end again"
    back = merge(SPANS, ended.table, rows("a", "b"), "s", snapshot=("",), today=TODAY)
    assert (len(back.updated), len(back.unchanged)) == (1, 1)


def test_a_snapshot_stays_within_its_prefix_and_spares_rejected_rows() -> None:
    lake = merge(THINGS, THINGS.empty(), incoming([("p|1", "x"), ("p|2", "x"), ("q|1", "x")]), "s").table
    outcome = merge(
        THINGS,
        lake,
        incoming([]),
        "s",
        snapshot=("p",),
        present=pa.array(["p|2"]),
        today=TODAY,
    )
    assert outcome.table is not None
    assert set(outcome.table["record_key"].to_pylist()) == {"p|2", "q|1"}


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=20))
def test_ordinals_count_repeats(values: list[str]) -> None:
    counted = ordinals(pa.array(values, pa.string())).to_pylist()
    assert counted == [values[: index + 1].count(value) for index, value in enumerate(values)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), unique=True, max_size=10))
def test_different_parts_give_different_keys(rows: list[Row]) -> None:
    rows = [row for row in rows if not any("¦" in part for part in row)]
    data = pa.table({"a": pa.array([row[0] for row in rows], pa.string()), "b": [row[1] for row in rows]})
    if not rows:
        return
    keys = record_keys(data, ("a", "b"), "", content_hashes(data, ("a", "b")))
    assert len(set(keys.to_pylist())) == len(rows)


def test_long_keys_are_shortened_but_stay_apart() -> None:
    data = pa.table({"a": ["长" * 500 + "1", "长" * 500 + "2"]})
    first, second = record_keys(data, ("a",), "p", content_hashes(data, ("a",))).to_pylist()
    assert first != second
    assert len(first) <= 240

"""Building and asking the index."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from qiaomen.membership import Compare, Everything, Facet, Index, Member, Not, build_index, to_ibis
from qiaomen.membership.index import WALK_ABOVE
from qiaomen.vocab import InputRejected
from tests.membership.examples import dated, facts, memberships, names

ROWS = [
    (1, "tag", "high_tech"),
    (2, "tag", "high_tech"),
    (1, "chain", "N1"),
    (3, "chain", "N2"),
    (4, "chain", "N3"),
    (1, "region", "310115"),
    (2, "region", "310000"),
    (3, "region", "320500"),
    (3, "industry", "C3973"),
    (9, "tag", "high_tech"),
]
FACTS = [
    (1, 5e6, 10, dt.date(2020, 1, 1), True),
    (2, None, 20, None, False),
    (3, 5e6, None, dt.date(2021, 1, 1), None),
    (4, 9e6, 20, None, None),
]


@pytest.fixture
def index():
    return Index.open(build_index(memberships(ROWS), facts(FACTS), names=names()))


def test_levels(index):
    assert index.ids(Member("region", "310000")).tolist() == [1, 2]
    assert index.ids(Member("region", "310000", exactly=True)).tolist() == [2]
    assert index.ids(Member("region", "310100")).tolist() == [1]
    assert index.ids(Member("chain", "集成电路/上游")).tolist() == [1, 3]
    assert index.ids(Member("chain", "集成电路")).tolist() == [1, 3, 4]
    assert index.ids(Member("industry", "C")).tolist() == [3]
    assert index.ids(Member("tag", "空标签")).tolist() == []


def test_missing_values_are_false_and_not_is_the_complement(index):
    big = Compare("capital_cny", ">=", 6_000_000)
    assert index.ids(big).tolist() == [4]
    assert index.ids(Compare("capital_cny", "<", 6_000_000)).tolist() == [1, 3]
    assert index.ids(Not(big)).tolist() == [1, 2, 3]


def test_companies_that_are_not_live_are_left_out_and_counted(index):
    assert index.ids(Member("tag", "high_tech")).tolist() == [1, 2]
    assert index.left_out == {"not_live": 1, "not_in_force": 0}


def test_facets_count_what_lies_below(index):
    found = index.facets("region", Everything())
    assert found[0] == Facet("310000", "310000", 2, None)
    assert index.facets("chain", Everything(), under="集成电路") == [
        Facet("集成电路/上游", "上游", 2, "集成电路"),
        Facet("集成电路/下游", "下游", 1, "集成电路"),
    ]
    with pytest.raises(InputRejected):
        index.facets("colour", Everything())


def test_pages_put_unknown_last_and_equals_in_company_order(index):
    assert index.page(Everything(), "capital_cny") == [1, 3, 4, 2]
    assert index.page(Everything(), "capital_cny", descending=True) == [4, 1, 3, 2]
    assert index.page(Everything(), "capital_cny", descending=True, offset=1, limit=2) == [1, 3]
    assert index.page(Everything(), descending=True, limit=2) == [4, 3]
    with pytest.raises(InputRejected):
        index.page(Everything(), "colour")
    with pytest.raises(InputRejected):
        index.page(Everything(), offset=-1)


def test_values_of_given_companies(index):
    assert index.values("capital_cny", [3, 2, 4, 99]) == [5e6, None, 9e6, None]
    assert index.values("founded_on", [1]) == [dt.date(2020, 1, 1)]
    assert index.values("listed", [1, 2, 3]) == [True, False, None]


def test_memberships_in_force():
    day = dt.date(2025, 6, 30)
    rows = [
        (1, "tag", "high_tech", None, None),
        (2, "tag", "high_tech", day, day),
        (3, "tag", "high_tech", dt.date(2025, 7, 1), None),
        (4, "tag", "high_tech", None, dt.date(2025, 6, 29)),
    ]
    built = Index.open(build_index(dated(rows), facts(FACTS), as_of=day))
    assert built.ids(Member("tag", "high_tech")).tolist() == [1, 2]
    assert built.left_out["not_in_force"] == 2


def test_ibis_asks_for_memberships_in_force():
    import ibis

    day = dt.date(2025, 6, 30)
    rows = [(1, "tag", "a", None, None), (2, "tag", "a", dt.date(2025, 7, 1), None)]
    built = Index.open(build_index(dated(rows), facts(FACTS), as_of=day))
    asked = to_ibis(
        Member("tag", "a"),
        ibis.memtable(dated(rows)),
        ibis.memtable(facts(FACTS)),
        names=built.names,
        as_of=day,
    )
    assert asked.to_pyarrow()["company_id"].to_pylist() == [1]


def test_opens_from_mapped_files(tmp_path, index):
    arrays = build_index(memberships(ROWS), facts(FACTS), names=names())
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in arrays}
    opened = Index.open(mapped)
    assert opened.select(Member("chain", "集成电路")) == index.select(Member("chain", "集成电路"))
    assert opened.page(Everything(), "employees", descending=True) == [2, 4, 1, 3]


def test_the_same_input_gives_the_same_bytes():
    first = build_index(memberships(ROWS), facts(FACTS), names=names())
    second = build_index(memberships(ROWS[::-1]), facts(FACTS[::-1]), names=names())
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[key], second[key]) for key in first)


def test_pages_of_a_large_selection_equal_a_plain_sort():
    rng = np.random.default_rng(7)
    count = WALK_ABOVE * 3
    amounts = rng.integers(0, 500, count).astype(float)
    amounts[rng.random(count) < 0.2] = np.nan
    table = pa.table({"company_id": np.arange(count), "amount_cny": amounts})
    index = Index.open(build_index(memberships([]), table))
    for descending in (False, True):
        keys = -amounts if descending else amounts
        expected = np.lexsort((np.arange(count), np.where(np.isnan(keys), np.inf, keys)))
        found = index.page(Everything(), "amount_cny", descending=descending, offset=900, limit=300)
        assert found == expected[900:1200].tolist()


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"company_id": [1, 1]}),
        pa.table({"company_id": [-1]}),
        pa.table({"company_id": [2**32]}),
        pa.table({"company_id": [1], "name": ["text"]}),
        pa.table({"company_id": [1], "tag": [1.0]}),
    ],
)
def test_refuses_facts_that_cannot_be_screened(table):
    with pytest.raises(ValueError):
        build_index(memberships([]), table)

"""A small bank's worth of memberships and facts, and random queries over them."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
from hypothesis import strategies as st

from qiaomen.membership import (
    MEMBERSHIP_NAMES,
    MEMBERSHIPS,
    And,
    Compare,
    Everything,
    Expression,
    Known,
    Member,
    Not,
    Or,
)

REGIONS = ("310000", "310115", "310101", "320500", "320000", "110105")
INDUSTRIES = ("C3973", "C39", "C397", "I65", "I6513")
NODES = ("N1", "N2", "N3", "新能源/上游")
TAGS = ("high_tech", "little_giant", "绿色工厂（国家级）", "空标签")
PATHS = {"N1": "集成电路/上游/硅片", "N2": "集成电路/上游/光刻胶", "N3": "集成电路/下游/封测"}
VALUES = {
    "tag": TAGS,
    "region": REGIONS,
    "industry": INDUSTRIES,
    "chain": NODES,
    "customer": ("正常", "睡眠"),
}
ABOVE = {
    "region": ("310000", "310100", "320000", "110000"),
    "industry": ("C", "C39", "I"),
    "chain": ("集成电路", "集成电路/上游", "新能源"),
}
DAYS = (dt.date(2019, 12, 31), dt.date(2020, 1, 1), dt.date(2025, 6, 30))
AMOUNTS = (0.0, 1e7, 1e7 + 0.01, 2.5e8)


def memberships(rows: list[tuple[int, str, str]]) -> pa.Table:
    """Return membership rows of open validity."""
    keys = ("company_id", "dimension", "value")
    return _conformed(MEMBERSHIPS, [dict(zip(keys, row, strict=True)) for row in rows])


def dated(rows: list[tuple[int, str, str, dt.date | None, dt.date | None]]) -> pa.Table:
    """Return membership rows with their dates."""
    keys = ("company_id", "dimension", "value", "since", "until")
    return _conformed(MEMBERSHIPS, [dict(zip(keys, row, strict=True)) for row in rows])


def names() -> pa.Table:
    """Return labels, paths and field names."""
    rows = [
        {"dimension": "chain", "value": node, "label": path.split("/")[-1], "path": path}
        for node, path in PATHS.items()
    ]
    rows += [
        {"dimension": "tag", "value": "high_tech", "label": "高新技术企业", "aliases": "高企;国高新"},
        {"dimension": "tag", "value": "空标签", "label": "空标签"},
        {"dimension": "region", "value": "110105", "label": "朝阳区"},
        {"dimension": "region", "value": "220104", "label": "朝阳区"},
        {"dimension": "field", "value": "capital_cny", "label": "注册资本"},
    ]
    return _conformed(MEMBERSHIP_NAMES, rows)


def facts(rows: list[tuple[int, float | None, int | None, dt.date | None, bool | None]]) -> pa.Table:
    """Return fact rows."""
    schema = pa.schema(
        [
            ("company_id", pa.int64()),
            ("capital_cny", pa.float64()),
            ("employees", pa.int64()),
            ("founded_on", pa.date32()),
            ("listed", pa.bool_()),
        ]
    )
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)


def _conformed(table, rows: list[dict]) -> pa.Table:
    if not rows:
        return table.empty()
    return table.conform(pa.Table.from_pylist(rows, schema=_some(table, rows)))


def _some(table, rows: list[dict]) -> pa.Schema:
    used = {key for row in rows for key in row}
    return pa.schema([field for field in table.schema if field.name in used])


COMPANY_NUMBERS = st.integers(0, 12) | st.just(2**32 - 1)

FACT_ROWS = st.lists(
    st.tuples(
        COMPANY_NUMBERS,
        st.none() | st.sampled_from(AMOUNTS) | st.just(float("nan")),
        st.none() | st.integers(0, 3),
        st.none() | st.sampled_from(DAYS),
        st.none() | st.booleans(),
    ),
    unique_by=lambda row: row[0],
    max_size=14,
)

MEMBERSHIP_ROWS = st.lists(
    st.sampled_from(sorted(VALUES)).flatmap(
        lambda dimension: st.tuples(
            COMPANY_NUMBERS | st.just(77), st.just(dimension), st.sampled_from(VALUES[dimension])
        )
    ),
    unique=True,
    max_size=60,
)


def _members() -> st.SearchStrategy[Expression]:
    def of(dimension: str) -> st.SearchStrategy[Expression]:
        known = (*VALUES[dimension], *ABOVE.get(dimension, ()))
        return st.builds(Member, st.just(dimension), st.none() | st.sampled_from(known)) | st.builds(
            Member, st.just(dimension), st.sampled_from(known), st.booleans()
        )

    return st.sampled_from(sorted(VALUES)).flatmap(of)


_ORDER = st.sampled_from(("=", "!=", "<", "<=", ">", ">="))
LEAVES = st.one_of(
    st.builds(Everything),
    _members(),
    st.builds(Known, st.sampled_from(("capital_cny", "employees", "founded_on", "listed"))),
    st.builds(Compare, st.just("capital_cny"), _ORDER, st.sampled_from(AMOUNTS) | st.integers(-5, 10**9)),
    st.builds(Compare, st.just("employees"), _ORDER, st.integers(-1, 4) | st.just(1.5)),
    st.builds(Compare, st.just("founded_on"), _ORDER, st.sampled_from(DAYS) | st.dates()),
    st.builds(Compare, st.just("listed"), st.sampled_from(("=", "!=")), st.booleans()),
)
EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.chains import (
    COMPANY_GOODS,
    GOODS_RECORDS,
    clean_company_goods,
    load_goods_noise,
    normalise_goods,
)
from tests.chains.examples import MATCHER, RULES

NOISE = load_goods_noise()


def records(*rows: tuple) -> pa.Table:
    return pa.table(
        {
            "company_id": pa.array([row[0] for row in rows], pa.int64()),
            "goods_name": pa.array([row[1] for row in rows], pa.string()),
            "share": pa.array([row[2] for row in rows], pa.float64()),
            "source": pa.array(["s"] * len(rows), pa.string()),
            "record_key": pa.array([str(number) for number in range(len(rows))], pa.string()),
        }
    )


def clean(*rows: tuple, goods_records: pa.Table | None = None):
    return clean_company_goods(
        records(*rows), noise=NOISE, rules=RULES, matcher=MATCHER, goods_records=goods_records
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("光刻\n胶", "光刻胶"),
        ("其中：光刻胶", "光刻胶"),
        ("（1）光刻胶", "光刻胶"),
        ("1、光刻胶；", "光刻胶"),
        ("光刻胶（万元）", "光刻胶"),
        ("ＩＧＢＴ 模块", "IGBT模块"),
        ("LED lamp", "LED lamp"),
        ("5G模组", "5G模组"),
        ("3D打印", "3D打印"),
        ("　", ""),
    ],
)
def test_names_are_normalised(name, expected):
    assert normalise_goods(name) == expected


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing(name):
    assert normalise_goods(normalise_goods(name)) == normalise_goods(name)


def test_accounting_lines_are_left_out_and_counted():
    result = clean(
        (1, "平衡项目", 0.2),
        (1, "分部间抵销", -0.1),
        (2, "其他(补充)", 0.1),
        (2, "光刻胶", 0.4),
        (3, "12", 0.1),
    )
    assert result.table.column("goods_name").to_pylist() == ["光刻胶"]
    left_out = {key: value for key, value in result.counts.items() if key.startswith("left_out:")}
    assert sum(left_out.values()) == 4


def test_a_share_out_of_range_becomes_unknown():
    result = clean(
        (1, "光刻胶", -59.0),
        (2, "光刻胶", 3.2),
        (3, "光刻胶", 1.0),
        (4, "光刻胶", float("nan")),
        (5, "片剂", None),
    )
    assert result.table.column("share").to_pylist() == [None, None, 1.0, None, None]
    assert result.counts["share_out_of_range"] == 3


def test_the_row_with_the_largest_share_survives():
    result = clean((1, "光刻胶", 0.1), (1, " 光刻胶 ", 0.6), (1, "光刻胶", None))
    (row,) = result.table.to_pylist()
    assert (row["share"], row["record_key"]) == (0.6, "1")
    assert result.counts["merged"] == 2


def test_a_stated_node_comes_before_a_keyword():
    stated = GOODS_RECORDS.conform(
        pa.Table.from_pylist(
            [
                {"goods_name": "光刻胶", "node_code": "ic.design", "source": "s", "record_key": "1"},
                {"goods_name": "片剂", "node_code": "no_such_node", "source": "s", "record_key": "2"},
            ],
            GOODS_RECORDS.schema,
        )
    )
    result = clean((1, "光刻胶", None), (1, "片剂", None), (1, "雨伞", None), goods_records=stated)
    nodes = dict(
        zip(result.table["goods_name"].to_pylist(), result.table["node_code"].to_pylist(), strict=True)
    )
    assert nodes == {"光刻胶": "ic.design", "片剂": "bio.drug", "雨伞": None}


def test_references_are_resolved_and_the_rest_counted():
    table = records((0, "光刻胶", None), (0, "片剂", None)).drop_columns("company_id")
    table = table.append_column("company_ref", pa.array(["stock:1", "stock:2"]))
    refs = pa.table({"ref": ["stock:1"], "company_id": pa.array([7], pa.int64())})
    result = clean_company_goods(table, refs, noise=NOISE)
    assert result.table.column("company_id").to_pylist() == [7]
    assert result.counts["unresolved"] == 1


NAMES = st.sampled_from(["光刻胶", "平衡项目", "片剂 ", "其他", "", "雨伞", "抵销", "雨\n伞"])


@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.integers(1, 4)), NAMES, st.one_of(st.none(), st.floats())),
        max_size=20,
    )
)
def test_every_row_read_is_kept_merged_or_left_out(rows):
    result = clean(*rows)
    counts = result.counts
    left_out = sum(value for key, value in counts.items() if key.startswith("left_out:"))
    assert counts["read"] == counts["kept"] + counts["merged"] + counts["unresolved"] + left_out
    assert counts["kept"] == result.table.num_rows
    assert result.table.schema == COMPANY_GOODS.schema
    keys = list(
        zip(result.table["company_id"].to_pylist(), result.table["goods_name"].to_pylist(), strict=True)
    )
    assert len(keys) == len(set(keys))

"""Matching customer rows: four outcomes, codes, branches, decisions, hostile rows."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.registry import (
    COMPANIES,
    COMPANY_NAMES,
    Matcher,
    build_match_index,
    match_customers,
    normalise_name,
    normalise_short_name,
)

CODES = ["91330106FG3HT7823E", "91310115C892MG105R", "91510107196947H76R", "91110108150D12674A"]
FULL = [
    "浙江恒通精密机械有限公司",
    "上海远大国际贸易有限公司",
    "东方电气（武汉）核设备有限公司",
    "北京花妆缘花卉租摆公司",
    "邵阳维克液压股份有限公司",
    "成都金麒麟生物健康科技有限公司",
    "上海恒丰化工有限公司",
    "苏州恒丰化工有限公司",
    "宁波恒丰化工有限公司",
    "宁波银行股份有限公司",
]
FORMER = {0: "浙江恒达机械厂"}
SHORT = {4: "邵阳液压"}


def filler():
    first, second = "鑫瑞泰华盛源宏达信诺", "科贸工建食纺包电医文"
    return [f"{a}{b}{c}实业有限公司" for a in "南京合肥" for b in first for c in second]


@pytest.fixture(scope="module")
def matcher():
    names = FULL + filler()
    count = len(names)
    companies = COMPANIES.conform(
        pa.table(
            {
                "company_id": pa.array(range(1, count + 1), pa.int64()),
                "uscc": pa.array(CODES + [None] * (count - len(CODES)), pa.string()),
                "name": names,
                "name_norm": [normalise_name(name) for name in names],
                "origin": ["registry"] * count,
                "legal_representative": pa.array(["王小明"] + [None] * (count - 1), pa.string()),
                "phone": pa.array([None, "021-66668888"] + [None] * (count - 2), pa.string()),
            }
        )
    )
    rows = [(i + 1, name, normalise_name(name), "legal") for i, name in enumerate(names)]
    rows += [(i + 1, name, normalise_name(name), "former") for i, name in FORMER.items()]
    rows += [(i + 1, name, normalise_short_name(name), "short") for i, name in SHORT.items()]
    columns = list(zip(*rows, strict=True))
    named = COMPANY_NAMES.conform(
        pa.table(dict(zip(("company_id", "name", "name_norm", "kind"), map(list, columns), strict=True)))
    )
    return Matcher.open(build_match_index(companies, named))


def match(matcher, decisions=None, **values):
    row = {"source": "c", "record_key": "1", "customer_no": "1"} | values
    table = pa.table({key: pa.array([value], pa.string()) for key, value in row.items()})
    return match_customers(table, matcher, decisions).to_pylist()[0]


def test_an_exact_name_is_matched(matcher):
    row = match(matcher, name="　浙江恒通精密機械有限公司-一般户 ")
    assert (row["outcome"], row["company_id"], row["relation"]) == ("matched", 1, "self")


@pytest.mark.parametrize("code", [CODES[0], "913301o6fg3ht7823e", "91330106FG3HT7832E", CODES[0][8:17]])
def test_name_and_code_verify_each_other(matcher, code):
    row = match(matcher, name="浙江恒通精密机械", uscc_text=code)
    assert (row["outcome"], row["company_id"], row["rule"]) == ("verified", 1, "name_and_code")
    assert "code" in json.loads(row["evidence"])["agrees"]


def test_person_or_phone_verify_too(matcher):
    person = match(matcher, name="浙江恒通精密机械有限责任公司", legal_representative="王小明")
    phone = match(matcher, name="上海远大国际贸易公司", phone="(021)6666-8888")
    assert (person["outcome"], person["company_id"]) == ("verified", 1)
    assert (phone["outcome"], phone["company_id"]) == ("verified", 2)


def test_a_code_that_contradicts_the_name_never_wins_alone(matcher):
    row = match(matcher, name="上海远大国际贸易有限公司", uscc_text=CODES[0])
    assert (row["outcome"], row["company_id"]) == ("ambiguous", None)
    strange = match(matcher, name="大连海之韵渔具用品商店", uscc_text=CODES[0])
    assert (strange["outcome"], strange["company_id"]) == ("ambiguous", None)


def test_former_names_count(matcher):
    row = match(matcher, name="浙江恒达机械厂")
    assert (row["outcome"], row["company_id"]) == ("matched", 1)


@pytest.mark.parametrize("name", ["东方电气（武汉）核设备有限公司成都分公司", "宁波银行股份有限公司鄞州支行"])
def test_a_branch_gets_its_parent(matcher, name):
    row = match(matcher, name=name)
    assert row["relation"] == "branch"
    assert row["company_id"] in {3, 10}


def test_several_equal_firms_wait_for_a_person(matcher):
    row = match(matcher, name="恒丰化工有限公司")
    assert (row["outcome"], row["company_id"]) == ("ambiguous", None)
    candidates = json.loads(row["candidates"])
    assert {7, 8, 9} <= {item["company_id"] for item in candidates}
    assert len(candidates) <= 10


def test_a_short_name_is_found(matcher):
    known = match(matcher, name="邵阳液压")
    assert known["company_id"] == 5
    derived = match(matcher, name="*ST金麒麟")
    assert json.loads(derived["candidates"])[0]["company_id"] == 6


def test_a_stranger_is_unmatched(matcher):
    row = match(matcher, name="大连海之韵渔具用品商店")
    assert (row["outcome"], row["company_id"]) == ("unmatched", None)


def test_masked_names_are_never_matched(matcher):
    assert match(matcher, name="***精密机械有限公司")["company_id"] is None


def test_a_decision_of_a_person_wins_and_is_reused(matcher):
    decisions = pa.table(
        {
            "name_norm": ["恒丰化工有限公司", "浙江恒通精密机械有限公司"],
            "code": ["", ""],
            "company_id": pa.array([8, None], pa.int64()),
            "relation": ["self", "self"],
            "decided_by": ["u1", "u1"],
        }
    )
    chosen = match(matcher, decisions, name="恒丰化工有限公司")
    assert (chosen["outcome"], chosen["company_id"], chosen["decided_by"]) == ("verified", 8, "u1")
    refused = match(matcher, decisions, name="浙江恒通精密机械有限公司")
    assert (refused["outcome"], refused["company_id"]) == ("unmatched", None)


def test_an_empty_registry_matches_nothing():
    empty = Matcher.open(build_match_index(COMPANIES.empty(), COMPANY_NAMES.empty()))
    assert match(empty, name="浙江恒通精密机械有限公司", uscc_text=CODES[0])["outcome"] == "unmatched"


def test_the_index_can_be_stored_as_plain_arrays():
    arrays = build_match_index(COMPANIES.empty(), COMPANY_NAMES.empty())
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in arrays.values())


cells = st.one_of(st.none(), st.text(max_size=30), st.sampled_from(FULL + CODES))


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(cells, cells, cells, cells), min_size=1, max_size=4))
def test_every_row_gets_one_honest_outcome(matcher, rows):
    columns = list(zip(*rows, strict=True))
    table = pa.table(
        {
            "source": ["c"] * len(rows),
            "record_key": [str(i) for i in range(len(rows))],
            "name": pa.array(columns[0], pa.string()),
            "uscc_text": pa.array(columns[1], pa.string()),
            "address": pa.array(columns[2], pa.string()),
            "legal_representative": pa.array(columns[3], pa.string()),
        }
    )
    for row in match_customers(table, matcher).to_pylist():
        automatic = row["outcome"] in {"matched", "verified"}
        assert row["outcome"] in {"matched", "verified", "ambiguous", "unmatched"}
        assert (row["company_id"] is not None) == automatic
        assert 0 <= row["probability"] <= 1
        candidates = json.loads(row["candidates"])
        assert not automatic or row["company_id"] in {item["company_id"] for item in candidates}
        assert json.loads(row["evidence"]) is not None

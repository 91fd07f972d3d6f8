"""Identity: merging of records, numbers that never change, references, survivorship."""

import datetime as dt
import json

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.registry import (
    COMPANY_IDS,
    COMPANY_RECORDS,
    collect_refs,
    identify,
)

CODE_A, CODE_B = "91330106FG3HT7823E", "91310115C892MG105R"


def records(*rows):
    fields = dict.fromkeys(key for row in rows for key in row)
    schema = pa.schema([COMPANY_RECORDS.schema.field(name) for name in fields])
    return COMPANY_RECORDS.conform(pa.Table.from_pylist(list(rows), schema=schema))


def record(key, source="a", **values):
    ref = values.pop("company_ref", f"{source}:{key}")
    return {"company_ref": ref, "source": source, "record_key": key, **values}


def refs(*pairs):
    return pa.table(
        {
            "ref": pa.array([pair[0] for pair in pairs], pa.string()),
            "name": pa.array([pair[1] for pair in pairs], pa.string()),
        }
    )


def run(rows, pairs=(), known=None):
    return identify(records(*rows), refs(*pairs), COMPANY_IDS.empty() if known is None else known)


def target(result, ref):
    row = result.company_refs.filter(pc.equal(result.company_refs["ref"], ref)).to_pylist()[0]
    return row["company_id"], row["how"]


def company(result, number):
    return result.companies.filter(pc.equal(result.companies["company_id"], number)).to_pylist()[0]


def test_records_of_one_code_and_like_names_are_one_company():
    result = run(
        [
            record(
                "1",
                uscc=CODE_A,
                name="杭州恒通科技有限公司",
                capital_cny=1.0,
                observed_on=dt.date(2020, 1, 1),
            ),
            record("2", "b", uscc=CODE_A, name="杭州恒通科技股份有限公司", observed_on=dt.date(2024, 1, 1)),
        ]
    )
    assert result.companies.num_rows == 1
    row = result.companies.to_pylist()[0]
    assert row["name"] == "杭州恒通科技股份有限公司"
    assert row["capital_cny"] == 1.0
    assert row["sources"] == "a;b"
    assert "name" in json.loads(row["conflicts"])
    kinds = {(name["kind"], name["name"]) for name in result.company_names.to_pylist()}
    assert kinds == {("legal", "杭州恒通科技股份有限公司"), ("former", "杭州恒通科技有限公司")}


def test_a_code_that_contradicts_the_name_does_not_win_alone():
    rows = [
        record("1", uscc=CODE_A, name="杭州恒通科技有限公司", observed_on=dt.date(2024, 1, 1)),
        record("2", "b", uscc=CODE_A, name="成都金麒麟饲料厂", observed_on=dt.date(2020, 1, 1)),
    ]
    result = run(rows)
    assert result.companies.num_rows == 2
    assert result.counts["contradicted_codes"] == 1
    loser = company(result, target(result, "b:2")[0])
    assert loser["uscc"] is None
    assert json.loads(loser["conflicts"])["uscc"] == [[CODE_A, "b"]]
    second_fact = [{**row, "legal_representative": "张三"} for row in rows]
    assert run(second_fact).companies.num_rows == 1


def test_equal_names_join_unless_their_codes_differ():
    name = "杭州恒通科技有限公司"
    joined = run([record("1", uscc=CODE_A, name=name), record("2", "b", name="杭州恒通科技有限公司 ")])
    assert joined.companies.num_rows == 1
    apart = run(
        [record("1", uscc=CODE_A, name=name), record("2", "b", uscc=CODE_B, name=name)],
        [(f"name:{name}", name)],
    )
    assert apart.companies.num_rows == 2
    assert target(apart, f"name:{name}") == (None, "ambiguous")


def test_masked_names_never_join():
    rows = [record("1", name="***电器销售有限公司"), record("2", name="***电器销售有限公司")]
    result = run(rows)
    assert result.companies.num_rows == 2
    assert set(result.companies["name_norm"].to_pylist()) == {"***电器销售有限公司"}


def test_a_brand_record_joins_the_one_company_of_that_short_name():
    stock = record("1", stock_code="601211", short_name="国泰君安")
    brands = [record(str(i), "invest", company_ref="brand:国泰君安", short_name="国泰君安") for i in range(2)]
    joined = run([stock, *brands], [("brand:国泰君安", "国泰君安")])
    assert joined.companies.num_rows == 1
    assert target(joined, "brand:国泰君安")[0] == target(joined, "invest:1")[0] == target(joined, "a:1")[0]
    twin = record("2", stock_code="600001", short_name="国泰君安")
    apart = run([stock, twin, *brands], [("brand:国泰君安", "国泰君安")])
    assert apart.companies.num_rows == 3
    assert target(apart, "brand:国泰君安") == (None, "ambiguous")


def test_records_that_their_source_tells_apart_are_not_joined_by_a_short_name():
    rows = [
        record(str(i), "invoice", company_ref=f"invoice:一/E{i}", short_name=name)
        for i, name in enumerate(("***建筑工程有限公司", "***建筑工程有限公司", "个体经营", "个体经营"))
    ]
    result = run(rows)
    assert result.companies.num_rows == 4
    assert len({target(result, f"invoice:一/E{i}")[0] for i in range(4)}) == 4


def test_stock_code_joins_short_and_full_name_but_not_a_stranger():
    rows = [
        record("1", stock_code="301079", short_name="邵阳液压"),
        record("2", "b", stock_code="301079", name="邵阳维克液压股份有限公司", short_name="邵阳液压"),
        record("3", "c", stock_code="301079", name="华能国际电力股份有限公司", short_name="邵阳液压"),
    ]
    result = run(rows, [("brand:邵阳液压", "邵阳液压"), ("stock:301079", None)])
    assert result.companies.num_rows == 2
    number = target(result, "brand:邵阳液压")[0]
    assert number == target(result, "a:1")[0] == target(result, "stock:301079")[0] == target(result, "b:2")[0]
    assert company(result, target(result, "c:3")[0])["stock_code"] is None


def test_schemes():
    rows = [
        record(
            "1",
            uscc=CODE_A,
            name="杭州恒通科技有限公司",
            short_name="恒通",
            former_names="杭州恒达科技有限公司",
        ),
        record("2", name="上海恒通贸易有限公司", short_name="恒通"),
        record("3", name="上海远大贸易有限公司", short_name="远大"),
    ]
    result = run(
        rows,
        [
            (f"uscc:{CODE_A}", "杭州恒通科技有限公司"),
            (f"uscc:{CODE_B}", "苏州新人有限公司"),
            ("name:杭州恒通科技有限公司（筹）", "杭州恒通科技有限公司（筹）"),
            ("name:杭州恒达科技有限公司", "杭州恒达科技有限公司"),
            ("name:南京不在有限公司", "南京不在有限公司"),
            ("name:张三", "张三"),
            ("brand:恒通", "恒通"),
            ("brand:远大", "远大"),
            ("brand:从未听过", "从未听过"),
            ("x:77", "某物"),
            ("name:", None),
        ],
    )
    first, third = target(result, "a:1")[0], target(result, "a:3")[0]
    assert target(result, f"uscc:{CODE_A}") == (first, "code")
    assert target(result, "name:杭州恒通科技有限公司（筹）") == (first, "name")
    assert target(result, "name:杭州恒达科技有限公司") == (first, "former_name")
    assert target(result, "brand:远大") == (third, "short_name")
    assert target(result, "brand:恒通") == (None, "ambiguous")
    assert target(result, "name:张三") == (None, "person")
    assert target(result, "name:") == (None, "empty")
    for ref in (f"uscc:{CODE_B}", "name:南京不在有限公司", "brand:从未听过", "x:77"):
        number, how = target(result, ref)
        assert how == "mention"
        assert company(result, number)["origin"] == "mention"
    stub = company(result, target(result, f"uscc:{CODE_B}")[0])
    assert (stub["uscc"], stub["name"]) == (CODE_B, "苏州新人有限公司")


def test_a_code_beside_another_companys_name_is_ambiguous():
    rows = [
        record("1", uscc=CODE_A, name="杭州恒通科技有限公司"),
        record("2", uscc=CODE_B, name="成都金麒麟饲料厂"),
    ]
    result = run(rows, [(f"uscc:{CODE_A}", "成都金麒麟饲料厂")])
    assert target(result, f"uscc:{CODE_A}")[1] in {"code", "ambiguous"}
    alone = identify(
        records(rows[0] | {"company_ref": "a:1"}, rows[1] | {"company_ref": "a:2"}),
        refs((f"uscc:{CODE_A}", "成都金麒麟饲料厂")),
        COMPANY_IDS.empty(),
    )
    assert target(alone, f"uscc:{CODE_A}") == (None, "ambiguous")


def test_a_mention_keeps_its_number_when_its_record_arrives():
    name = "南京后来有限公司"
    before = run([], [(f"name:{name}", name)])
    number = target(before, f"name:{name}")[0]
    after = run([record("9", uscc=CODE_A, name=name)], [(f"name:{name}", name)], before.company_ids)
    assert target(after, "a:9")[0] == number
    assert company(after, number)["origin"] == "registry"


def test_a_merge_keeps_the_stronger_number_and_says_so():
    before = run([record("1", uscc=CODE_A), record("2", "b", name="杭州恒通科技有限公司")])
    assert before.companies.num_rows == 2
    coded, named = target(before, "a:1")[0], target(before, "b:2")[0]
    after = run(
        [
            record("1", uscc=CODE_A, name="杭州恒通科技有限公司"),
            record("2", "b", name="杭州恒通科技有限公司"),
        ],
        known=before.company_ids,
    )
    assert target(after, "b:2")[0] == coded
    assert after.merged == {named: coded}


def test_a_name_alone_never_hands_over_a_coded_number():
    name = "杭州恒通科技有限公司"
    before = run([record("1", uscc=CODE_A, name=name)])
    after = run([record("5", "c", uscc=CODE_B, name=name)], known=before.company_ids)
    assert target(after, "c:5")[0] != target(before, "a:1")[0]


names = st.sampled_from(["甲乙科技有限公司", "丙丁贸易有限公司", "戊己饲料厂", "甲乙科技股份有限公司", None])
codes = st.sampled_from([CODE_A, CODE_B, None])
row_lists = st.lists(st.tuples(names, codes, st.sampled_from(["600001", None])), min_size=1, max_size=7)


@settings(deadline=None, max_examples=60)
@given(row_lists, row_lists, st.randoms())
def test_numbers_never_change_and_order_does_not_matter(first, second, random):
    def rows(items, source):
        return [
            record(str(i), source, name=name, uscc=code, stock_code=stock)
            for i, (name, code, stock) in enumerate(items)
        ]

    early = run(rows(first, "a"))
    shuffled = rows(first, "a")
    random.shuffle(shuffled)
    assert run(shuffled).companies.equals(early.companies)
    again = run(rows(first, "a"), known=early.company_ids)
    assert again.companies.equals(early.companies)
    assert again.company_ids.equals(early.company_ids)
    later = run(rows(first, "a") + rows(second, "b"), known=early.company_ids)
    issued = early.company_ids.num_rows
    assert later.company_ids.slice(0, issued).equals(early.company_ids)
    numbers = later.companies["company_id"].to_pylist()
    assert len(set(numbers)) == len(numbers)
    resolved = {row["ref"]: row["company_id"] for row in later.company_refs.to_pylist()}
    assert all(resolved[f"a:{i}"] in numbers for i in range(len(first)))


def test_an_empty_registry_is_fine():
    result = identify(COMPANY_RECORDS.empty(), refs(), COMPANY_IDS.empty())
    assert result.companies.num_rows == result.company_refs.num_rows == result.company_ids.num_rows == 0


def test_refs_are_collected_from_every_ref_column():
    relations = pa.table(
        {"from_ref": ["person:a:1", "uscc:x"], "from_name": ["张三", "甲"], "to_ref": ["name:乙", None]}
    )
    found = collect_refs({"relation_records": relations, "other": pa.table({"operator_ref": ["name:丙"]})})
    assert set(zip(found["ref"].to_pylist(), found["name"].to_pylist(), strict=True)) == {
        ("uscc:x", "甲"),
        ("name:乙", None),
        ("name:丙", None),
    }


def test_regions_say_where_they_are_known_from():
    result = run(
        [
            record("1", name="甲乙有限公司", region_code="330212"),
            record("2", name="丙丁有限公司", address="上海市浦东新区张江路1号"),
            record("3", name="邵阳维克液压股份有限公司"),
            record("4", name="无名有限公司"),
        ]
    )
    found = {row["name"]: (row["region_code"], row["region_basis"]) for row in result.companies.to_pylist()}
    assert found == {
        "甲乙有限公司": ("330212", "declared"),
        "丙丁有限公司": ("310115", "address"),
        "邵阳维克液压股份有限公司": ("430500", "name"),
        "无名有限公司": (None, None),
    }

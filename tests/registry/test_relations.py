"""Persons and relations: mentions, self-relations, rings, branch offices, suspected kinds."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.registry import (
    COMPANY_IDS,
    COMPANY_RECORDS,
    PERSON_IDS,
    PERSON_RECORDS,
    RELATION_RECORDS,
    build_persons,
    collect_refs,
    identify,
    resolve_relations,
)


def table(declared, rows):
    fields = dict.fromkeys(key for row in rows for key in row)
    schema = pa.schema([declared.schema.field(name) for name in fields])
    return declared.conform(pa.Table.from_pylist(list(rows), schema=schema))


def company(key, name, **values):
    return {"company_ref": f"a:{key}", "source": "a", "record_key": key, "name": name, **values}


def relation(key, kind, start, end, **values):
    base = {"kind": kind, "from_ref": start, "to_ref": end, "source": "r", "record_key": key}
    return base | {"file": "r.csv", "line": 2, "load_id": "l"} | values


def person(key, name, **values):
    return {"person_ref": f"person:p:{key}", "name": name, "source": "p", "record_key": key} | values


def resolve(companies, relations, persons=(), known=None):
    records = table(COMPANY_RECORDS, companies)
    relation_records = table(RELATION_RECORDS, relations) if relations else RELATION_RECORDS.empty()
    person_records = table(PERSON_RECORDS, persons) if persons else PERSON_RECORDS.empty()
    identity = identify(records, collect_refs({"r": relation_records}), COMPANY_IDS.empty())
    people = build_persons(
        person_records,
        relation_records,
        PERSON_IDS.empty() if known is None else known,
        identity.company_refs,
    )
    result = resolve_relations(relation_records, identity.company_refs, people.persons, identity.companies)
    return identity, people, result


def of_kind(result, kind):
    return result.relations.filter(pc.equal(result.relations["kind"], kind)).to_pylist()


A, B, C = company("1", "甲乙科技有限公司"), company("2", "丙丁贸易有限公司"), company("3", "戊己饲料有限公司")


def test_loaded_relations_are_resolved_and_parallel_rows_kept():
    rows = [
        relation("1", "shareholding", "a:1", "name:丙丁贸易有限公司", ratio=0.3),
        relation("2", "shareholding", "a:1", "a:2", ratio=0.2),
        relation("3", "guarantee", "person:p:9", "a:2"),
    ]
    _, people, result = resolve([A, B], rows, [person("9", "张三", identified=True)])
    assert [row["ratio"] for row in of_kind(result, "shareholding")] == [0.3, 0.2]
    guarantee = of_kind(result, "guarantee")[0]
    assert (guarantee["from_type"], guarantee["proven"]) == ("person", True)
    assert people.persons.num_rows == 1


def test_a_relation_to_itself_is_rejected_with_its_place():
    rows = [
        relation("1", "guarantee", "a:1", "name:甲乙科技有限公司"),
        relation("2", "guarantee", "a:1", "a:2"),
    ]
    _, _, result = resolve([A, B], rows)
    assert len(of_kind(result, "guarantee")) == 1
    reject = result.rejects.to_pylist()[0]
    assert (reject["file"], reject["line"]) == ("r.csv", 2)
    assert "同一个主体" in reject["reason"]


def test_what_cannot_be_resolved_is_reported():
    twins = [company("1", "甲", short_name="恒通"), company("2", "乙", short_name="恒通"), C]
    rows = [relation("1", "investment", "brand:恒通", "a:3"), relation("2", "investment", "a:3", "name:")]
    _, _, result = resolve(twins, rows)
    assert {(row["record_key"], row["side"], row["reason"]) for row in result.unresolved.to_pylist()} == {
        ("1", "from", "ambiguous"),
        ("2", "to", "empty"),
    }


def test_a_natural_holder_is_a_mention_of_one_company_and_never_merged():
    rows = [
        relation("1", "shareholding", "name:王伟", "a:1", from_name="王伟", ratio=0.1),
        relation("2", "shareholding", "name:王伟", "a:2", from_name="王伟", ratio=0.1),
        relation("3", "shareholding", "name:王伟", "a:1", from_name="王伟", ratio=0.2),
        relation("4", "office", "person:p:1", "a:1", role="董事长"),
    ]
    _, people, result = resolve([A, B], rows, [person("1", "王伟", gender="男", birth_year=1970)])
    assert people.persons.num_rows == 3
    assert not any(people.persons["identified"].to_pylist())
    suspected = of_kind(result, "same_name_person")
    assert len(suspected) == 1
    assert suspected[0]["proven"] is False
    assert "同一家企业" in suspected[0]["evidence"]


def test_same_name_gender_and_birth_year_is_a_suspicion_unless_both_are_identified():
    traits = {"gender": "女", "birth_year": 1980}
    unsure = [person("1", "李娜", **traits), person("2", "李娜", **traits), person("3", "李娜", gender="女")]
    _, _, result = resolve([A], [], unsure)
    assert [row["proven"] for row in of_kind(result, "same_name_person")] == [False]
    sure = [row | {"identified": True} for row in unsure]
    assert of_kind(resolve([A], [], sure)[2], "same_name_person") == []


def test_an_unidentified_person_in_two_companies_proves_nothing():
    rows = [relation("1", "office", "person:p:1", "a:1"), relation("2", "office", "person:p:1", "a:2")]
    _, _, loose = resolve([A, B], rows, [person("1", "王军", gender="男", birth_year=1970)])
    assert [row["proven"] for row in of_kind(loose, "office")] == [False, False]
    _, _, firm = resolve([A, B], rows, [person("1", "王军", identified=True)])
    assert [row["proven"] for row in of_kind(firm, "office")] == [True, True]


def test_rings_of_shareholdings_are_kept_and_reported():
    rows = [
        relation("1", "shareholding", "a:1", "a:2"),
        relation("2", "shareholding", "a:2", "a:3"),
        relation("3", "shareholding", "a:3", "a:1"),
    ]
    identity, _, result = resolve([A, B, C], rows)
    assert len(of_kind(result, "shareholding")) == 3
    assert result.rings == [sorted(identity.companies["company_id"].to_pylist())]


def test_branch_offices_are_found_by_name():
    _, _, result = resolve(
        [A, company("9", "甲乙科技有限公司苏州分公司"), company("8", "无母公司苏州分公司")], []
    )
    found = of_kind(result, "branch_of")
    assert len(found) == 1
    assert found[0]["proven"]
    masked = [company("1", "***物流有限公司"), company("2", "***物流有限公司***分公司")]
    assert of_kind(resolve(masked, [])[2], "branch_of") == []


def test_shared_contact_data_is_suspicion_and_crowds_are_reported():
    address = "浙江省宁波市鄞州区百丈路158号9楼"
    pair = [
        company("1", "甲乙科技有限公司", phone="0574-87654321", email="A@b.cn", address=address),
        company(
            "2", "丙丁贸易有限公司", phone="(0574)87654321", email="a@B.cn ", address="鄞州区百丈路158号9楼"
        ),
    ]
    crowd = [company(f"c{i}", f"第{i}号人家科技有限公司", phone="13800138999") for i in range(30)]
    fake = [company(f"f{i}", f"假{i}号科技有限公司", phone="00000000000") for i in range(3)]
    _, _, result = resolve(pair + crowd + fake, [])
    for kind in ("same_phone", "same_email", "same_address"):
        assert [row["proven"] for row in of_kind(result, kind)] == [False]
    assert [(group.kind, group.members) for group in result.oversize] == [("same_phone", 30)]


def test_person_numbers_never_change():
    rows = [relation("1", "shareholding", "name:王伟", "a:1", from_name="王伟")]
    _, first, _ = resolve([A], rows, [person("5", "张三")])
    _, second, _ = resolve([A], rows, [person("5", "张三"), person("1", "李四")], known=first.person_ids)
    assert second.person_ids.slice(0, 2).equals(first.person_ids)
    assert second.persons.num_rows == 3


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a:1", "a:2", "a:9", "name:王伟", "person:p:1", "brand:无"]),
            st.sampled_from(["a:1", "a:2", "name:丙丁贸易有限公司", "name:"]),
        ),
        max_size=12,
    )
)
def test_no_relation_is_lost(ends):
    rows = [relation(str(i), "guarantee", start, end) for i, (start, end) in enumerate(ends)]
    _, _, result = resolve([A, B], rows, [person("1", "赵六")])
    kept = {row["record_key"] for row in result.relations.to_pylist() if row["source"] == "r"}
    lost = {row["record_key"] for row in result.unresolved.to_pylist()}
    selves = set(pa.array([row["row_text"] for row in result.rejects.to_pylist()], pa.string()).to_pylist())
    assert len(kept) + len(lost) + len(selves) == len(rows)
    assert not kept & lost
    assert np.all(np.asarray(result.relations["confidence"].to_pylist()) <= 1)

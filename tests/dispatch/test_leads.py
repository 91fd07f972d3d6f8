"""Leads and admission on DuckDB: what makes a lead, what keeps it out and why, one leading lead per company."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from qiaomen.bank import INSTITUTION_RECORDS
from qiaomen.catalog import CatalogRow
from qiaomen.customers import CUSTOMERS
from qiaomen.dispatch import (
    BLACKLIST_RECORDS,
    CONTACTS,
    LEADS,
    OPEN_TASKS,
    AdmissionTables,
    LeadTables,
    admit,
    build_leads,
    load_admission_rules,
    load_allocation_rules,
    load_deadlines,
    load_openers,
    load_reasons,
    load_traits,
)
from qiaomen.opportunities import OPPORTUNITIES, OPPORTUNITY_SIGNALS
from qiaomen.prospects import LONG_LIST
from qiaomen.reach import REACH
from qiaomen.registry import COMPANIES, COMPANY_REFS
from qiaomen.scoring import OFFERS, TIERS
from qiaomen.store import Engine
from qiaomen.vocab import CatalogInvalid, Table

AS_OF = date(2026, 3, 1)


def rows(table: Table, *given: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(
        [{name: row.get(name) for name in table.names} for row in given], schema=table.schema
    )


def opportunity(number: str, company: int, **more: Any) -> dict[str, Any]:
    return {
        "opportunity_id": number,
        "company_id": company,
        "kind": "gov_bid_won",
        "group": "bidding",
        "polarity": "marketing",
        "title": f"事件{number}",
        "occurred_on": date(2026, 2, 20),
        "published_on": date(2026, 2, 21),
        "amount_cny": 12_340_000.0,
        "grade": "high",
        "value": 0.8,
        "status": "active",
        "source": "feed",
    } | more


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(threads=1, memory="500MB") as engine:
        yield engine


class World:
    """The tables of a small bank; a test replaces what it is about."""

    def __init__(self) -> None:
        self.tables: dict[Table, pa.Table] = {}
        self.set(
            COMPANIES,
            *({"company_id": n, "name": f"企业{n}", "status": "存续", "region_code": "310115",
               "founded_on": date(2015, 1, 31), "industry_code": "C3973"} for n in range(1, 11)),
        )  # fmt: skip
        self.set(
            INSTITUTION_RECORDS,
            {"institution_code": "B1", "region_codes": "31;3205"},
            {"institution_code": "HQ"},
        )

    def set(self, table: Table, *given: dict[str, Any]) -> None:
        self.tables[table] = rows(table, *given)

    def of(self, engine: Engine, table: Table) -> Any:
        return engine.memory(self.tables.get(table, table.empty()))

    def leads(self, engine: Engine, **settings: float) -> Any:
        names = (OPPORTUNITIES, OPPORTUNITY_SIGNALS, LONG_LIST, TIERS, OFFERS, CUSTOMERS, REACH)
        tables = LeadTables(*(self.of(engine, table) for table in names))
        return build_leads(tables, replace(load_allocation_rules(), **settings))

    def judged(self, engine: Engine) -> dict[int, dict[str, Any]]:
        leads = engine.memory(engine.arrow(self.leads(engine)))
        names = (
            COMPANIES,
            OPPORTUNITIES,
            BLACKLIST_RECORDS,
            COMPANY_REFS,
            INSTITUTION_RECORDS,
            OPEN_TASKS,
            CONTACTS,
        )
        tables = AdmissionTables(*(self.of(engine, table) for table in names))
        found = engine.arrow(admit(leads, tables, load_admission_rules(), AS_OF), LEADS)
        return {row["company_id"]: row for row in found.to_pylist()}

    def listed(self, engine: Engine, **settings: float) -> list[dict[str, Any]]:
        found = engine.arrow(self.leads(engine, **settings), LEADS).to_pylist()
        return sorted(found, key=lambda row: (row["company_id"], row["origin"]))


@pytest.fixture
def world() -> World:
    return World()


def test_marketing_and_retention_make_leads_and_warnings_do_not(world: World, engine: Engine) -> None:
    world.set(
        CUSTOMERS,
        {"company_id": 2, "status": "正常", "customer_no": "C2"},
        {"company_id": 5, "status": "销户"},
    )
    world.set(
        OPPORTUNITIES,
        opportunity("a", 1),
        opportunity("b", 2, polarity="retention", group="in_bank", expires_on=date(2026, 4, 1)),
        opportunity("c", 2, polarity="retention"),
        opportunity("d", 3, polarity="veto", grade=None, severity="高"),
        opportunity("e", 3, polarity="warning", grade=None, severity="高"),
        opportunity("f", 4, polarity="retention"),
        opportunity("g", 5, polarity="both", status="expired"),
        opportunity("h", 5, value=0.05),
        opportunity("i", None),  # type: ignore[arg-type]
    )
    found = world.listed(engine)
    assert [(row["company_id"], row["origin"], row["is_customer"]) for row in found] == [
        (1, "opportunity", False),
        (2, "expiry", True),
        (2, "retention", True),
    ]
    assert found[0]["why_now"] == "事件a（2026-02-20，1234万元，来源：feed）"


def test_a_lead_names_its_product_and_joins_the_why_now(world: World, engine: Engine) -> None:
    world.set(
        OPPORTUNITIES,
        opportunity("a", 1, value=0.9),
        opportunity("b", 1, value=0.5, amount_cny=None, occurred_on=None, published_on=None),
        opportunity("c", 2),
        opportunity("d", 3),
    )
    world.set(
        TIERS, *({"company_id": n, "tier": "prime", "priority": 90.0, "product": "kqd"} for n in (1, 2))
    )
    world.set(OFFERS, {"company_id": 2, "product": "zcd", "rank": 1, "opportunity_id": "c"})
    world.set(OPPORTUNITY_SIGNALS, {"opportunity_id": "d", "signal": "credit", "products": "ldzj;dyd"})
    world.set(REACH, {"company_id": 1, "warmth": 0.5})
    first, second, third = world.listed(engine)
    assert (first["product"], second["product"], third["product"]) == ("kqd", "zcd", "ldzj")
    assert first["opportunity_id"] == "a"
    assert "；另：事件b（日期不详，来源：feed）" in first["why_now"]
    assert first["priority"] == pytest.approx(0.5 * 90 + 0.35 * 90 + 0.15 * 50)
    assert third["tier"] is None
    assert first["lead_id"] == world.listed(engine)[0]["lead_id"], "stable over runs"


def test_the_top_of_the_long_list_makes_leads_for_prospects(world: World, engine: Engine) -> None:
    world.set(CUSTOMERS, {"company_id": 3, "customer_no": "C3"})
    world.set(
        LONG_LIST,
        {"company_id": 1, "recipe": "park", "rank": 1, "strength": 0.9, "reason": "同园区"},
        {"company_id": 1, "recipe": "chain", "rank": 2, "strength": 0.4, "reason": "同链"},
        {"company_id": 2, "recipe": "park", "rank": 9, "strength": 0.1, "reason": "同园区"},
        {"company_id": 3, "recipe": "park", "rank": 2, "strength": 0.9, "reason": "已是客户"},
    )
    found = world.listed(engine, list_top=5)
    assert [(row["company_id"], row["origin"], row["recipe"], row["why_now"]) for row in found] == [
        (1, "long_list", "park", "同园区；另：同链")
    ]


def test_each_rule_keeps_out_with_its_ground(world: World, engine: Engine) -> None:
    world.set(OPPORTUNITIES, *(opportunity(str(n), n) for n in range(1, 11)),
        opportunity("v", 2, polarity="veto", kind="dishonest_debtor", title="列入失信被执行人", grade=None),
        opportunity("w", 3, polarity="veto", kind="dishonest_debtor", title="曾失信", grade=None, status="ended"),
        opportunity("x", 10, polarity="warning", kind="enforced_debtor", title="被执行", grade=None, amount_cny=9e6),
    )  # fmt: skip
    world.set(TIERS, {"company_id": 7, "product": "ysd", "priority": 50.0})
    changed = world.tables[COMPANIES].to_pylist()
    changed[3] |= {"status": "吊销，未注销"}
    changed[4] |= {"region_code": "440106"}
    changed[5] |= {"industry_code": "K7010", "industry_name": "房地产开发经营"}
    changed[6] |= {"founded_on": date(2025, 2, 28)}
    world.set(COMPANIES, *changed)
    world.set(BLACKLIST_RECORDS,
        {"company_ref": "uscc:1", "list_kind": "行内黑名单", "reason": "骗贷", "since": date(2020, 1, 1)},
        {"company_ref": "uscc:3", "list_kind": "行内黑名单", "reason": "已到期", "until": date(2026, 1, 1)},
        {"company_ref": "uscc:404", "list_kind": "行内黑名单"},
    )  # fmt: skip
    world.set(COMPANY_REFS, {"ref": "uscc:1", "company_id": 1}, {"ref": "uscc:3", "company_id": 3})
    world.set(OPEN_TASKS,
        {"task_id": 70, "company_id": 8, "product": "kqd", "state": "following"},
        {"task_id": 71, "company_id": 3, "product": None, "state": "unclaimed"},
        {"task_id": 72, "company_id": 9, "product": None, "state": "closed", "result": "lost",
         "closed_on": AS_OF - timedelta(days=10)},
    )  # fmt: skip
    judged = world.judged(engine)
    assert {n: row["rules"] for n, row in judged.items()} == {
        1: "blacklist", 2: "veto_event", 3: None, 4: "not_in_business", 5: "out_of_region",
        6: "sector_limit", 7: "too_young", 8: "open_task", 9: "recently_closed", 10: "enforced_large",
    }  # fmt: skip
    assert {n for n, row in judged.items() if row["admitted"]} == {3}
    assert judged[1]["grounds"] == "黑名单：行内黑名单，骗贷（自2020-01-01）"
    assert "列入失信被执行人（2026-02-21，来源：feed）" in judged[2]["grounds"]
    assert judged[5]["grounds"] == "异地：440106不在展业区域内"
    assert judged[7]["grounds"] == "成立年限不足：成立12个月，产品“ysd”要求24个月"
    assert "70号任务" in judged[8]["grounds"]


def test_contact_limits_and_refusals_keep_out(world: World, engine: Engine) -> None:
    world.set(OPPORTUNITIES, *(opportunity(str(n), n) for n in range(1, 5)))
    near, far = AS_OF - timedelta(days=3), AS_OF - timedelta(days=200)
    world.set(
        CONTACTS,
        *({"company_id": 1, "contacted_on": near, "refused": False} for _ in range(2)),
        {"company_id": 2, "contacted_on": near, "refused": False},
        {"company_id": 2, "contacted_on": far, "refused": False},
        {"company_id": 3, "contacted_on": far, "refused": True},
        {"company_id": 4, "contacted_on": AS_OF + timedelta(days=1), "refused": True},
    )
    judged = world.judged(engine)
    assert {n: row["rules"] for n, row in judged.items()} == {
        1: "recent_contact",
        2: None,
        3: "refused_contact",
        4: None,
    }
    assert "2次主动联系在30天内" in judged[1]["grounds"]


def test_a_customer_out_of_the_region_is_served(world: World, engine: Engine) -> None:
    world.set(COMPANIES, {"company_id": 1, "region_code": "440106"}, {"company_id": 2, "region_code": None},
              {"company_id": 3, "region_code": "320505"}, {"company_id": 4, "region_code": "320105"})  # fmt: skip
    world.set(CUSTOMERS, {"company_id": 1, "customer_no": "C1"})
    world.set(OPPORTUNITIES, *(opportunity(str(n), n) for n in range(1, 5)))
    judged = world.judged(engine)
    assert {n: row["admitted"] for n, row in judged.items()} == {1: True, 2: True, 3: True, 4: False}
    assert judged[2]["rules"] is None, "an unknown region is not out of area: it waits for dispatch by hand"


def test_a_whole_code_of_a_province_or_city_covers_what_is_below_it(world: World, engine: Engine) -> None:
    world.set(INSTITUTION_RECORDS, {"institution_code": "B1", "region_codes": "310000;320500;330106"})
    regions = ["310000", "310115", "320505", "320105", "330106", "330105"]
    world.set(COMPANIES, *({"company_id": n, "region_code": code} for n, code in enumerate(regions, start=1)))
    world.set(OPPORTUNITIES, *(opportunity(str(n), n) for n in range(1, 7)))
    judged = world.judged(engine)
    inside = {n for n, row in judged.items() if row["admitted"]}
    assert inside == {1, 2, 3, 5}


def admitted(world: World, engine: Engine) -> list[dict[str, Any]]:
    leads = engine.memory(engine.arrow(world.leads(engine)))
    names = (
        COMPANIES,
        OPPORTUNITIES,
        BLACKLIST_RECORDS,
        COMPANY_REFS,
        INSTITUTION_RECORDS,
        OPEN_TASKS,
        CONTACTS,
    )
    tables = AdmissionTables(*(world.of(engine, table) for table in names))
    return engine.arrow(admit(leads, tables, load_admission_rules(), AS_OF), LEADS).to_pylist()


def test_leads_of_one_company_are_joined_under_the_leading_one(world: World, engine: Engine) -> None:
    world.set(CUSTOMERS, {"company_id": 1, "customer_no": "C1"})
    world.set(
        OPPORTUNITIES,
        opportunity("a", 1, title="中标"),
        opportunity("b", 1, title="存款下降", polarity="retention", value=0.9),
    )
    found = admitted(world, engine)
    leading = [row for row in found if row["admitted"]]
    joined = [row for row in found if not row["admitted"]]
    assert [row["origin"] for row in leading] == ["retention"]
    assert "中标" in leading[0]["why_now"]
    assert [row["rules"] for row in joined] == ["joined"]


def test_a_task_that_became_of_leads_keeps_all_their_words(world: World, engine: Engine) -> None:
    world.set(
        OPPORTUNITIES,
        opportunity("a", 1, title="中标"),
        opportunity("b", 1, title="扩产", value=0.5),
        opportunity("c", 2, title="上市"),
    )
    world.set(
        OFFERS,
        {"company_id": 1, "product": "kqd", "rank": 1, "opportunity_id": "a"},
        {"company_id": 1, "product": "sbd", "rank": 1, "opportunity_id": "b"},
        {"company_id": 2, "product": "kqd", "rank": 1, "opportunity_id": "c"},
    )
    before = admitted(world, engine)
    assert sorted(row["rules"] or "" for row in before) == ["", "", "joined"]
    task = {"task_id": 1, "company_id": 1, "product": "kqd", "state": "unclaimed"}
    world.set(OPEN_TASKS, task)
    assert admitted(world, engine) == before
    world.set(OPEN_TASKS, task, task | {"task_id": 2, "company_id": 2, "product": "bl"})
    assert {row["rules"] for row in admitted(world, engine) if row["company_id"] == 2} == {"open_task"}


def test_the_catalogues_are_sound(tmp_path: Any) -> None:
    assert {rule.check for rule in load_admission_rules()} >= {"blacklist", "event", "region", "open_task"}
    assert load_traits()
    assert load_deadlines()
    assert set(load_openers()) == {"opportunity", "long_list", "retention", "expiry", "hand"}
    assert load_reasons()
    assert issubclass(type(load_reasons()[0]), CatalogRow)
    (tmp_path / "allocation_rules.csv").write_text("code,value,doc\nhold_out_share,0.9,太多\n")
    with pytest.raises(CatalogInvalid, match="hold_out_share"):
        load_allocation_rules(tmp_path)
    (tmp_path / "allocation_rules.csv").write_text("code,value,doc\nunknown,1,x\n")
    with pytest.raises(CatalogInvalid, match="unknown"):
        load_allocation_rules(tmp_path)
    (tmp_path / "sla.csv").write_text("code,hours,action,doc\nsleeping,1,remind,x\n")
    with pytest.raises(CatalogInvalid, match="sleeping"):
        load_deadlines(tmp_path)


def test_further_reasons_name_the_firm_once_and_stand_in_one_list() -> None:
    import ibis

    from qiaomen.dispatch.leads import with_others

    def said(first: str, others: str | None) -> str:
        table = ibis.memtable(pa.table({"first": [first], "others": pa.array([others], pa.string())}))
        found: str = with_others(table.first, table.others).as_scalar().execute()
        return found

    assert said("甲公司：中标（a）", None) == "甲公司：中标（a）"
    assert said("甲公司：中标（a）", "甲公司：增资（b）") == "甲公司：中标（a）；另：增资（b）"
    assert said("甲公司：中标；另：增资", "甲公司：迁址；另：招聘") == "甲公司：中标；另：增资；迁址；招聘"
    assert said("同园区", "同链") == "同园区；另：同链"

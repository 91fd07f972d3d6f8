"""The company profile: order, evidence, scope and masking, and finding a company by any key."""

import datetime as dt
import json

import pyarrow as pa
import pytest

from qiaomen.bank import Viewer
from qiaomen.chains import CHAIN_NODES, COMPANY_NODES
from qiaomen.customers import CUSTOMERS, DEALINGS, OUTCOMES
from qiaomen.dispatch import BLACKLIST_RECORDS
from qiaomen.opportunities import OPPORTUNITIES
from qiaomen.parks import PARK_RESIDENTS, PARKS
from qiaomen.reach import INTRODUCTIONS, REACH
from qiaomen.registry import (
    COMPANIES,
    COMPANY_CHANGES,
    COMPANY_NAMES,
    COMPANY_RECORDS,
    COMPANY_REFS,
    PERSONS,
    RELATIONS,
    normalise_name,
)
from qiaomen.reports import (
    CompanyProfile,
    FileReads,
    HeldReads,
    Words,
    brief_of,
    build_search_index,
    company_profile,
    find_company,
    money,
)
from qiaomen.scoring import OFFERS, SCORES, TIERS
from qiaomen.store import Lake
from qiaomen.supply import SUPPLY_PAIRS, SUPPLY_TOTALS
from qiaomen.tags import COMPANY_TAGS
from qiaomen.vocab import NotAllowed, NotFound, Role

CODE = "91330106FG3HT7823E"
SOURCE = {"source": "s", "record_key": "1"}
D = dt.date


def path_record():
    company = {"type": "company", "goods": False, "hidden": False}
    hop = {
        "kind": "shareholding",
        "start": company | {"id": 1, "name": "浙江恒通精密机械有限公司"},
        "end": company | {"id": 2, "name": "上海远大国际贸易有限公司"},
        "along": True,
        "role": None,
        "ratio": 0.3,
        "amount_cny": 5e6,
        "count": None,
        "since": None,
        "until": None,
        "observed_on": "2025-01-01",
        "proven": True,
        "confidence": 1.0,
        "evidence": ["持股 30%"],
        "also": [],
    }
    return {
        "company_id": 1,
        "customer_id": 2,
        "warmth": 0.5,
        "basis": "direct",
        "proven": True,
        "hops": [hop],
    }


ROWS = {
    COMPANIES: [
        {
            "company_id": 1,
            "uscc": CODE,
            "name": "浙江恒通精密机械有限公司",
            "name_norm": "浙江恒通精密机械有限公司",
            "short_name": "恒通机械",
            "origin": "registry",
            "status": "存续",
            "legal_representative": "王小明",
            "region_code": "330106",
            "founded_on": D(2010, 5, 1),
            "phone": "13800138000",
            "capital_cny": 5e7,
            "conflicts": json.dumps({"legal_representative": [["王小明", "s"], ["李四", "t"]]}),
            "sources": "s;t",
        },
        {
            "company_id": 2,
            "name": "上海远大国际贸易有限公司",
            "name_norm": "上海远大国际贸易有限公司",
            "origin": "registry",
        },
        {"company_id": 3, "name": "苏州恒丰有限公司", "name_norm": "苏州恒丰有限公司", "origin": "registry"},
        {
            "company_id": 4,
            "name": "宁波恒丰有限公司",
            "name_norm": "宁波恒丰有限公司",
            "origin": "registry",
            "status": "吊销",
        },
    ],
    CUSTOMERS: [
        {"company_id": 2, "customer_no": "C2", "institution_code": "B2", "manager_no": "M2", "status": "正常"}
    ],
    DEALINGS: [
        SOURCE
        | {
            "company_id": 2,
            "kind": "loan",
            "balance_cny": 3e6,
            "started_on": D(2024, 1, 1),
            "status": "active",
        }
    ],
    OUTCOMES: [
        SOURCE | {"company_id": 2, "channel": "拜访", "responded": True, "contacted_on": D(2025, 3, 1)}
    ],
    OPPORTUNITIES: [
        {
            "opportunity_id": "o1",
            "company_id": 1,
            "kind": "bid_won",
            "polarity": "marketing",
            "title": "中标地铁项目",
            "occurred_on": D(2026, 4, 1),
            "published_on": D(2026, 4, 2),
            "amount_cny": 1.2e7,
            "status": "active",
            "value": 0.9,
            "grade": "high",
            "evidence": "公告原文｜announcements/s/1",
            "counterparty": "杭州银行股份有限公司",
        },
        {
            "opportunity_id": "o2",
            "company_id": 3,
            "kind": "dishonest",
            "polarity": "veto",
            "title": "被列为失信被执行人",
            "occurred_on": D(2026, 3, 1),
            "status": "active",
            "severity": "高",
            "evidence": "公示｜feed/s/2",
        },
    ],
    OFFERS: [
        {
            "company_id": 1,
            "product": "P1",
            "rank": 1,
            "response_index": 82.0,
            "basis": "opportunity",
            "reason": "中标",
        }
    ],
    SCORES: [],
    TIERS: [{"company_id": 1, "tier": "prime", "priority": 77.0, "response_index": 82.0}],
    REACH: [],
    INTRODUCTIONS: [
        {
            "company_id": 1,
            "rank": 1,
            "customer_id": 2,
            "kind": "path",
            "hops": 1,
            "warmth": 0.5,
            "proven": True,
            "path": json.dumps(path_record(), ensure_ascii=False),
            "wording": "经股权到上海远大国际贸易有限公司",
        }
    ],
    SUPPLY_PAIRS: [
        {
            "supplier_id": 1,
            "buyer_id": 2,
            "count": 5,
            "amount_cny": 9e6,
            "share_of_sales": 0.4,
            "core_buyer": True,
            "evidence": "发票 5 张",
        }
    ],
    SUPPLY_TOTALS: [
        {"company_id": 1, "side": "sales", "known_cny": 2e7, "counterparties": 6, "judged": True}
    ],
    CHAIN_NODES: [
        {"node_code": "n1", "node_name": "数控机床", "chain_code": "c1", "path": "高端装备/中游/数控机床"}
    ],
    COMPANY_NODES: [
        {
            "company_id": 1,
            "node_code": "n1",
            "chain_code": "c1",
            "stage": "midstream",
            "basis": "scope",
            "confidence": 0.8,
            "evidence": "经营范围｜companies/s/1",
        }
    ],
    PARKS: [{"park_code": "p1", "name": "未来科技园"}],
    PARK_RESIDENTS: [
        {"company_id": 1, "park_code": "p1", "basis": "address", "evidence": "地址含“未来科技园”"}
    ],
    COMPANY_TAGS: [{"company_id": 1, "tag": "high_tech", "evidence": "名单｜list_tags/s/1"}],
    PERSONS: [{"person_id": 7, "person_ref": "person:s:7", "name": "张大伟", "identified": True}],
    RELATIONS: [
        SOURCE
        | {
            "kind": "office",
            "from_type": "person",
            "from_id": 7,
            "to_type": "company",
            "to_id": 1,
            "role": "董事长",
            "proven": True,
            "evidence": "公示",
        },
        SOURCE
        | {
            "kind": "shareholding",
            "from_type": "company",
            "from_id": 1,
            "to_type": "company",
            "to_id": 2,
            "ratio": 0.3,
            "proven": True,
            "evidence": "年报",
        },
        SOURCE
        | {
            "kind": "same_phone",
            "from_type": "company",
            "from_id": 1,
            "to_type": "company",
            "to_id": 3,
            "proven": False,
            "evidence": "登记电话相同",
        },
    ],
    COMPANY_REFS: [
        {"ref": "s:1", "company_id": 1, "how": "record", "confidence": 1.0},
        {"ref": "s:3", "company_id": 3, "how": "record"},
    ],
    COMPANY_RECORDS: [SOURCE | {"company_ref": "s:1", "observed_on": D(2026, 1, 1)}],
    COMPANY_CHANGES: [
        SOURCE
        | {
            "company_ref": "s:1",
            "field": "capital_cny",
            "old_value": "1000万",
            "new_value": "5000万",
            "changed_on": D(2025, 6, 1),
        }
    ],
    BLACKLIST_RECORDS: [
        SOURCE | {"company_ref": "s:3", "list_kind": "行内黑名单", "reason": "骗贷", "since": D(2025, 1, 1)}
    ],
}


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    stage = Lake(tmp_path_factory.mktemp("lake")).stage()
    tables = {}
    for declared, rows in ROWS.items():
        fields = dict.fromkeys(key for row in rows for key in row)
        schema = pa.schema([declared.schema.field(name) for name in fields])
        tables[declared.name] = (
            declared.conform(pa.Table.from_pylist(rows, schema=schema)) if rows else declared.empty()
        )
        stage.write(declared, tables[declared.name])
    companies = tables["companies"]
    named = [
        (row["company_id"], row["name"], normalise_name(row["name"]), "legal") for row in ROWS[COMPANIES]
    ]
    columns = [list(column) for column in zip(*named, strict=True)]
    names = COMPANY_NAMES.conform(
        pa.table(dict(zip(("company_id", "name", "name_norm", "kind"), columns, strict=True)))
    )
    stage.write(COMPANY_NAMES, names)
    stage.write_arrays("search_index", build_search_index(companies, names))
    return stage.publish({"as_of": "2026-05-01"})


@pytest.fixture(params=[FileReads, HeldReads])
def reads(request, snapshot):
    return request.param(snapshot)


def viewer(role, **values):
    return Viewer(user_id=1, login="u", name="某", roles=frozenset({role}), **values)


ANALYST = viewer(Role.ANALYST, whole_bank=True)
STRANGER = viewer(Role.MANAGER, staff_no="M9", homes=frozenset({"B9"}))
OWNER = viewer(Role.MANAGER, staff_no="M2", homes=frozenset({"B2"}))
WORDS = Words(institutions={"B2": "滨江支行"}, staff={"M2": "钱经理"})


def test_the_profile_says_everything_in_order(reads):
    profile = company_profile(ANALYST, reads, CODE, WORDS)
    assert list(CompanyProfile.model_fields)[:9] == [
        "generation",
        "as_of",
        "head",
        "verdict",
        "timeline",
        "products",
        "ways_in",
        "contacts",
        "dealings",
    ]
    assert profile.as_of == D(2026, 5, 1)
    assert profile.head.region == "浙江省杭州市西湖区"
    assert profile.head.light == "green"
    assert profile.verdict.startswith(
        "潜客、分层优质；2026-04-01 bid_won：中标地铁项目 （1,200万元）；首推P1"
    )
    assert [line.on for line in profile.timeline] == sorted(
        (line.on for line in profile.timeline), reverse=True
    )
    assert profile.suppliers == ()
    assert (profile.buyers[0].name, profile.buyers[0].core) == ("上海远大国际贸易有限公司", True)
    assert profile.chains[0].text == "高端装备/中游/数控机床（把握 80%）"
    assert profile.parks[0].text == "未来科技园"
    assert profile.holdings[0].company_id == 2
    assert profile.officers[0].text == "张** 任职 董事长", "head office reads no person's name"
    assert company_profile(STRANGER, reads, CODE, WORDS).officers[0].text == "张大伟 任职 董事长"
    assert profile.suspected[0].proven is False
    assert "未证实" in profile.suspected[0].text
    assert profile.traces_elsewhere[0].text.startswith("bid_won：中标")
    assert profile.data_dates[0].observed_on == D(2026, 1, 1)
    every = (*profile.timeline, *profile.chains, *profile.parks, *profile.tags, *profile.holdings)
    assert all(line.evidence for line in every)


def test_a_red_light_comes_before_everything(reads):
    profile = company_profile(ANALYST, reads, "3", WORDS)
    assert profile.head.light == "red"
    assert profile.verdict.startswith("暂不营销：行内黑名单：骗贷")
    assert {line.kind for line in profile.risks} == {"blacklist", "veto"}
    assert company_profile(ANALYST, reads, 4, WORDS).head.light == "red"
    assert brief_of(profile).how_to_open[0].startswith("准入红灯")


def test_a_customer_outside_the_scope_stays_hidden(reads):
    mine, theirs = (company_profile(who, reads, 2, WORDS) for who in (OWNER, STRANGER))
    assert mine.head.customer.customer_no == "C2"
    assert mine.head.customer.manager == "钱经理"
    assert mine.dealings[0].amount_cny == 3e6
    assert mine.marketing[0].text.startswith("拜访")
    assert theirs.head.customer.shown_as == "滨江支行客户（需申请转介）"
    assert theirs.head.customer.customer_no is None
    assert theirs.dealings == theirs.marketing == ()
    assert "C2" not in theirs.model_dump_json()


def test_ways_in_hide_customers_outside_the_scope(reads):
    seen = company_profile(OWNER, reads, 1, WORDS).ways_in[0]
    hidden = company_profile(STRANGER, reads, 1, WORDS).ways_in[0]
    assert "上海远大" in seen.steps[0].text
    assert "上海远大" not in hidden.model_dump_json()
    assert "滨江支行客户（需申请转介）" in hidden.model_dump_json()
    assert hidden.steps[0].amount_cny is None


def test_sensitive_columns_are_masked_for_an_integrator(reads):
    machine = viewer(Role.INTEGRATOR, whole_bank=True)
    profile = company_profile(machine, reads, 1, WORDS)
    text = profile.model_dump_json()
    assert all(word not in text for word in ("王小明", "李四", "张大伟", "13800138000"))


def test_an_administrator_sees_no_company(reads):
    with pytest.raises(NotAllowed):
        company_profile(viewer(Role.ADMINISTRATOR), reads, 1, WORDS)


def test_keys(reads):
    assert [choice.company_id for choice in find_company(ANALYST, reads, CODE)] == [1]
    assert [choice.company_id for choice in find_company(ANALYST, reads, "2")] == [2]
    assert find_company(ANALYST, reads, "上海远大国际贸易有限公司")[0].is_customer
    assert {choice.company_id for choice in find_company(ANALYST, reads, "恒丰")} == {3, 4}
    assert [choice.company_id for choice in find_company(ANALYST, reads, "zjht")] == [1]
    for key in ("没有这家", "", "999999"):
        with pytest.raises(NotFound):
            find_company(ANALYST, reads, key)
    with pytest.raises(NotFound, match="2 家企业"):
        company_profile(ANALYST, reads, "恒丰", WORDS)


def test_the_record_is_json_with_a_schema(reads):
    profile = company_profile(ANALYST, reads, 1, WORDS)
    again = CompanyProfile.model_validate_json(profile.model_dump_json())
    assert again == profile
    assert CompanyProfile.model_json_schema()["additionalProperties"] is False


def test_the_brief_fits_a_page(reads):
    brief = brief_of(company_profile(ANALYST, reads, 1, WORDS))
    assert brief.title == "浙江恒通精密机械有限公司"
    assert brief.why_now[0].text.endswith("（价值高）")
    assert brief.who_opens[0].rank == 1
    assert len(brief.how_to_open) <= 5
    assert brief.must_not


def test_an_empty_lake_has_nobody(tmp_path):
    with pytest.raises(NotFound):
        find_company(ANALYST, FileReads(Lake(tmp_path).snapshot()), "1")


def test_money_is_said_in_wan_and_yi():
    assert [money(value) for value in (None, 0, 12.5, 1.2e7, 3.456e9, -2e4)] == [
        "",
        "0元",
        "12.5元",
        "1,200万元",
        "34.56亿元",
        "-2万元",
    ]

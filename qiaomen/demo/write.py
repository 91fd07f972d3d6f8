"""Writes a drawn city as the bank's input files and, apart from them, its known answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qiaomen.demo import bank, words
from qiaomen.demo.city import DEMO_AS_OF, City
from qiaomen.demo.dealings import FLOW_COLUMNS
from qiaomen.demo.files import write_rows, write_workbook
from qiaomen.demo.outcomes import MODEL


def write_inputs(city: City, inbox: Path) -> dict[str, int]:
    """Write every input file and return rows by file name."""
    inbox.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    for name, columns in _files(city).items():
        counts[name] = write_rows(inbox / name, columns)
    counts.update(_customer_lists(city, inbox))
    return counts


def _pick(values: Sequence[Any], indexes: Sequence[int]) -> list[Any]:
    return [values[index] if index >= 0 else "" for index in indexes]


def _files(city: City) -> dict[str, dict[str, Sequence[Any]]]:
    return {**_market_files(city), **_bank_files(city)}


def _market_files(city: City) -> dict[str, dict[str, Sequence[Any]]]:
    operators = _pick(city.companies.uscc, city.operators)
    return {
        "companies.csv": _companies(city),
        "persons.csv": {
            "person_no": city.persons.number,
            "name": city.persons.name,
            "gender": city.persons.gender,
            "birth_year": city.persons.birth_year,
        },
        "relations.csv": _relations(city),
        "goods.csv": _goods(city),
        "company_goods.csv": _company_goods(city),
        "parks.csv": {**bank.park_columns(operators)},
        "park_residents.csv": _park_residents(city),
        "supply.csv": {
            "supplier_uscc": _pick(city.companies.uscc, city.trade.supplier),
            "buyer_uscc": _pick(city.companies.uscc, city.trade.buyer),
            "月份": city.trade.month,
            "amount_cny": city.trade.amount_cny,
            "count": city.trade.count,
        },
        "opportunities.csv": _opportunities(city),
        "company_changes.csv": {
            "uscc": _pick(city.companies.uscc, city.changes.company),
            "field": city.changes.item,
            "old_value": city.changes.old_value,
            "new_value": city.changes.new_value,
            "changed_on": city.changes.changed_on,
        },
        "announcements.csv": {
            "公告编号": city.announcements.number,
            "标题": city.announcements.title,
            "正文": city.announcements.text,
            "发布机构": city.announcements.publisher,
            "发布日期": city.announcements.published_on,
        },
    }


def _bank_files(city: City) -> dict[str, dict[str, Sequence[Any]]]:
    return {
        "institutions.csv": {**bank.institution_columns()},
        "staff.csv": {
            "staff_no": city.staff.number,
            "name": city.staff.name,
            "role": city.staff.role,
            "institution_code": city.staff.institution,
            "capacity": city.staff.capacity,
            "specialities": city.staff.specialities,
            "since": city.staff.since,
        },
        "dealings.csv": _dealings(city),
        "cashflows.csv": _cashflows(city),
        "list_tags.csv": {
            "uscc": _pick(city.companies.uscc, city.listed.company),
            "name": _pick(city.companies.name, city.listed.company),
            "list_code": city.listed.list_code,
            "level": city.listed.level,
            "authority": city.listed.authority,
            "since": city.listed.since,
            "until": city.listed.until,
        },
        "blacklist.csv": _blacklist(city),
        "outcomes.csv": {
            "uscc": _pick(city.companies.uscc, city.outcomes.company),
            "product": city.outcomes.product,
            "contacted_on": city.outcomes.contacted_on,
            "channel": city.outcomes.channel,
            "responded": city.outcomes.responded,
            "responded_on": city.outcomes.responded_on,
            "amount_cny": city.outcomes.amount_cny,
            "staff_no": city.outcomes.staff,
        },
    }


def _companies(city: City) -> dict[str, Sequence[Any]]:
    companies = city.companies
    return {
        "企业编号": companies.number,
        "统一社会信用代码": companies.uscc,
        "企业名称": companies.name,
        "简称": companies.brand,
        "登记状态": companies.status,
        "企业类型": ["分公司" if "分公司" in name else "有限责任公司" for name in companies.name],
        "成立日期": companies.founded_on,
        "capital_cny": companies.capital_cny,
        "法定代表人": _pick(city.persons.name, companies.legal_representative),
        "行政区划代码": [words.DISTRICTS[district][0] for district in companies.district],
        "注册地址": companies.address,
        "行业代码": companies.industry_code,
        "经营范围": companies.scope,
        "电话": companies.phone,
        "邮箱": companies.email,
        "参保人数": companies.employees,
        "营业收入": companies.revenue_cny,
        "上市板块": companies.board,
        "经度": companies.lon,
        "纬度": companies.lat,
        "数据日期": [DEMO_AS_OF] * len(companies),
    }


def _relations(city: City) -> dict[str, Sequence[Any]]:
    rows = city.relations.rows
    people_from = [row["from"][1] if row["from"][0] == "person" else -1 for row in rows]
    companies_from = [row["from"][1] if row["from"][0] == "company" else -1 for row in rows]
    columns: dict[str, Sequence[Any]] = {
        "kind": [row["kind"] for row in rows],
        "from_person_no": _pick(city.persons.number, people_from),
        "from_uscc": _pick(city.companies.uscc, companies_from),
        "to_uscc": [city.companies.uscc[row["to"][1]] for row in rows],
        "to_name": [city.companies.name[row["to"][1]] for row in rows],
    }
    columns["from_name"] = [
        city.persons.name[person] if person >= 0 else city.companies.name[company]
        for person, company in zip(people_from, companies_from, strict=True)
    ]
    for name in ("role", "ratio", "amount_cny", "count", "since", "until", "observed_on", "evidence"):
        columns[name] = [row.get(name) for row in rows]
    return columns


def _goods(city: City) -> dict[str, Sequence[Any]]:
    names = sorted({word for node in city.nodes for word in node.goods})
    return {"goods_name": names}


def _company_goods(city: City) -> dict[str, Sequence[Any]]:
    codes: list[str] = []
    names: list[str] = []
    shares: list[float] = []
    for uscc, goods in zip(city.companies.uscc, city.companies.goods, strict=True):
        for position, name in enumerate(goods):
            codes.append(uscc)
            names.append(name)
            shares.append(round(0.9 / 2 ** (position + (len(goods) > 1)), 4))
    return {"uscc": codes, "产品名称": names, "收入占比": [f"{share:.2%}" for share in shares]}


def _park_residents(city: City) -> dict[str, Sequence[Any]]:
    # A third of the parks keep a list; elsewhere the address has to tell.
    rows = [
        (city.companies.uscc[index], f"PK{park + 1:02d}", city.companies.founded_on[index])
        for index, park in enumerate(city.companies.park)
        if park >= 0 and park % 3 == 0
    ]
    return {
        "uscc": [row[0] for row in rows],
        "park_code": [row[1] for row in rows],
        "since": [row[2] for row in rows],
    }


def _opportunities(city: City) -> dict[str, Sequence[Any]]:
    feed = city.feed
    return {
        "统一社会信用代码": _pick(city.companies.uscc, feed.company),
        "企业名称": _pick(city.companies.name, feed.company),
        "商机类型": feed.kind,
        "标题": feed.title,
        "发生日期": feed.occurred_on,
        "发布日期": feed.published_on,
        "到期日期": feed.expires_on,
        "金额": feed.amount_cny,
        "对方": feed.counterparty,
    }


def _dealings(city: City) -> dict[str, Sequence[Any]]:
    drawn = city.dealings
    return {
        "customer_no": _pick(city.customers.number, drawn.customer),
        "dealing_no": drawn.number,
        "kind": drawn.kind,
        "product": drawn.product,
        "amount_cny": drawn.amount_cny,
        "balance_cny": drawn.balance_cny,
        "limit_cny": drawn.limit_cny,
        "started_on": drawn.started_on,
        "due_on": drawn.due_on,
        "status": drawn.status,
    }


def _cashflows(city: City) -> dict[str, Sequence[Any]]:
    columns: dict[str, Sequence[Any]] = {
        "customer_no": _pick(city.customers.number, city.flows.customer),
        "month": city.flows.month,
    }
    columns.update({name: city.flows.amounts[name] for name in FLOW_COLUMNS})
    columns["counterparties"] = city.flows.counterparties
    return columns


def _blacklist(city: City) -> dict[str, Sequence[Any]]:
    kinds = ("行内黑名单", "失信被执行人", "行业限制")
    return {
        "uscc": _pick(city.companies.uscc, city.blacklisted),
        "name": _pick(city.companies.name, city.blacklisted),
        "名单类型": [kinds[position % 3] for position in range(len(city.blacklisted))],
        "原因": [
            "历史逾期" if position % 3 == 0 else "监管公示" for position in range(len(city.blacklisted))
        ],
        "列入日期": [DEMO_AS_OF.replace(year=2025)] * len(city.blacklisted),
    }


def _customer_lists(city: City, inbox: Path) -> dict[str, int]:
    """Write the list in two files: the core system's workbook, and a sub-branch's CSV in GB18030."""
    customers = city.customers
    columns: dict[str, Sequence[Any]] = {
        "客户号": customers.number,
        "客户名称": customers.name,
        "统一社会信用代码": customers.code,
        "注册地址": customers.address,
        "联系电话": customers.phone,
        "法定代表人": customers.representative,
        "注册资本": customers.capital,
        "管户机构": customers.institution,
        "客户经理工号": customers.manager,
        "开户日期": customers.opened_on,
    }
    cut = len(customers) * 17 // 20
    front = {name: values[:cut] for name, values in columns.items()}
    back = {name: values[cut:] for name, values in columns.items()}
    book, sheet = inbox / "存量客户清单.xlsx", inbox / "客户清单_补报.csv"
    return {
        book.name: write_workbook(book, front, "客户"),
        sheet.name: write_rows(sheet, back, encoding="gb18030", line_end="\r\n"),
    }


def write_answers(city: City, folder: Path) -> None:
    """Write the known answers: true matches, chain nodes, paths, texts and the model of response."""
    folder.mkdir(parents=True, exist_ok=True)
    companies, customers, said = city.companies, city.customers, city.announcements
    write_rows(
        folder / "matches.csv",
        {
            "customer_no": customers.number,
            "uscc": _pick(companies.uscc, customers.truth),
            "dirt": customers.dirt,
        },
    )
    sitting = [index for index, node in enumerate(companies.node) if node >= 0]
    write_rows(
        folder / "nodes.csv",
        {
            "uscc": [companies.uscc[index] for index in sitting],
            "node_code": [city.nodes[companies.node[index]].code for index in sitting],
        },
    )
    write_rows(
        folder / "paths.csv",
        {
            "prospect_uscc": [companies.uscc[path.prospect] for path in city.known_paths],
            "person_no": [city.persons.number[path.person] for path in city.known_paths],
            "customer_uscc": [companies.uscc[path.customer] for path in city.known_paths],
        },
    )
    write_rows(
        folder / "texts.csv",
        {
            "announcement_no": said.number,
            "kind": said.kind,
            "uscc": _pick(companies.uscc, said.company),
            "amount_cny": said.amount_cny,
        },
    )
    (folder / "response_model.json").write_text(json.dumps(MODEL, indent=1) + "\n", encoding="utf-8")
    write_rows(
        folder / "responses.csv",
        {
            "uscc": companies.uscc,
            "probability": [city.response.probability(index, DEMO_AS_OF) for index in range(len(companies))],
        },
    )

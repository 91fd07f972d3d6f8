"""Made-up firms and tables for the tests of mining."""

import datetime as dt
from typing import Any

import pyarrow as pa

from qiaomen.mining import (
    ANNOUNCEMENT_RECORDS,
    Detected,
    find_in_texts,
    load_guards,
    load_kinds,
    load_text_rules,
)
from qiaomen.registry import COMPANIES, COMPANY_NAMES, COMPANY_REFS, load_money_reader
from qiaomen.vocab import Table

AS_OF = dt.date(2025, 6, 30)
KINDS = load_kinds()
MONEY = load_money_reader()
TEXT_RULES = load_text_rules()
GUARDS = load_guards()

FIRMS = {
    1: ("临港华芯微电子股份有限公司", "华芯微电"),
    2: ("浦江重工建设集团有限公司", "浦江重工"),
    3: ("张江百济生物医药有限公司", "百济生物"),
    4: ("徐汇智算科技有限公司", "智算科技"),
    5: ("嘉定远驰汽车零部件有限公司", "远驰汽配"),
}


def rows(table: Table, *given: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(given), schema=table.schema)


def companies() -> pa.Table:
    return rows(
        COMPANIES,
        *(
            {
                "company_id": number,
                "name": name,
                "short_name": short,
                "region_code": "310115",
                "origin": "registry",
            }
            for number, (name, short) in FIRMS.items()
        ),
    )


def company_names() -> pa.Table:
    given = []
    for number, (name, short) in FIRMS.items():
        given += [
            {"company_id": number, "name": name, "name_norm": name, "kind": "legal"},
            {"company_id": number, "name": short, "name_norm": short, "kind": "short"},
        ]
    return rows(COMPANY_NAMES, *given)


def company_refs() -> pa.Table:
    return rows(
        COMPANY_REFS,
        *(
            {"ref": f"name:{name}", "company_id": number, "how": "name", "confidence": 1.0}
            for number, (name, _) in FIRMS.items()
        ),
    )


def announcement(text: str, **more: Any) -> dict[str, Any]:
    return {
        "title": None,
        "text": text,
        "published_on": AS_OF,
        "source": "announcements",
        "record_key": "1",
    } | more


def read_texts(*given: dict[str, Any]) -> Detected:
    return find_in_texts(
        rows(ANNOUNCEMENT_RECORDS, *given),
        company_refs(),
        company_names(),
        rules=TEXT_RULES,
        guards=GUARDS,
        kinds=KINDS,
        money=MONEY,
        as_of=AS_OF,
    )


def read(text: str, **more: Any) -> list[dict[str, Any]]:
    return read_texts(announcement(text, **more)).findings.to_pylist()

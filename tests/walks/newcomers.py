"""What arrives after the first run: two new firms with goods, a director and news, bad rows, and an uploaded list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from qiaomen.customers import CUSTOMERS
from qiaomen.demo.companies import make_uscc
from qiaomen.jobs import apply_customer_list, load_files, silent, try_customer_list
from qiaomen.registry import COMPANIES
from tests.walks.city import Demo, write_rows

CODES: Final = (make_uscc("310115", 50_000_001), make_uscc("310115", 50_000_002))
NAMES: Final = ("上海初敲光刻胶科技有限公司", "上海再敲光刻胶科技有限公司")
PARK, NODE = "澜江高科技园", "ic.resist"
TITLE: Final = "中标集团采购"
MAPPING: Final = {
    "customer_no": "客户编码",
    "name": "户名",
    "uscc_text": "证照号",
    "institution_code": "网点",
}


@dataclass(frozen=True)
class Grown:
    """The city after a second run over what arrived, and the companies of the uploaded list."""

    demo: Demo
    director_of: str
    verified: dict[str, Any]
    doubtful: tuple[dict[str, Any], dict[str, Any]]
    load_id: str
    upload_id: str


def _plain(demo: Demo) -> list[dict[str, Any]]:
    """Return companies that are no customers, in order."""
    held = {row["company_id"] for row in demo.rows(CUSTOMERS)}
    return [
        row
        for row in demo.rows(COMPANIES)
        if row["company_id"] not in held and row["status"] == "存续" and "分公司" not in row["name"]
    ]


def grow(demo: Demo, folder: Path) -> Grown:
    """Load what arrives and upload the list; the caller runs."""
    names = {row["company_id"]: row for row in demo.rows(COMPANIES)}
    board = next(names[row["company_id"]]["uscc"] for row in demo.rows(CUSTOMERS) if row["customer_no"])
    write_files(folder, board)
    report = load_files(demo.workspace, None, [folder], silent)
    verified, one, other = _plain(demo)[10:13]
    path = folder.parent / "名单.csv"
    write_rows(path, _list(verified, one, other))
    dry = try_customer_list(demo.workspace, path, path.name, MAPPING)
    assert dry.result.count("inserted") == 2
    applied = apply_customer_list(demo.workspace, path, path.name, MAPPING)
    return Grown(demo, board, verified, (one, other), report.load_id, applied.result.load_id)


def _list(verified: dict[str, Any], one: dict[str, Any], other: dict[str, Any]) -> list[dict[str, Any]]:
    unit = "S0101"
    return [
        {
            "客户编码": "N00001",
            "户名": f" {verified['name']}",
            "证照号": verified["uscc"].lower(),
            "网点": unit,
        },
        # The name of one company beside the code of another: a person has to say.
        {"客户编码": "N00002", "户名": one["name"], "证照号": other["uscc"], "网点": unit},
        {"客户编码": "N00003", "户名": "", "证照号": "", "网点": unit},
    ]


def write_files(folder: Path, board: str) -> None:
    """Write the files that arrive; ``board`` is the credit code of the customer whose board the director sits on."""
    folder.mkdir(parents=True)
    firms: list[dict[str, Any]] = [
        {
            "企业编号": f"N{place}",
            "统一社会信用代码": code,
            "企业名称": name,
            "登记状态": "存续",
            "成立日期": "2018-05-01",
            "注册资本(万元)": "3000",
            "法定代表人": "岳新来",
            "行政区划代码": "310115",
            "注册地址": f"上海市浦东新区{PARK}创新路{place}号",
            "行业代码": "C3985",
            "经营范围": "光刻胶的研发与销售",
            "数据日期": "2026-06-30",
        }
        for place, (code, name) in enumerate(zip(CODES, NAMES, strict=True), start=1)
    ]
    nobody = dict.fromkeys(firms[0], "") | {"登记状态": "存续"}
    write_rows(folder / "companies_new.csv", [*firms, nobody])
    write_rows(
        folder / "persons_new.csv",
        [{"person_no": "NP1", "name": "岳新来", "gender": "男", "birth_year": 1975}],
    )
    seat = {
        "kind": "office",
        "from_person_no": "NP1",
        "from_uscc": "",
        "role": "董事",
        "ratio": "",
        "since": "2019-01-01",
    }
    write_rows(
        folder / "relations_new.csv",
        [
            *({**seat, "to_uscc": code} for code in (*CODES, board)),
            {
                **seat,
                "kind": "shareholding",
                "from_person_no": "",
                "from_uscc": board,
                "to_uscc": CODES[0],
                "ratio": "170%",
            },
            {
                **seat,
                "kind": "shareholding",
                "from_person_no": "",
                "from_uscc": board,
                "to_uscc": board,
                "ratio": "10%",
            },
        ],
    )
    write_rows(
        folder / "company_goods_new.csv",
        [{"uscc": code, "产品名称": "光刻胶", "收入占比": "80%"} for code in CODES],
    )
    write_rows(
        folder / "opportunities_new.csv",
        [
            {"uscc": code, "kind": "soe_bid_won", "title": TITLE, "occurred_on": "2026-06-25", "published_on": "2026-06-26",
             "金额": "800万元"} for code in CODES
        ],
    )  # fmt: skip

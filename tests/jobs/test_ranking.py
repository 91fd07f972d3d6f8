"""Steps that rank: what indicators see of the run's own choices."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from qiaomen import scoring
from qiaomen.jobs import Workspace, init_workspace, load_files, run_all, silent
from qiaomen.registry import COMPANIES

AS_OF = date(2026, 6, 30)
NAMES = [f"上海样例{number}制造有限公司" for number in range(8)]


def measured(root: Path, **settings: Any) -> list[dict[str, Any]]:
    """Run a city whose only trade ended three years ago and return its indicators."""
    workspace: Workspace = init_workspace(root, {"as_of": AS_OF, **settings})
    companies = "\n".join(["企业名称", *NAMES])
    (workspace.inbox / "companies.csv").write_text(companies + "\n", encoding="utf-8")
    trade = ["supplier_name,buyer_name,document_no,traded_on,amount_cny"]
    trade += [
        f"{NAMES[0]},{buyer},{month}-{place},2023-{month:02d}-05,{1000 * place}"
        for place, buyer in enumerate(NAMES[1:], start=1)
        for month in (1, 2, 3)
    ]
    (workspace.inbox / "supply.csv").write_text("\n".join(trade) + "\n", encoding="utf-8")
    load_files(workspace, None, [], silent)
    run_all(workspace, None, silent)
    indicators = scoring.load_indicators(workspace.overlay)
    rows: list[dict[str, Any]] = workspace.lake.snapshot().arrow(scoring.wide_table(indicators)).to_pylist()
    return rows


def test_only_marketable_companies_are_scored_tiered_and_listed(tmp_path: Path) -> None:
    workspace = init_workspace(tmp_path / "w", {"as_of": AS_OF})
    firms = [f"{name},上海市浦东新区张江路{place}号,存续" for place, name in enumerate(NAMES)]
    firms += [
        "上海***贸易有限公司,上海市浦东新区某路1号,存续",
        "上海旧样例有限公司,上海市浦东新区张江路9号,注销",
    ]
    (workspace.inbox / "companies.csv").write_text(
        "\n".join(["企业名称,注册地址,登记状态", *firms]) + "\n", encoding="utf-8"
    )
    (workspace.inbox / "supply.csv").write_text(
        f"supplier_name,buyer_name,traded_on,amount_cny\n上海从未登记有限公司,{NAMES[0]},2026-05-05,1000\n",
        encoding="utf-8",
    )
    load_files(workspace, None, [], silent)
    report = run_all(workspace, None, silent)
    # A masked name identifies nothing, so the record and the mention of it stay two companies.
    assert report.counts["marketable"] == {
        "companies": 12,
        "marketable": 8,
        "left_out_anonymous": 2,
        "left_out_mentioned_only": 1,
        "left_out_short_name_only": 0,
        "left_out_ended": 1,
    }
    snapshot = workspace.lake.snapshot()
    names = {row["company_id"]: row["name"] for row in snapshot.arrow(COMPANIES).to_pylist()}
    assert len(names) == 12
    for table in (scoring.SCORES, scoring.TIERS):
        assert {names[number] for number in snapshot.arrow(table)["company_id"].to_pylist()} == set(NAMES)


@pytest.mark.parametrize(("rule", "buyers"), [("default", 0.0), ("last_trade", 3.0)])
def test_supply_indicators_follow_the_chosen_core_rule(tmp_path: Path, rule: str, buyers: float) -> None:
    rows = measured(tmp_path / "w", core_rule=rule)
    assert max(row["sc_core_buyers"] for row in rows) == buyers

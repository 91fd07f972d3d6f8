"""Step of a run that makes the screening index: memberships of all kinds, and facts of every live company."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from qiaomen import chains, membership, opportunities, parks, reports, scoring, tags
from qiaomen.bank import INSTITUTION_RECORDS
from qiaomen.catalog import division_names, load_divisions, load_industries
from qiaomen.customers import CUSTOMERS
from qiaomen.jobs.context import Run
from qiaomen.jobs.profile import resolved
from qiaomen.membership import MEMBERSHIP_NAMES, MEMBERSHIPS
from qiaomen.reach import REACH
from qiaomen.registry import COMPANIES, COMPANY_NAMES
from qiaomen.scoring import TIERS
from qiaomen.tags import LIST_TAG_RECORDS
from qiaomen.vocab import TIER_LABELS

if TYPE_CHECKING:
    import ibis.expr.types as ir

WINDOW: Final = timedelta(days=365)
# A customer whose list names no institution is a customer all the same.
NO_INSTITUTION: Final = "none"
FACTS: Final = {
    "capital_cny": "注册资本",
    "founded_on": "成立日期",
    "employees": "参保人数",
    "revenue_cny": "营业收入",
    "listed_on": "上市日期",
    "warmth": "触达温度",
    "hops": "触达跳数",
    "priority": "营销优先级",
    "response_index": "营销响应度指数",
}


def index(run: Run) -> None:
    """Write memberships and their names, and build the index over them and the facts."""
    companies = run.table(COMPANIES)
    live = chains.live_companies(companies)
    parts = [
        tags.tag_memberships(run.arrow(tags.COMPANY_TAGS)),
        chains.chain_memberships(run.arrow(chains.COMPANY_NODES)),
        chains.goods_memberships(run.arrow(chains.COMPANY_GOODS)),
        scoring.tier_memberships(run.arrow(TIERS), run.as_of),
        parks.park_memberships(run.arrow(parks.PARK_RESIDENTS)),
        *(run.engine.arrow(part, MEMBERSHIPS) for part in _own_rows(run, live)),
    ]
    memberships = pa.concat_tables([MEMBERSHIPS.conform(part) for part in parts])
    memberships = memberships.group_by(list(MEMBERSHIPS.key)).aggregate(
        [("since", "min"), ("until", "max"), ("evidence", "min")]
    )
    memberships = memberships.rename_columns(
        [name.removesuffix("_min").removesuffix("_max") for name in memberships.column_names]
    )
    rows = run.write(MEMBERSHIPS, memberships)
    names = _names(run)
    run.write(MEMBERSHIP_NAMES, names)
    arrays = membership.build_index(
        run.arrow(MEMBERSHIPS), run.engine.arrow(_facts(run, live)), names=names, as_of=run.as_of
    )
    run.stage.write_arrays("membership_index", arrays)
    found = reports.build_search_index(run.arrow(COMPANIES), run.arrow(COMPANY_NAMES))
    run.stage.write_arrays("search_index", found)
    run.report("index", {"memberships": rows})


def _own_rows(run: Run, live: ir.Table) -> list[ir.Table]:
    """Return the memberships that no capability makes: region, industry, customer, list, opportunities of a year."""
    import ibis

    none = ibis.null("date")

    def shaped(
        rows: ir.Table,
        dimension: str,
        value: ir.Value,
        since: ir.Value,
        evidence: ir.Value,
        until: ir.Value = none,
    ) -> ir.Table:
        return rows.select(
            "company_id",
            dimension=ibis.literal(dimension),
            value=value,
            since=since,
            until=until,
            evidence=evidence,
        ).filter(ibis._.value.notnull())

    customers = run.table(CUSTOMERS)
    keeper = customers.institution_code.fill_null(NO_INSTITUTION)
    lists = resolved(run, LIST_TAG_RECORDS)
    # Entries are joined by company and list below, where the end of one would hide that another is open.
    lists = lists.filter(lists.until.isnull() | (lists.until >= ibis.literal(run.as_of)))
    issuer = ibis.coalesce(lists.authority, lists.company_name, lists.list_code)
    events = run.table(opportunities.OPPORTUNITIES)
    recent = events.filter(events.published_on >= ibis.literal(run.as_of - WINDOW))
    recent = recent.group_by(["company_id", "kind"]).aggregate(
        title=recent.title.max(), on=recent.published_on.max()
    )
    return [
        shaped(live, "region", live.region_code, none, live.address),
        shaped(live, "industry", live.industry_code, none, live.industry_name),
        shaped(customers, "customer", keeper, customers.opened_on, customers.customer_no),
        shaped(lists, "list", lists.list_code, lists.since, issuer),
        shaped(recent, "opportunity", recent.kind, recent["on"], recent.title),
    ]


def _facts(run: Run, live: ir.Table) -> ir.Table:
    """Return one row per live company with the fields that can be compared."""
    reach = run.table(REACH).select(reached_id="company_id", warmth="warmth", hops="hops")
    tiers = run.table(TIERS).select(
        tiered_id="company_id", priority="priority", response_index="response_index"
    )
    rows = live.left_join(reach, live.company_id == reach.reached_id)
    rows = rows.left_join(tiers, rows.company_id == tiers.tiered_id)
    return rows.select("company_id", *FACTS)


def _names(run: Run) -> pa.Table:
    """Return the Chinese names of values and fields."""
    rows = [("field", code, label) for code, label in FACTS.items()]
    rows += [("region", code, name) for code, name in division_names(load_divisions(run.overlay)).items()]
    rows += [("industry", row.code, row.name) for row in load_industries(run.overlay)]
    rows += [("tier", code, label) for code, label in TIER_LABELS.items()]
    rows += [("tag", tag.code, tag.name_zh) for tag in tags.load_tags(run.overlay).values()]
    rows += [("opportunity", kind.code, kind.name) for kind in opportunities.load_kinds(run.overlay).values()]
    units = run.arrow(INSTITUTION_RECORDS).select(["institution_code", "name"]).to_pylist()
    rows += [("customer", row["institution_code"], row["name"]) for row in units]
    rows += [("customer", NO_INSTITUTION, "未定机构")]
    own = pa.table(
        {
            "dimension": [row[0] for row in rows],
            "value": [row[1] for row in rows],
            "label": [row[2] for row in rows],
        }
    )
    return pa.concat_tables(
        [
            MEMBERSHIP_NAMES.conform(own),
            chains.chain_names(run.arrow(chains.CHAIN_NODES)),
            parks.park_names(run.arrow(parks.PARKS)),
        ]
    )

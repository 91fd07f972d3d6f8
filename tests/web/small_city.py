"""A small made-up city written straight into a workspace, with its logins and tasks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from small_city_rows import (
    AS_OF,
    CUSTOMER_NUMBERS,
    DISTRICTS,
    FIRMS,
    allocations,
    chains,
    company,
    customers,
    institutions,
    leads,
    memberships,
    opportunities,
    pairs,
    records,
    relations,
    rows,
    staff,
    tiers,
)

from qiaomen.bank import (
    INSTITUTION_RECORDS,
    STAFF_RECORDS,
    FirstPassword,
    create_users_for_staff,
    sync_institutions,
)
from qiaomen.chains import (
    CHAIN_NODES,
    COMPANY_GOODS,
    COMPANY_NODES,
    NODE_COUNTS,
    chain_memberships,
    chain_names,
    count_nodes,
)
from qiaomen.customers import CUSTOMER_MATCHES, CUSTOMER_RECORDS, CUSTOMERS, DEALINGS
from qiaomen.dispatch import ALLOCATIONS, LEADS, create_tasks, task_words
from qiaomen.graph import Graph, build_graph
from qiaomen.jobs import Workspace, init_workspace
from qiaomen.membership import MEMBERSHIP_NAMES, MEMBERSHIPS, build_index
from qiaomen.opportunities import OPPORTUNITIES, OPPORTUNITY_SIGNALS
from qiaomen.parks import PARK_RESIDENTS, PARKS
from qiaomen.reach import INTRODUCTIONS, REACH, load_warmth, nearness, prepare
from qiaomen.registry import COMPANIES, COMPANY_NAMES, PERSONS, RELATIONS
from qiaomen.reports import build_search_index
from qiaomen.scoring import OFFERS, TIERS
from qiaomen.store import writing
from qiaomen.supply import SUPPLY_PAIRS
from qiaomen.vocab import Table


@dataclass(frozen=True, slots=True)
class City:
    """The workspace and how to sign in."""

    workspace: Workspace
    passwords: Mapping[str, str]


def _tables() -> dict[str, tuple[Table, pa.Table]]:
    """Every table of the city by name."""
    nodes, placed = chains()
    listed_records, matches = records()
    found = opportunities()
    signals = [
        {
            "opportunity_id": row["opportunity_id"],
            "company_id": row["company_id"],
            "signal": "credit",
            "products": "kqd",
        }
        for row in found
    ]
    names = [
        {"company_id": n, "name": company(n)["name"], "name_norm": company(n)["name"], "kind": "legal"}
        for n in range(FIRMS)
    ]
    park = {
        "park_code": "PK01", "name": "张江集成电路产业园", "level": "国家级", "region_code": "310115",
        "trades": "集成电路;人工智能", "operator_id": 5, "lon": 121.6, "lat": 31.2, "radius_m": 1500.0, "residents": FIRMS // 2,
    }  # fmt: skip
    inside = {"park_code": "PK01", "basis": "address", "evidence": "地址含“张江”｜company_records/registry/1"}
    offer = {
        "product": "kqd",
        "rank": 1,
        "response_index": 80.0,
        "basis": "score",
        "reason": "高新技术企业，成立满三年",
    }
    dealing = {
        "kind": "loan",
        "amount_cny": 5e6,
        "started_on": dt.date(2026, 6, 10),
        "due_on": dt.date(2026, 7, 20),
        "status": "active",
        "source": "t",
    }
    listed: list[tuple[Table, list[dict[str, Any]]]] = [
        (COMPANIES, [company(n) for n in range(FIRMS)]),
        (COMPANY_NAMES, names),
        (
            PERSONS,
            [
                {
                    "person_id": n,
                    "person_ref": f"person:t:{n}",
                    "name": f"王海{n}",
                    "identified": True,
                    "source": "t",
                }
                for n in range(FIRMS)
            ],
        ),
        (RELATIONS, relations()),
        (CUSTOMERS, customers()),
        (CUSTOMER_RECORDS, listed_records),
        (CUSTOMER_MATCHES, matches),
        (
            DEALINGS,
            [
                dealing | {"company_id": n, "customer_no": f"C{n:04d}", "record_key": str(n)}
                for n in CUSTOMER_NUMBERS
            ],
        ),
        (TIERS, tiers()),
        (OFFERS, [offer | {"company_id": n} for n in range(FIRMS)]),
        (PARKS, [park]),
        (PARK_RESIDENTS, [inside | {"company_id": n} for n in range(0, FIRMS, 2)]),
        (OPPORTUNITIES, found),
        (OPPORTUNITY_SIGNALS, signals),
        (SUPPLY_PAIRS, pairs()),
        (LEADS, leads()),
        (ALLOCATIONS, allocations()),
    ]
    tables = {table.name: (table, rows(table, values)) for table, values in listed}
    for table, data in (
        (CHAIN_NODES, nodes),
        (COMPANY_NODES, placed),
        (INSTITUTION_RECORDS, institutions()),
        (STAFF_RECORDS, staff()),
    ):
        tables[table.name] = (table, data)
    return tables


def write_lake(workspace: Workspace) -> None:
    """Write all tables, the graph and the indexes as one generation."""
    tables = _tables()
    engine = workspace.engine()
    with workspace.lake.stage() as stage:
        for table, data in tables.values():
            stage.write(table, data)
        read = {name: stage.arrow(table) for name, (table, _) in tables.items()}
        company_nodes, chain_nodes, firms = read["company_nodes"], read["chain_nodes"], read["companies"]
        counted = count_nodes(
            engine.memory(company_nodes), chain_nodes, engine.memory(firms), engine.memory(read["customers"])
        )
        stage.write(NODE_COUNTS, engine.arrow(counted, NODE_COUNTS))
        everything = pa.concat_tables([rows(MEMBERSHIPS, memberships()), chain_memberships(company_nodes)])
        stage.write(MEMBERSHIPS, everything)
        graph = build_graph(
            read["relations"],
            read["supply_pairs"],
            company_nodes,
            COMPANY_GOODS.empty(),
            firms,
            read["persons"],
            AS_OF,
            chain_nodes=chain_nodes,
        )
        reaching = prepare(Graph.open(graph), read["customers"], AS_OF, load_warmth())
        stage.write(REACH, REACH.conform(nearness(reaching)))
        facts = firms.select(["company_id", "capital_cny", "founded_on"])
        ranked = read["tiers"].select(["company_id", "priority", "response_index"])
        stage.write_arrays(
            "membership_index",
            build_index(everything, facts.join(ranked, "company_id"), names=_names(chain_nodes), as_of=AS_OF),
        )
        stage.write_arrays("graph", graph)
        stage.write_arrays("reaching", reaching.arrays())
        stage.write_arrays("search_index", build_search_index(firms, read["company_names"]))
        stage.publish({"as_of": AS_OF.isoformat()})
    engine.close()


def _names(chain_nodes: pa.Table) -> pa.Table:
    called = ("浦东新区", "闵行区", "嘉定区")
    named = [
        {"dimension": "region", "value": code, "label": name}
        for (code, _, _), name in zip(DISTRICTS, called, strict=True)
    ]
    named += [{"dimension": "tag", "value": "high_tech", "label": "高新技术企业"}]
    return pa.concat_tables([rows(MEMBERSHIP_NAMES, named), chain_names(chain_nodes)])


def write_tasks(workspace: Workspace) -> None:
    """Make the tasks of the allocated leads."""
    snapshot = workspace.lake.snapshot()
    names = {n: company(n)["name"] for n in range(FIRMS)}
    with writing(workspace.sql) as connection:
        create_tasks(
            connection,
            snapshot.arrow(LEADS),
            snapshot.arrow(ALLOCATIONS),
            words=task_words(names, {"kqd": "科企贷"}),
            introductions=snapshot.arrow(INTRODUCTIONS),
            customers=snapshot.arrow(CUSTOMERS),
            generation=snapshot.number,
            now=workspace.moment,
        )


def build_city(root: Path, **settings: object) -> City:
    """Make the workspace with its lake, institutions, logins and tasks; ``settings`` go beside the usual ones."""
    workspace = init_workspace(
        root, {"as_of": AS_OF, "bank_name": "示范银行", "api_calls_per_minute": 1_000_000, **settings}
    )
    write_lake(workspace)
    with writing(workspace.sql) as connection:
        sync_institutions(connection, institutions(), staff())
        users = create_users_for_staff(connection, now=dt.datetime.now(dt.UTC), first=FirstPassword.LASTS)
    write_tasks(workspace)
    return City(workspace, {user.login: user.password for user in users})

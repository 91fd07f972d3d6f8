"""Chain nodes and goods as memberships, with the names that the screening language calls them by.

Reads ``company_nodes``, ``chain_nodes``, ``company_goods``; its rows go into ``memberships``, ``membership_names``.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.membership import MEMBERSHIP_NAMES, MEMBERSHIPS


def chain_memberships(company_nodes: pa.Table) -> pa.Table:
    """Return MEMBERSHIPS rows of dimension ``chain``, one per company and node code."""
    return _memberships("chain", company_nodes, "node_code", company_nodes.column("evidence"))


def goods_memberships(company_goods: pa.Table) -> pa.Table:
    """Return MEMBERSHIPS rows of dimension ``goods``, one per company and goods name."""
    grouped = company_goods.group_by(["company_id", "goods_name"]).aggregate([("source", "min")])
    evidence = pc.binary_join_element_wise(
        "主营产品“", grouped.column("goods_name"), "”｜company_goods/", grouped.column("source_min"), ""
    )
    ordered = grouped.append_column("evidence", evidence).sort_by(
        [("goods_name", "ascending"), ("company_id", "ascending")]
    )
    return _memberships("goods", ordered, "goods_name", ordered.column("evidence"))


def _memberships(dimension: str, rows: pa.Table, value: str, evidence: pa.ChunkedArray) -> pa.Table:
    return MEMBERSHIPS.conform(
        pa.table(
            {
                "company_id": rows.column("company_id"),
                "dimension": pa.array([dimension], pa.string()).take(
                    pa.array([0] * rows.num_rows, pa.int64())
                ),
                "value": rows.column(value),
                "evidence": evidence,
            }
        )
    )


def chain_names(chain_nodes: pa.Table) -> pa.Table:
    """Return MEMBERSHIP_NAMES rows of dimension ``chain``: each node's name and its path 链/段/…/环节.

    A chain and its stages have no node of their own: they are rows named by their path, with the chain's code as alias
    (``ic``, ``ic/上游``).
    """
    rows = chain_nodes.select(["chain_code", "node_code", "node_name", "path"]).to_pylist()
    named = [
        {"dimension": "chain", "value": row["node_code"], "label": row["node_name"], "path": row["path"]}
        for row in rows
    ]
    nodes = {row["path"] for row in rows}
    tops: dict[str, set[str]] = {}
    for row in rows:
        words = (row["path"] or "").split("/")
        for path in {words[0], "/".join(words[:2])} - nodes - {""}:
            tops.setdefault(path, set()).add("/".join([row["chain_code"], *path.split("/")[1:]]))
    named += [
        {
            "dimension": "chain",
            "value": path,
            "label": path.split("/")[-1],
            "aliases": ";".join(sorted(codes)),
            "path": path,
        }
        for path, codes in sorted(tops.items())
    ]
    return MEMBERSHIP_NAMES.conform(pa.Table.from_pylist(named, MEMBERSHIP_NAMES.schema))

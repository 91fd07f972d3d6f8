"""Lake tables owned by chains: nodes, goods, and which company sits on which node."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column, Table, loaded_table

CHAIN_NODE_RECORDS: Final = loaded_table(
    "chain_node_records",
    "chains",
    "One row per node of a chain that a source supplies (beside the catalogue's own).",
    (
        Column("chain_code", "string", "chain"),
        Column("chain_name", "string", "chain in words"),
        Column("sector", "string", "one of the nine sectors; null is unknown"),
        Column("node_code", "string", "node, unique over all chains"),
        Column("node_name", "string", "node in words"),
        Column("parent_code", "string", "node above; null for a top node"),
        Column("stage", "string", "upstream, midstream, downstream; null is unknown"),
        Column("keywords", "string", "goods and scope words, separated by `;`"),
        Column("excludes", "string", "words that rule it out, separated by `;`"),
    ),
)

NODE_LINK_RECORDS: Final = loaded_table(
    "node_link_records",
    "chains",
    "One row per statement that one node supplies another.",
    (
        Column("from_node", "string", "upstream node code or name"),
        Column("to_node", "string", "downstream node code or name"),
        Column("weight", "float64", "strength as the source gives it"),
    ),
)

GOODS_RECORDS: Final = loaded_table(
    "goods_records",
    "chains",
    "One row per goods name.",
    (
        Column("goods_name", "string", "as cleaned"),
        Column("node_code", "string", "node it belongs to; null is unknown"),
    ),
)

GOODS_RELATION_RECORDS: Final = loaded_table(
    "goods_relation_records",
    "chains",
    "One row per relation between two goods.",
    (
        Column("from_goods", "string", "goods"),
        Column("to_goods", "string", "goods"),
        Column(
            "kind",
            "string",
            "material (to is a raw material of from), narrower (to is a narrower kind), downstream",
        ),
    ),
)

COMPANY_GOODS_RECORDS: Final = loaded_table(
    "company_goods_records",
    "chains",
    "One row per company and goods it makes or sells.",
    (
        Column("company_ref", "string", "the company"),
        Column("goods_name", "string", "as cleaned"),
        Column("share", "float64", "share of revenue, 0 to 1; null is unknown"),
        Column("observed_on", "date", "as-of date"),
    ),
)

COMPANY_NODE_RECORDS: Final = loaded_table(
    "company_node_records",
    "chains",
    "One row per statement that a company sits on a node.",
    (
        Column("company_ref", "string", "the company"),
        Column("node_code", "string", "node"),
        Column("observed_on", "date", "as-of date"),
    ),
)

CHAIN_NODES: Final = Table(
    "chain_nodes",
    "chains",
    "Every node in force: the catalogue's and the loaded ones.",
    (
        Column("node_code", "string", "node"),
        Column("node_name", "string", "node in words"),
        Column("chain_code", "string", "chain"),
        Column("chain_name", "string", "chain in words"),
        Column("sector", "string", "one of the nine sectors; null is unknown"),
        Column("parent_code", "string", "node above"),
        Column("stage", "string", "upstream, midstream, downstream; null is unknown"),
        Column("path", "string", "chain/stage/…/node in Chinese words"),
        Column("plans", "string", "industry plans that name the chain, separated by `;`"),
        Column("origin", "string", "catalogue or the source"),
    ),
    ("node_code",),
)

COMPANY_NODES: Final = Table(
    "company_nodes",
    "chains",
    "Which company sits on which node, why and how surely.",
    (
        Column("company_id", "int64", "the company"),
        Column("node_code", "string", "node"),
        Column("chain_code", "string", "chain"),
        Column("stage", "string", "stage of the node"),
        Column("basis", "string", "declared, goods, industry, scope, description (the strongest)"),
        Column("confidence", "float64", "0 to 1"),
        Column("evidence", "string", "in words, ending in ｜ and the source row"),
    ),
    ("company_id", "node_code"),
)

COMPANY_GOODS: Final = Table(
    "company_goods",
    "chains",
    "Goods of companies after cleaning (accounting lines left out).",
    (
        Column("company_id", "int64", "the company"),
        Column("goods_name", "string", "normalised"),
        Column("share", "float64", "share of revenue, 0 to 1; null is unknown"),
        Column("node_code", "string", "node the goods belong to; null is unknown"),
        Column("source", "string", "code of the source"),
        Column("record_key", "string", "row of the source"),
    ),
    ("company_id", "goods_name", "source"),
)

NODE_LINKS: Final = Table(
    "node_links",
    "chains",
    "Which node supplies which, from stated links and from relations between goods.",
    (
        Column("from_node", "string", "supplying node"),
        Column("to_node", "string", "supplied node"),
        Column("basis", "string", "declared (a source states it) or goods (relations between their goods)"),
        Column("weight", "float64", "stated strength, or the number of goods relations behind it"),
        Column("evidence", "string", "in words, ending in ｜ and the source row"),
    ),
    ("from_node", "to_node", "basis"),
)

NODE_COUNTS: Final = Table(
    "node_counts",
    "chains",
    "Live registered companies and customers per chain, stage or node (what lies below included) and district.",
    (
        Column("chain_code", "string", "chain"),
        Column("level", "string", "chain, stage or node"),
        Column("code", "string", "chain code, stage, or node code"),
        Column("region_code", "string", "six-digit division of the companies; empty is unknown"),
        Column("companies", "int64", "distinct live registered companies"),
        Column("customers", "int64", "of them customers"),
    ),
    ("chain_code", "level", "code", "region_code"),
)

"""Lake tables owned by chains: nodes, goods, and which company sits on which node."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column as C
from qiaomen.vocab import Table, loaded_table

CHAIN_NODE_RECORDS: Final = loaded_table(
    "chain_node_records",
    "chains",
    "One row per node of a chain that a source supplies (beside the catalogue's own).",
    (
        C("chain_code", "string", "chain"),
        C("chain_name", "string", "chain in words"),
        C("sector", "string", "one of the nine sectors; null is unknown"),
        C("node_code", "string", "node, unique over all chains"),
        C("node_name", "string", "node in words"),
        C("parent_code", "string", "node above; null for a top node"),
        C("stage", "string", "upstream, midstream, downstream; null is unknown"),
        C("keywords", "string", "goods and scope words, separated by `;`"),
        C("excludes", "string", "words that rule it out, separated by `;`"),
    ),
)

NODE_LINK_RECORDS: Final = loaded_table(
    "node_link_records",
    "chains",
    "One row per statement that one node supplies another.",
    (
        C("from_node", "string", "upstream node code or name"),
        C("to_node", "string", "downstream node code or name"),
        C("weight", "float64", "strength as the source gives it"),
    ),
)

GOODS_RECORDS: Final = loaded_table(
    "goods_records",
    "chains",
    "One row per goods name.",
    (
        C("goods_name", "string", "as cleaned"),
        C("node_code", "string", "node it belongs to; null is unknown"),
    ),
)

GOODS_RELATION_RECORDS: Final = loaded_table(
    "goods_relation_records",
    "chains",
    "One row per relation between two goods.",
    (
        C("from_goods", "string", "goods"),
        C("to_goods", "string", "goods"),
        C(
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
        C("company_ref", "string", "the company"),
        C("goods_name", "string", "as cleaned"),
        C("share", "float64", "share of revenue, 0 to 1; null is unknown"),
        C("observed_on", "date", "as-of date"),
    ),
)

COMPANY_NODE_RECORDS: Final = loaded_table(
    "company_node_records",
    "chains",
    "One row per statement that a company sits on a node.",
    (
        C("company_ref", "string", "the company"),
        C("node_code", "string", "node"),
        C("observed_on", "date", "as-of date"),
    ),
)

CHAIN_NODES: Final = Table(
    "chain_nodes",
    "chains",
    "Every node in force: the catalogue's and the loaded ones.",
    (
        C("node_code", "string", "node"),
        C("node_name", "string", "node in words"),
        C("chain_code", "string", "chain"),
        C("chain_name", "string", "chain in words"),
        C("sector", "string", "one of the nine sectors; null is unknown"),
        C("parent_code", "string", "node above"),
        C("stage", "string", "upstream, midstream, downstream; null is unknown"),
        C("path", "string", "chain/stage/…/node in Chinese words"),
        C("plans", "string", "industry plans that name the chain, separated by `;`"),
        C("origin", "string", "catalogue or the source"),
    ),
    ("node_code",),
)

COMPANY_NODES: Final = Table(
    "company_nodes",
    "chains",
    "Which company sits on which node, why and how surely.",
    (
        C("company_id", "int64", "the company"),
        C("node_code", "string", "node"),
        C("chain_code", "string", "chain"),
        C("stage", "string", "stage of the node"),
        C("basis", "string", "declared, goods, industry, scope, description (the strongest)"),
        C("confidence", "float64", "0 to 1"),
        C("evidence", "string", "in words, ending in ｜ and the source row"),
    ),
    ("company_id", "node_code"),
)

COMPANY_GOODS: Final = Table(
    "company_goods",
    "chains",
    "Goods of companies after cleaning (accounting lines left out).",
    (
        C("company_id", "int64", "the company"),
        C("goods_name", "string", "normalised"),
        C("share", "float64", "share of revenue, 0 to 1; null is unknown"),
        C("node_code", "string", "node the goods belong to; null is unknown"),
        C("source", "string", "code of the source"),
        C("record_key", "string", "row of the source"),
    ),
    ("company_id", "goods_name", "source"),
)

"""Which chain nodes and goods a company sits on, with evidence."""

from qiaomen.chains.tables import (
    CHAIN_NODE_RECORDS,
    CHAIN_NODES,
    COMPANY_GOODS,
    COMPANY_GOODS_RECORDS,
    COMPANY_NODE_RECORDS,
    COMPANY_NODES,
    GOODS_RECORDS,
    GOODS_RELATION_RECORDS,
    NODE_LINK_RECORDS,
)

__all__ = [
    "CHAIN_NODES",
    "CHAIN_NODE_RECORDS",
    "COMPANY_GOODS",
    "COMPANY_GOODS_RECORDS",
    "COMPANY_NODES",
    "COMPANY_NODE_RECORDS",
    "GOODS_RECORDS",
    "GOODS_RELATION_RECORDS",
    "NODE_LINK_RECORDS",
]

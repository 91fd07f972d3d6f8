"""Which chain nodes and goods a company sits on, with evidence.

Definitions: ``load_chains``, ``load_plans``, ``load_grounds``, ``load_goods_noise``. One run:
``build_chain_nodes`` → ``NodeMatcher`` → ``clean_company_goods`` → ``classify_companies`` → ``chain_memberships``,
``link_nodes``, ``count_nodes``. Pages: ``atlas``.
"""

from qiaomen.chains.catalogue import (
    SECTORS,
    Chain,
    GoodsNoise,
    Ground,
    Node,
    PlanIndustry,
    load_chains,
    load_goods_noise,
    load_grounds,
    load_plans,
    plans_in_force,
)
from qiaomen.chains.classify import Classified, classify_companies
from qiaomen.chains.goods import CleanGoods, clean_company_goods, normalise_goods
from qiaomen.chains.links import NodeLinks, link_nodes
from qiaomen.chains.live import live_companies
from qiaomen.chains.matcher import NodeMatcher
from qiaomen.chains.memberships import chain_memberships, chain_names, goods_memberships
from qiaomen.chains.nodes import ChainNodes, NodeRule, build_chain_nodes
from qiaomen.chains.pages import Atlas, AtlasLink, AtlasNode, AtlasStage, Count, Gap, atlas, count_nodes
from qiaomen.chains.phrases import Hits, PhraseIndex, folded
from qiaomen.chains.refs import with_company_ids
from qiaomen.chains.tables import (
    CHAIN_NODE_RECORDS,
    CHAIN_NODES,
    COMPANY_GOODS,
    COMPANY_GOODS_RECORDS,
    COMPANY_NODE_RECORDS,
    COMPANY_NODES,
    GOODS_RECORDS,
    GOODS_RELATION_RECORDS,
    NODE_COUNTS,
    NODE_LINK_RECORDS,
    NODE_LINKS,
)
from qiaomen.chains.withholding import withheld, withhold

__all__ = [
    "CHAIN_NODES",
    "CHAIN_NODE_RECORDS",
    "COMPANY_GOODS",
    "COMPANY_GOODS_RECORDS",
    "COMPANY_NODES",
    "COMPANY_NODE_RECORDS",
    "GOODS_RECORDS",
    "GOODS_RELATION_RECORDS",
    "NODE_COUNTS",
    "NODE_LINKS",
    "NODE_LINK_RECORDS",
    "SECTORS",
    "Atlas",
    "AtlasLink",
    "AtlasNode",
    "AtlasStage",
    "Chain",
    "ChainNodes",
    "Classified",
    "CleanGoods",
    "Count",
    "Gap",
    "GoodsNoise",
    "Ground",
    "Hits",
    "Node",
    "NodeLinks",
    "NodeMatcher",
    "NodeRule",
    "PhraseIndex",
    "PlanIndustry",
    "atlas",
    "build_chain_nodes",
    "chain_memberships",
    "chain_names",
    "classify_companies",
    "clean_company_goods",
    "count_nodes",
    "folded",
    "goods_memberships",
    "link_nodes",
    "live_companies",
    "load_chains",
    "load_goods_noise",
    "load_grounds",
    "load_plans",
    "normalise_goods",
    "plans_in_force",
    "with_company_ids",
    "withheld",
    "withhold",
]

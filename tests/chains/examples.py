"""A small catalogue: two chains, a group node, an exclude word, a trade node."""

from __future__ import annotations

from qiaomen.chains import Chain, NodeMatcher, build_chain_nodes, load_grounds

CHAINS = (
    Chain.model_validate(
        {
            "code": "ic",
            "name": "集成电路",
            "sector": "新一代信息技术",
            "nodes": [
                {"code": "ic.resist", "name": "光刻胶", "stage": "upstream", "keywords": "光刻胶"},
                {
                    "code": "ic.clean",
                    "name": "清洗剂",
                    "stage": "upstream",
                    "keywords": "光刻胶清洗剂",
                },
                {
                    "code": "ic.design",
                    "name": "芯片设计",
                    "stage": "midstream",
                    "keywords": "集成电路设计",
                    "industries": "I6520",
                },
                {
                    "code": "ic.design.power",
                    "name": "功率芯片",
                    "stage": "midstream",
                    "keywords": "IGBT;功率芯片",
                },
                {
                    "code": "ic.sell",
                    "name": "元器件分销",
                    "stage": "downstream",
                    "keywords": "芯片销售;元器件",
                    "trade": True,
                },
            ],
        }
    ),
    Chain.model_validate(
        {
            "code": "bio",
            "name": "生物医药",
            "sector": "大健康",
            "nodes": [
                {
                    "code": "bio.api",
                    "name": "原料药",
                    "stage": "upstream",
                    "keywords": "原料药",
                    "industries": "C271",
                    "excludes": "兽用",
                },
                {"code": "bio.drug", "name": "制剂", "stage": "midstream", "keywords": "片剂"},
                {"code": "bio.clinic", "name": "医院", "stage": "downstream", "keywords": "专科医院"},
            ],
        }
    ),
)
GROUNDS = load_grounds()
NODES = build_chain_nodes(CHAINS)
RULES = NODES.rules
MATCHER = NodeMatcher(RULES, GROUNDS)

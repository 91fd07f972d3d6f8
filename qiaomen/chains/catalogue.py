"""Declared rules of chains: chains with their nodes, industry plans, grounds of classification, goods noise.

Reads the catalogues ``chains/*.yaml``, ``industry_plans``, ``classification`` and ``goods_noise``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.vocab import CatalogInvalid, Stage

SECTORS: Final = (
    "新基建",
    "新一代信息技术",
    "高端装备",
    "先进环保",
    "新能源",
    "新材料",
    "大文娱",
    "大消费",
    "大健康",
)
"""The nine sectors over the chains."""

_CODE: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_INDUSTRY: Final = re.compile(r"[A-T](\d{2,4})?")


class Node(CatalogRow):
    """A node as declared: the words of its goods, the GB/T 4754 codes that imply it, the words that rule it out.

    ``trade`` marks a node whose work is to trade, so that 销售 alone is full proof.
    """

    name: str = Field(min_length=1, pattern=r"^[^/;&|!()\s]+$")
    stage: Stage
    keywords: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    trade: bool = False

    @field_validator("code")
    @classmethod
    def _code_is_plain(cls, value: str) -> str:
        if not _CODE.fullmatch(value):
            raise ValueError("环节代码只能用小写字母、数字、下划线和点")
        return value

    @field_validator("keywords", "excludes")
    @classmethod
    def _words_are_long_enough(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        short = [value for value in values if len(value) < 2]
        if short:
            raise ValueError(f"关键词至少两个字：{short[0]}")
        return values

    @field_validator("industries")
    @classmethod
    def _industries_are_codes(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [value for value in values if not _INDUSTRY.fullmatch(value)]
        if wrong:
            raise ValueError(f"不是 GB/T 4754 代码：{wrong[0]}")
        return values


class Chain(CatalogRow):
    """A chain: name, sector, nodes in order from 上游 to 下游."""

    name: str = Field(min_length=1, pattern=r"^[^/;&|!()\s]+$")
    sector: str
    nodes: tuple[Node, ...] = Field(min_length=1)

    @field_validator("sector")
    @classmethod
    def _sector_is_known(cls, value: str) -> str:
        if value not in SECTORS:
            raise ValueError(f"板块应为 {'、'.join(SECTORS)} 之一")
        return value

    @model_validator(mode="after")
    def _nodes_fit(self) -> Self:
        by_code: dict[str, Node] = {}
        for node in self.nodes:
            if node.code in by_code:
                raise ValueError(f"环节代码“{node.code}”重复")
            if not node.code.startswith(f"{self.code}."):
                raise ValueError(f"环节代码“{node.code}”应以“{self.code}.”开头")
            by_code[node.code] = node
        paths = [(node.stage, self.parent_code(node.code), node.name) for node in self.nodes]
        if len(set(paths)) != len(paths):
            raise ValueError("同一位置下有两个同名环节")
        for node in self.nodes:
            parent = self.parent_code(node.code)
            if parent is not None and by_code[parent].stage != node.stage:
                raise ValueError(f"“{node.code}”与上级“{parent}”不在同一段")
        return self

    def parent_code(self, code: str) -> str | None:
        """Return the nearest declared node whose code is a prefix of ``code``, or None."""
        declared = {node.code for node in self.nodes}
        parts = code.split(".")
        for length in range(len(parts) - 1, 1, -1):
            if ".".join(parts[:length]) in declared:
                return ".".join(parts[:length])
        return None


class PlanIndustry(CatalogRow):
    """One industry of a dated plan and the chains that serve it.

    ``period`` is what the plan covers in its own words; ``in_force_to`` is the day that another plan replaces it,
    empty while none is known: the bank enters it together with the new plan.
    """

    plan: str
    plan_name: str
    document: str
    period: str = ""
    industry: str
    level: str
    chains: tuple[str, ...] = Field(min_length=1)
    in_force_from: date
    in_force_to: date | None = None
    source: str = ""

    @model_validator(mode="after")
    def _dates_are_in_order(self) -> Self:
        if self.in_force_to is not None and self.in_force_to < self.in_force_from:
            raise ValueError("失效日期早于生效日期")
        return self


class Ground(CatalogRow):
    """A ground of classification: its confidence (or factor) and the words it looks for."""

    name: str
    confidence: float = Field(ge=0, le=1)
    words: tuple[str, ...] = ()
    note: str = ""


class GoodsNoise(CatalogRow):
    """Words that are not goods: accounting lines and names that say nothing."""

    match: Literal["exact", "contains"]
    words: tuple[str, ...] = Field(min_length=1)
    reason: str


GROUND_CODES: Final = frozenset(
    {
        "declared",
        "goods",
        "goods_minor",
        "industry",
        "industry_words",
        "scope",
        "description",
        "trade_only",
        "own_work",
        "agreement",
        "floor",
        "exclusion",
    }
)


def load_chains(overlay: Path | None = None) -> tuple[Chain, ...]:
    """Return the chains in order of their file names; a node code used by two chains is refused."""
    chains = read_rows("chains", Chain, overlay=overlay)
    names = [chain.name for chain in chains]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise CatalogInvalid(
            f"产业链名称重复：{'、'.join(sorted(doubled))}", where="chains", remedy="换一个名称"
        )
    return chains


def load_plans(
    overlay: Path | None = None, *, chains: Sequence[Chain] | None = None
) -> tuple[PlanIndustry, ...]:
    """Return plan industries in file order; a chain that does not exist is refused.

    Pass ``chains`` where they are loaded already.
    """
    plans = read_rows("industry_plans", PlanIndustry, overlay=overlay)
    known = {chain.code for chain in (load_chains(overlay) if chains is None else chains)}
    for row in plans:
        missing = sorted(set(row.chains) - known)
        if missing:
            raise CatalogInvalid(
                f"“{row.code}”所列产业链“{missing[0]}”不存在",
                where="industry_plans",
                remedy="先在 chains 中登记",
            )
    return plans


def plans_in_force(plans: tuple[PlanIndustry, ...], as_of: date) -> tuple[PlanIndustry, ...]:
    """Return the plan industries in force on ``as_of`` (first and last day included)."""
    return tuple(
        row
        for row in plans
        if row.in_force_from <= as_of and (row.in_force_to is None or as_of <= row.in_force_to)
    )


def load_grounds(overlay: Path | None = None) -> dict[str, Ground]:
    """Return the grounds of classification by code; each of ``GROUND_CODES`` must be there."""
    grounds = {row.code: row for row in read_rows("classification", Ground, overlay=overlay)}
    missing, unknown = GROUND_CODES - grounds.keys(), grounds.keys() - GROUND_CODES
    if missing or unknown:
        raise CatalogInvalid(
            f"归链依据缺少 {sorted(missing)}，多出 {sorted(unknown)}",
            where="classification",
            remedy="依据的种类是固定的，只能改可信度和词",
        )
    return grounds


def load_goods_noise(overlay: Path | None = None) -> tuple[GoodsNoise, ...]:
    """Return the words that are not goods, in file order."""
    return read_rows("goods_noise", GoodsNoise, overlay=overlay)

"""Declared indicators, strategies, bank products and tier rules, with the bank's overlay."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.scoring.tables import indicators_table
from qiaomen.scoring.view_columns import SNAPSHOT_VIEWS, VIEW_COLUMNS
from qiaomen.tags import Condition, check_columns
from qiaomen.vocab import CatalogInvalid, Table

DIMENSIONS: Final = (
    "企业响应度",
    "价值识别",
    "资质风险",
    "战略导向",
    "经营规模",
    "成长性",
    "创新/知识产权",
    "股权与集团",
    "供应链位置",
    "园区与区位",
    "商机事件",
    "行内关系",
    "司法与合规风险",
    "融资行为",
    "数据质量与冷启动",
)

Fold = Literal["count", "distinct", "sum", "mean", "max", "min", "any", "days_since", "decayed"]
Formula = Literal["ratio", "growth", "difference", "sum", "log1p", "rank_in_trade", "share_known"]
NEEDS_COLUMN: Final = frozenset({"distinct", "sum", "mean", "max", "min"})
OPERANDS: Final = {
    "ratio": 2,
    "growth": 2,
    "difference": 2,
    "log1p": 1,
    "rank_in_trade": 1,
}


class Indicator(CatalogRow):
    """One number per company at ``as_of``.

    Either a fold of a view's rows (``view``, ``where``, ``window_days`` back from as_of by the day the row became
    known, ``fold``, ``column``; ``decayed`` halves a row's weight every ``half_life_days``), or a ``formula`` over
    other indicators (``of``). Without rows the value is ``missing`` (null where not given).
    """

    name_zh: str
    dimension: str
    definition: str = Field(min_length=4)
    unit: str
    view: str | None = None
    where: Condition | None = None
    window_days: int | None = Field(default=None, ge=1)
    fold: Fold | None = None
    column: str | None = None
    half_life_days: float | None = Field(default=None, gt=0)
    missing: float | None = None
    formula: Formula | None = None
    of: tuple[str, ...] = ()
    clip: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _check(self) -> Indicator:
        if self.dimension not in DIMENSIONS:
            raise ValueError(f"dimension 须是：{'、'.join(DIMENSIONS)}")
        if (self.view is None) == (self.formula is None):
            raise ValueError("view 与 formula 须且只须写一个")
        if self.view is not None:
            self._check_fold(self.view)
        elif self.where or self.fold or self.column or self.window_days:
            raise ValueError("formula 指标只写 formula 与 of")
        elif len(self.of) != OPERANDS.get(str(self.formula), max(1, len(self.of))):
            raise ValueError(f"{self.formula} 的 of 个数不对")
        return self

    def _check_fold(self, view: str) -> None:
        columns = VIEW_COLUMNS.get(view)
        if columns is None:
            raise ValueError(f"没有视图“{view}”，可用：{'、'.join(sorted(VIEW_COLUMNS))}")
        if self.fold is None or self.of:
            raise ValueError("视图指标须写 fold，不写 of")
        if (self.fold in NEEDS_COLUMN) != (self.column is not None) and self.fold != "decayed":
            raise ValueError(f"fold {self.fold} 与 column 不配")
        if (self.fold == "decayed") != (self.half_life_days is not None):
            raise ValueError("decayed 须写 half_life_days，其余不写")
        if self.column is not None:
            self._check_column(columns, view)
        if self.where is not None:
            check_columns(self.where, {**columns, "known_on": "date"}, view)

    def _check_column(self, columns: Mapping[str, str], view: str) -> None:
        kind = columns.get(str(self.column))
        if kind is None:
            raise ValueError(f"视图“{view}”没有列“{self.column}”")
        if self.fold != "distinct" and kind not in {"int64", "float64"}:
            raise ValueError(f"列“{view}.{self.column}”不是数值，不能 {self.fold}")

    @property
    def dated(self) -> bool:
        """Whether the value can be computed as known on a past day; formulas follow their operands."""
        return self.view is not None and self.view not in SNAPSHOT_VIEWS


class Strategy(CatalogRow):
    """One goal to score companies for: eligibility over indicators, the product, the scorecard.

    ``prior_rate`` is the share of contacts expected to succeed where no outcomes are known. ``learn_from`` names the
    product whose outcomes train a card that takes the expert card's place; ``candidates`` are its inputs, each with
    the direction that it must keep (``up``, ``down``).
    """

    name_zh: str
    family: str
    goal: str
    purpose: Literal["marketing", "retention"]
    product: str
    card: str
    horizon_days: int = Field(ge=1)
    prior_rate: float = Field(gt=0, lt=1)
    eligibility: Condition
    eligibility_words: str
    learn_from: str | None = None
    candidates: dict[str, Literal["up", "down"]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Strategy:
        if (self.learn_from is None) != (not self.candidates):
            raise ValueError("learn_from 与 candidates 须同写")
        return self


class Product(CatalogRow):
    """One product of the bank; limits and tenors are defaults that a bank overrides.

    ``strategy`` is the code of the strategy that ranks companies for it, empty where none is declared yet.
    ``tags`` of which a company must carry one (``needs_tag``) or which make the product fit.
    """

    name_zh: str
    family: str
    security: str
    target_customer: str
    admission: str
    limit_typical: str
    tenor_typical: str
    landed_when: str
    strategy: str = ""
    tags: tuple[str, ...] = ()
    needs_tag: bool = False
    customers_only: bool = False
    bank_licence: str = ""


class TierCut(BaseModel):
    """A tier takes the best ``share`` of companies by priority that keep its floors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(gt=0, le=1)
    min_priority: float = Field(ge=0, le=100)
    min_risk_index: float = Field(ge=0, le=1)


class TierRule(CatalogRow):
    """营销优先级 = 响应度 × 价值 × 资质风险 × 战略导向: weights as exponents, index cards, cuts of the tiers."""

    name_zh: str
    definition: str
    response_weight: float = Field(ge=0)
    value_weight: float = Field(ge=0)
    risk_weight: float = Field(ge=0)
    policy_weight: float = Field(ge=0)
    value_card: str
    risk_card: str
    policy_card: str
    floor: float = Field(gt=0, lt=1)
    prime: TierCut
    sound: TierCut

    @model_validator(mode="after")
    def _check(self) -> TierRule:
        if self.response_weight + self.value_weight + self.risk_weight + self.policy_weight <= 0:
            raise ValueError("四个权重不能全为 0")
        if self.prime.share > self.sound.share:
            raise ValueError("优质的占比不能大于优质与良好合计的占比（sound.share）")
        return self


def load_indicators(overlay: Path | None = None) -> dict[str, Indicator]:
    """Return the indicators by code; raises ``CatalogInvalid`` for a broken row, an unknown operand or a ring."""
    indicators = {row.code: row for row in read_rows("indicators", Indicator, overlay=overlay)}
    order_indicators(indicators)
    return indicators


def order_indicators(indicators: Mapping[str, Indicator]) -> list[Indicator]:
    """Return the formulas so that each follows its operands, folds first."""
    ordered = {code: row for code, row in indicators.items() if row.formula is None}
    waiting = {code: row for code, row in indicators.items() if row.formula is not None}
    while waiting:
        ready = [code for code, row in waiting.items() if set(row.of) <= set(ordered)]
        if not ready:
            code, row = next(iter(waiting.items()))
            unknown = [of for of in row.of if of not in indicators]
            fault = f"引用了不存在的指标 {unknown}" if unknown else "与其他指标互相引用"
            raise CatalogInvalid(f"指标“{code}”{fault}", where="indicators", remedy="检查 of")
        for code in ready:
            ordered[code] = waiting.pop(code)
    return list(ordered.values())


def wide_table(indicators: Mapping[str, Indicator]) -> Table:
    """Return the declaration of the wide indicator table."""
    return indicators_table([(row.code, f"{row.name_zh}：{row.definition}") for row in indicators.values()])


def load_products(overlay: Path | None = None) -> dict[str, Product]:
    """Return the bank products by code."""
    return {row.code: row for row in read_rows("products", Product, overlay=overlay)}


def load_tier_rules(overlay: Path | None = None) -> dict[str, TierRule]:
    """Return the tier rules by code; ``default`` is the one in force."""
    return {row.code: row for row in read_rows("tier_rules", TierRule, overlay=overlay)}


def load_strategies(overlay: Path | None = None) -> dict[str, Strategy]:
    """Return the strategies by code; eligibility and candidates are checked against the indicators."""
    strategies = {row.code: row for row in read_rows("strategies", Strategy, overlay=overlay)}
    columns: dict[str, Any] = dict.fromkeys(load_indicators(overlay), "float64")
    for strategy in strategies.values():
        try:
            check_columns(strategy.eligibility, columns, "indicators")
            unknown = [code for code in strategy.candidates if code not in columns]
            if unknown:
                raise ValueError(f"candidates 中没有指标 {unknown}")
        except ValueError as error:
            raise CatalogInvalid(
                f"策略“{strategy.code}”：{error}", where="strategies", remedy="检查指标代码"
            ) from error
    return strategies

"""The kinds of rule that a tag may be declared with. Every rule is checked when its catalogue is read."""

from __future__ import annotations

import re
import string
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qiaomen.chains import COMPANY_GOODS, COMPANY_NODES
from qiaomen.customers import CUSTOMERS
from qiaomen.opportunities import OPPORTUNITIES
from qiaomen.parks import PARK_RESIDENTS
from qiaomen.registry import COMPANIES, COMPANY_CHANGES, RELATIONS
from qiaomen.supply import CORE_ENTERPRISES, SUPPLY_PAIRS, SUPPLY_TOTALS
from qiaomen.tags.conditions import Condition, check_columns
from qiaomen.tags.tables import LIST_TAG_RECORDS
from qiaomen.vocab import Column, Table

SIZE_CLASSES: Final = ("micro", "small", "medium", "large")
TEXT_FIELDS: Final = ("name", "scope", "description", "industry_name")
FORMATS: Final = ("", "wan", "pct")


@lru_cache(maxsize=1)
def usable_tables() -> dict[str, Table]:
    """Return the tables that a rule may name; loaded tables arrive with ``company_id`` beside the reference."""
    declared = (
        COMPANIES,
        COMPANY_CHANGES,
        COMPANY_GOODS,
        COMPANY_NODES,
        CORE_ENTERPRISES,
        CUSTOMERS,
        LIST_TAG_RECORDS,
        OPPORTUNITIES,
        PARK_RESIDENTS,
        RELATIONS,
        SUPPLY_PAIRS,
        SUPPLY_TOTALS,
    )
    number = Column("company_id", "int64", "the company; null where it cannot be resolved")
    return {
        table.name: replace(table, columns=(number, *table.columns)) if table.loaded else table
        for table in declared
    }


@lru_cache(maxsize=1)
def table_columns() -> dict[str, dict[str, str]]:
    """Return the declared type of each column of each usable table."""
    return {
        name: {column.name: column.type for column in table.columns}
        for name, table in usable_tables().items()
    }


def _columns_of(table: str) -> dict[str, str]:
    try:
        return table_columns()[table]
    except KeyError:
        raise ValueError(f"不认识表“{table}”，可用：{'、'.join(sorted(table_columns()))}") from None


def template_parts(template: str) -> list[tuple[str, str | None, str]]:
    """Split ``注册资本{capital_cny:wan}万元`` into (text before, column or None, format)."""
    return [(text, field, spec or "") for text, field, spec, _ in string.Formatter().parse(template)]


def _check_template(template: str, columns: dict[str, str], table: str) -> None:
    for _, field, spec in template_parts(template):
        if field is not None and field not in columns:
            raise ValueError(f"依据模板用了表“{table}”没有的列“{field}”")
        if spec not in FORMATS:
            raise ValueError(f"依据模板的格式“{spec}”不认识，可用 wan（万元）、pct（百分数）")


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExpressionRule(_Rule):
    """A row of ``table`` that fulfils ``where`` gives its company the tag."""

    kind: Literal["expression"]
    table: str = "companies"
    where: Condition
    evidence: str
    since: str | None = None

    @model_validator(mode="after")
    def _check(self) -> ExpressionRule:
        columns = _columns_of(self.table)
        if "company_id" not in columns:
            raise ValueError(f"表“{self.table}”没有 company_id，请用 aggregate 规则并写 company")
        check_columns(self.where, columns, self.table)
        _check_template(self.evidence, columns, self.table)
        if self.since is not None and columns.get(self.since) != "date":
            raise ValueError(f"since 须是表“{self.table}”的日期列")
        return self


class AggregateRule(_Rule):
    """Rows of ``table`` under ``where`` are folded per company (``company`` names the column) and compared."""

    kind: Literal["aggregate"]
    table: str
    company: str = "company_id"
    where: Condition | None = None
    fold: Literal["count", "distinct", "sum", "max"] = "count"
    column: str | None = None
    op: Literal["lt", "le", "gt", "ge", "eq"] = "ge"
    value: float
    evidence: str

    @model_validator(mode="after")
    def _check(self) -> AggregateRule:
        columns = _columns_of(self.table)
        if columns.get(self.company) != "int64":
            raise ValueError(f"company“{self.company}”须是表“{self.table}”的企业编号列")
        if self.where is not None:
            check_columns(self.where, columns, self.table)
        if (self.column is None) != (self.fold == "count"):
            raise ValueError("count 不写 column，其余聚合须写 column")
        if self.column is not None and self.column not in columns:
            raise ValueError(f"表“{self.table}”没有列“{self.column}”")
        _check_template(self.evidence, {"value": "float64"}, "聚合值")
        return self


class KeywordRule(_Rule):
    """Words in the texts of a company or in its goods.

    ``excludes`` are phrases that do not count where they stand; ``head_chars`` reads only the beginning of the scope,
    where the main business stands; ``industries`` are prefixes of GB/T 4754 of which the company's code must have one.
    """

    kind: Literal["keyword"]
    fields: tuple[Literal["name", "scope", "description", "industry_name", "goods"], ...]
    words: tuple[str, ...]
    excludes: tuple[str, ...] = ()
    head_chars: int | None = Field(default=None, ge=1)
    industries: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> KeywordRule:
        if not self.fields or not self.words:
            raise ValueError("关键词规则须写 fields 与 words")
        if any(len(word.strip()) < 2 for word in self.words):
            raise ValueError("关键词至少两个字")
        return self


class ListRule(_Rule):
    """A record on one of the named lists (code or Chinese name) that is in force.

    Where the record has no end, ``valid_years`` after its start is the end.
    """

    kind: Literal["list"]
    lists: tuple[str, ...]
    levels: tuple[str, ...] = ()
    valid_years: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _check(self) -> ListRule:
        if not self.lists:
            raise ValueError("名单规则须写 lists")
        return self


class WindowRule(_Rule):
    """At least ``at_least`` opportunities of the kinds within the days before as_of."""

    kind: Literal["window"]
    kinds: tuple[str, ...]
    within_days: int = Field(ge=1)
    at_least: int = Field(default=1, ge=1)
    amount_cny: float | None = None
    statuses: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> WindowRule:
        if not self.kinds:
            raise ValueError("窗口规则须写 kinds")
        return self


class SizeRule(_Rule):
    """Size class by 统计上大中小微型企业划分办法 (catalogue ``size_standards``)."""

    kind: Literal["size"]
    size_class: Literal["micro", "small", "medium", "large"]


class TagsRule(_Rule):
    """A combination of other tags."""

    kind: Literal["tags"]
    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> TagsRule:
        if not self.all and not self.any:
            raise ValueError("标签组合规则须写 all 或 any")
        return self

    @property
    def used(self) -> tuple[str, ...]:
        """Codes of the tags it is made of."""
        return (*self.all, *self.any, *self.none)


Rule = Annotated[
    ExpressionRule | AggregateRule | KeywordRule | ListRule | WindowRule | SizeRule | TagsRule,
    Field(discriminator="kind"),
]

Record = dict[str, Any]


class Examples(_Rule):
    """Small records that must and must not carry the tag: each maps a table to one row or a list of rows."""

    carries: tuple[dict[str, Record | list[Record]], ...]
    lacks: tuple[dict[str, Record | list[Record]], ...]

    @model_validator(mode="after")
    def _check(self) -> Examples:
        if not self.carries or not self.lacks:
            raise ValueError("至少各写一个应有（carries）与不应有（lacks）的样例")
        for example in (*self.carries, *self.lacks):
            for table, rows in example.items():
                columns = _columns_of(table)
                for row in rows if isinstance(rows, list) else [rows]:
                    _check_record(row, columns, table)
        return self


def _check_record(row: Record, columns: dict[str, str], table: str) -> None:
    for name, value in row.items():
        if name not in columns:
            raise ValueError(f"样例用了表“{table}”没有的列“{name}”")
        if columns[name] == "date" and (not isinstance(value, date) or isinstance(value, datetime)):
            raise ValueError(f"样例“{table}.{name}”应是日期，如 2025-12-01")


CODE_PATTERN: Final = re.compile(r"[a-z][a-z0-9_]{1,60}")

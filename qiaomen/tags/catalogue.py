"""The declared tags: one YAML file per group in ``catalog/data/tags``, the bank's overlay applied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import Field, field_validator, model_validator

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.tags.rules import CODE_PATTERN, Examples, Rule, TagsRule
from qiaomen.vocab import CatalogInvalid

GROUPS: Final = (
    "科技认定",
    "业务概念",
    "企业特点",
    "榜单企业",
    "组织机构类型",
    "企业规模",
    "技术领先",
    "风险特征",
    "高成长企业",
    "资金扩张",
    "业务扩张",
    "人员扩张",
    "上市信息",
    "企业类型",
    "政府扶持和奖励",
)


class Tag(CatalogRow):
    """One tag. ``rules`` (written ``rule`` where there is one) are alternatives: any of them gives the tag.

    ``coverage`` is the share of live companies that is expected to carry it, from and to.
    """

    name_zh: str
    group: str
    definition: str = Field(min_length=4)
    rules: tuple[Rule, ...] = Field(min_length=1)
    source: str = Field(min_length=2)
    validity: str = Field(min_length=2)
    owner: str = Field(min_length=2)
    coverage: tuple[float, float]
    tests: Examples

    @model_validator(mode="before")
    @classmethod
    def _single_rule(cls, data: Any) -> Any:
        if isinstance(data, dict) and "rule" in data:
            if "rules" in data:
                raise ValueError("rule 与 rules 只写一个")
            data = {**data, "rules": [data["rule"]]}
            del data["rule"]
        return data

    @field_validator("code")
    @classmethod
    def _check_code(cls, code: str) -> str:
        if not CODE_PATTERN.fullmatch(code):
            raise ValueError("代码只用小写字母、数字与下划线")
        return code

    @field_validator("group")
    @classmethod
    def _check_group(cls, group: str) -> str:
        if group not in GROUPS:
            raise ValueError(f"分组须是：{'、'.join(GROUPS)}")
        return group

    @field_validator("coverage")
    @classmethod
    def _check_coverage(cls, coverage: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= coverage[0] <= coverage[1] <= 1:
            raise ValueError("预期覆盖率须在 0 与 1 之间，先小后大")
        return coverage


class SizeStandard(CatalogRow):
    """Lower bounds of the large, medium and small class of one trade; an empty bound is not used by that trade.

    ``prefixes`` are GB/T 4754 codes; the longest that fits a company decides. Assets are not known to us, so a trade
    that is judged by assets as well is judged by the other measure alone.
    """

    name_zh: str
    prefixes: tuple[str, ...]
    employees_large: int | None = None
    employees_medium: int | None = None
    employees_small: int | None = None
    revenue_cny_large: float | None = None
    revenue_cny_medium: float | None = None
    revenue_cny_small: float | None = None
    by_assets: bool = False


def load_tags(overlay: Path | None = None) -> dict[str, Tag]:
    """Return the tags by code; raises ``CatalogInvalid`` with file and line for a broken rule."""
    tags = {tag.code: tag for tag in read_rows("tags", Tag, overlay=overlay)}
    order_tags(tags)
    return tags


def load_size_standards(overlay: Path | None = None) -> tuple[SizeStandard, ...]:
    """Return the size standards by trade."""
    return read_rows("size_standards", SizeStandard, overlay=overlay)


def order_tags(tags: Mapping[str, Tag]) -> list[Tag]:
    """Return the tags so that each follows those it is made of; raises ``CatalogInvalid`` for a ring or a gap."""
    ordered: dict[str, Tag] = {}
    open_codes: list[str] = []

    def visit(code: str, user: str) -> None:
        if code in ordered:
            return
        if code not in tags:
            raise CatalogInvalid(f"标签“{user}”引用了不存在的标签“{code}”", where="tags", remedy="检查代码")
        if code in open_codes:
            raise CatalogInvalid(
                f"标签互相引用：{'→'.join([*open_codes, code])}", where="tags", remedy="去掉环"
            )
        open_codes.append(code)
        for rule in tags[code].rules:
            for used in rule.used if isinstance(rule, TagsRule) else ():
                visit(used, code)
        open_codes.pop()
        ordered[code] = tags[code]

    for code in tags:
        visit(code, code)
    return list(ordered.values())


def needed_tags(tags: Mapping[str, Tag], codes: Iterable[str]) -> dict[str, Tag]:
    """Return the tags of ``codes`` with all that they are made of."""
    needed: dict[str, Tag] = {}
    waiting = list(codes)
    while waiting:
        code = waiting.pop()
        if code in needed:
            continue
        needed[code] = tags[code]
        for rule in tags[code].rules:
            if isinstance(rule, TagsRule):
                waiting += rule.used
    return needed

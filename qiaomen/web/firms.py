"""What lists show of a company: one small record per company, looked up by number."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiaomen.customers import CUSTOMERS
from qiaomen.registry import COMPANIES
from qiaomen.scoring import TIERS
from qiaomen.web.cells import Cell, Chip, ColumnView, customer_chip, tier_chip
from qiaomen.web.formats import day, money, score
from qiaomen.web.labels import Labels
from qiaomen.web.reading import Reading, Record


@dataclass(frozen=True, slots=True)
class Firm:
    """A company as lists show it."""

    company_id: int
    name: str
    short_name: str
    uscc: str
    region_code: str
    region: str
    status: str
    founded_on: dt.date | None
    capital_cny: float | None
    industry: str
    is_customer: bool
    institution_code: str
    manager_no: str
    tier: str
    priority: float | None
    response_index: float | None
    product: str

    @property
    def href(self) -> str:
        """Address of the company page."""
        return f"/companies/{self.company_id}"

    @property
    def brief_name(self) -> str:
        """The short name where there is one, else the name without its place and legal form."""
        return self.short_name or brief(self.name)


def brief(name: str) -> str:
    """Shorten a registered name for drawings and narrow cards; the full name stands in the title."""
    text = name
    for ending in ("股份有限公司", "有限责任公司", "有限公司", "（有限合伙）", "(有限合伙)"):
        text = text.removesuffix(ending)
    text = re.sub(r"[(（][^()（）]{2,6}[)）]$", "", text)
    for place in ("上海市", "上海", "北京市", "北京", "广东省", "深圳市", "江苏省", "浙江省"):
        if text.startswith(place) and len(text) - len(place) >= 4:
            text = text.removeprefix(place)
            break
    return text or name


def firm_of(reading: Reading, labels: Labels, row: Record) -> Firm:
    """Build the record of one row of ``companies``."""
    number = row["company_id"]
    customer = reading.keyed(CUSTOMERS, "company_id").first(number)
    tier = reading.keyed(TIERS, "company_id").first(number) or {}
    return Firm(
        company_id=number,
        name=row["name"] or f"企业 {number}",
        short_name=row["short_name"] or "",
        uscc=row["uscc"] or "",
        region_code=row["region_code"] or "",
        region=labels.region(row["region_code"]),
        status=row["status"] or "",
        founded_on=row["founded_on"],
        capital_cny=row["capital_cny"],
        industry=row["industry_name"] or labels.industry(row["industry_code"]),
        is_customer=customer is not None,
        institution_code=(customer or {}).get("institution_code") or "",
        manager_no=(customer or {}).get("manager_no") or "",
        tier=tier.get("tier") or "",
        priority=tier.get("priority"),
        response_index=tier.get("response_index"),
        product=tier.get("product") or "",
    )


def firms(reading: Reading, labels: Labels, numbers: Iterable[int]) -> list[Firm]:
    """Return the companies of the given numbers in that order; an unknown number is left out."""
    companies = reading.keyed(COMPANIES, "company_id")
    return [firm_of(reading, labels, row) for row in companies.many(numbers).to_pylist()]


def firm(reading: Reading, labels: Labels, number: int) -> Firm | None:
    """Return one company; nothing where there is none of that number."""
    row = reading.keyed(COMPANIES, "company_id").first(number)
    return firm_of(reading, labels, row) if row else None


def customer_numbers(reading: Reading) -> npt.NDArray[np.int64]:
    """Return the companies that are customers, ascending."""
    return np.sort(reading.table(CUSTOMERS).column("company_id").to_numpy())


def is_customer(reading: Reading, numbers: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Tell for each company whether it is a customer."""
    return np.isin(np.asarray(numbers), reading.once(customer_numbers))


def name_cell(row: Firm) -> Cell:
    """Name with a link and whether it is a customer."""
    return Cell(row.name, href=row.href, chips=(customer_chip(row.is_customer),))


def firm_columns(labels: Labels) -> Sequence[ColumnView[Firm]]:
    """Return the usual columns of a list of companies."""
    return (
        ColumnView("企业", name_cell),
        ColumnView("地区", lambda row: Cell(row.region), fixed=True),
        ColumnView("行业", lambda row: Cell(row.industry)),
        ColumnView("注册资本", lambda row: Cell(money(row.capital_cny)), align="right"),
        ColumnView("成立日期", lambda row: Cell(day(row.founded_on)), fixed=True),
        ColumnView("响应度", response_cell, align="right"),
        ColumnView("分层", lambda row: Cell(chips=tier_chip(row.tier)), fixed=True),
        ColumnView("首推产品", lambda row: Cell(labels.product(row.product)), fixed=True),
    )


def response_cell(row: Firm) -> Cell:
    """Response index as a meter; a dash where the company is not scored."""
    if row.response_index is None:
        return Cell("未评分", tone="soft")
    return Cell(score(row.response_index), meter=row.response_index / 100)


def admission_chip(admitted: bool | None) -> Chip:
    """Chip of the admission result."""
    if admitted is None:
        return Chip("未过准入", "grey", "本次运行没有为该企业生成线索")
    return Chip("准入通过", "green") if admitted else Chip("不予准入", "red")

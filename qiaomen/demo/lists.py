"""The bank's own customer list with every kind of dirt, and the truth behind each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np

from qiaomen.demo import words
from qiaomen.demo.companies import Companies
from qiaomen.demo.people import Persons

TRADITIONAL: Final = str.maketrans("业产东华国电网车门长贸设发进汇", "業產東華國電網車門長貿設發進匯")
ABSENT_SHARE: Final = 0.08


@dataclass(slots=True)
class CustomerList:
    """One entry per row of the list; ``truth`` is the index of the company, -1 where it is in no registry."""

    number: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    address: list[str] = field(default_factory=list)
    phone: list[str] = field(default_factory=list)
    representative: list[str] = field(default_factory=list)
    capital: list[str] = field(default_factory=list)
    institution: list[str] = field(default_factory=list)
    manager: list[str] = field(default_factory=list)
    opened_on: list[str] = field(default_factory=list)
    opened: list[date] = field(default_factory=list)
    truth: list[int] = field(default_factory=list)
    dirt: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.number)


def _wrong_sign(rng: np.random.Generator, name: str) -> str:
    position = int(rng.integers(2, min(5, len(name) - 4)))
    sign = words.BRAND_SECOND[int(rng.integers(len(words.BRAND_SECOND)))]
    return name[:position] + sign + name[position + 1 :]


def _in_brackets(name: str) -> str:
    return name.replace("（", "(").replace("）", ")") if "（" in name else f" {name} "


DIRT: Final[tuple[tuple[str, Callable[[str], str]], ...]] = (
    ("clean", str),
    ("clean", str),
    ("clean", str),
    ("clean", str),
    ("brackets or blanks", _in_brackets),
    ("wide blank", lambda name: f"{name[:2]}　{name[2:]}"),
    ("traditional", lambda name: name.translate(TRADITIONAL)),
    ("short form", lambda name: name.replace("股份有限公司", "股份公司").replace("有限公司", "公司")),
    ("no region", lambda name: name.removeprefix("上海").replace("（上海）", "")),
    ("account note", lambda name: f"{name}-一般户"),
    ("remark", lambda name: f"{name}（待核实）"),
    ("mark", lambda name: f"*{name}"),
    ("city word", lambda name: name.replace("上海", "上海市", 1) if name.startswith("上海") else name),
)


def dirty_name(rng: np.random.Generator, name: str) -> tuple[str, str]:
    """Return (name as a clerk wrote it, kind of dirt)."""
    draw = int(rng.integers(len(DIRT) + 1))
    if draw == len(DIRT):
        return _wrong_sign(rng, name), "wrong sign"
    kind, change = DIRT[draw]
    return change(name), kind


def _dirty_code(rng: np.random.Generator, code: str) -> str:
    draw = rng.random()
    if draw < 0.42:
        return ""
    if draw < 0.80:
        return code
    if draw < 0.86:
        position = int(rng.integers(2, 17))
        return code[:position] + str((ord(code[position]) + 3) % 10) + code[position + 1 :]
    if draw < 0.90:
        return code[8:17]
    if draw < 0.94:
        return code.lower()
    if draw < 0.97:
        return code.replace("0", "O", 1)
    return code[:10] + code[11] + code[10] + code[12:]


def _capital_text(rng: np.random.Generator, value: float) -> str:
    styles = (
        f"{value / 1e4:.0f}万元人民币",
        f"{value / 1e4:.2f}万人民币",
        f"{value:.0f}",
        f"{value / 1e4:.0f}万",
        "",
    )
    return styles[int(rng.integers(5))]


def _date_text(rng: np.random.Generator, day: date) -> str:
    styles = (
        day.isoformat(),
        day.strftime("%Y/%m/%d"),
        day.strftime("%Y%m%d"),
        f"{day.year}年{day.month}月{day.day}日",
    )
    return styles[int(rng.integers(4))]


def make_customers(
    rng: np.random.Generator,
    companies: Companies,
    persons: Persons,
    managers: dict[str, list[str]],
    count: int,
    as_of: date,
) -> CustomerList:
    """Draw ``count`` customer rows: larger firms bank more often, 8 % are in no registry, 3 % stand twice."""
    customers = CustomerList()
    alive = np.array(
        [
            status == "存续" and "分公司" not in name
            for status, name in zip(companies.status, companies.name, strict=True)
        ]
    )
    odds = np.where(alive, np.array(companies.capital_cny) ** 0.35, 0.0)
    chosen = rng.choice(len(companies), count, replace=False, p=odds / odds.sum())
    for position in range(count):
        index = int(chosen[position])
        if position % 33 == 32:
            index = customers.truth[position - 10] if customers.truth[position - 10] >= 0 else index
        absent = rng.random() < ABSENT_SHARE
        _add_row(customers, rng, companies, persons, managers, index, absent, as_of)
    return customers


def _home(rng: np.random.Generator, companies: Companies, index: int) -> str:
    code = words.DISTRICTS[companies.district[index]][0]
    here = [row[0] for row in words.SUB_BRANCHES if code in row[3]]
    if rng.random() < 0.1:
        here = [row[0] for row in words.SUB_BRANCHES]
    return here[int(rng.integers(len(here)))]


def _add_row(
    customers: CustomerList,
    rng: np.random.Generator,
    companies: Companies,
    persons: Persons,
    managers: dict[str, list[str]],
    index: int,
    absent: bool,
    as_of: date,
) -> None:
    true_name = companies.name[index]
    if absent:
        brand = "".join(
            words.BRAND_SECOND[int(value)] for value in rng.integers(0, len(words.BRAND_SECOND), 3)
        )
        true_name = f"上海{brand}{('商行', '工贸', '实业', '经营部')[int(rng.integers(4))]}有限公司"
    name, dirt = dirty_name(rng, true_name)
    unit = _home(rng, companies, index)
    staff = managers[unit]
    opened = max(companies.founded_on[index], as_of - timedelta(days=int(rng.integers(60, 5000))))
    opened = min(opened, as_of - timedelta(days=30))
    customers.number.append(f"C{len(customers) + 1:06d}")
    customers.name.append(name)
    customers.code.append("" if absent else _dirty_code(rng, companies.uscc[index]))
    customers.address.append(companies.address[index] if not absent and rng.random() < 0.6 else "")
    customers.phone.append(companies.phone[index] if not absent and rng.random() < 0.5 else "")
    known = not absent and rng.random() < 0.4
    customers.representative.append(persons.name[companies.legal_representative[index]] if known else "")
    customers.capital.append(_capital_text(rng, companies.capital_cny[index]))
    customers.institution.append(unit)
    customers.manager.append(staff[int(rng.integers(len(staff)))] if rng.random() < 0.95 else "")
    customers.opened_on.append(_date_text(rng, opened))
    customers.opened.append(opened)
    customers.truth.append(-1 if absent else index)
    customers.dirt.append(dirt)

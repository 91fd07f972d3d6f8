"""The page docs/real-run.md: the figures of a real run between words that say what they mean and what falls short."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tests.real.figures import Figures, Line

HEAD: Final = """\
# The real run / 真实数据试跑

用公开的真实数据（上市公司产业链、董事与股东、工商登记样本、投融资事件、匿名发票、公共标准）从头跑一遍：装载、匹配、
归链、供应链、商机、图谱、评分、分发、触达。由 `python scripts/real_run.py` 写成，请勿手改；`tests/real` 用同一段代码核对。
本页只有计数，没有任何一行真实数据，也没有名称。

Written by `python scripts/real_run.py` (set `QIAOMEN_REAL_DATA`); `tests/real/test_real_run.py` runs the same code and
checks the figures against independent counts. Counts only: no row and no name of the data.

## How it was set up

* The bank is made up: each of the 32 areas of the stock list is a branch with one sub-branch and three managers.
* Its customers are every seventh company of the stock list, known **by the short name only**: no code, no address.
* The business date is 2019-06-30, the newest financing news of the sample. Invoices after it count as not yet known.
* `core_rule = last_trade`: the 24 months of trade end with the newest valid invoice not after that date.
* The truth of a match joins on the six digits of the stock code. A company that is not in the chain folder's list of
  companies has the truth *absent*, even where another source has it: any match of it counts as wrong.
* **Withheld** leaves every short name and brand out of the register that is searched: the headline figure. **Known**
  is what the run itself uses.

## Loaded

read = inserted + updated + unchanged + repeated + rejected, for every file and table.

"""

SHORT: Final = """\
## What falls short

* **Recall by short names alone is low, and should be.** About half of the rows wait for a person or stay unmatched when
  short names are withheld: a stock short name is often an abbreviation of several words of the full name, an older or a
  newer name, or a brand. A clerk sees the right company among the first candidates of most doubtful rows.
* **Some "wrong" matches are right.** A company that the chain folder lacks may be in the register sample under its full
  name; the strict truth counts it as wrong.
* **Most financing news is about firms nobody knows more of.** Brands that fit no register entry become companies without
  a region. Their leads are not refused: they wait under 无归属 for dispatch by hand. The news itself gives no place: a city
  in its words is nearly always that of the investor, so it is not taken for the firm's.
* **A region known by name alone is weak.** A brand that begins like a place is taken for a firm of that place, and a few
  brands only sound so. The basis of the region stays beside it (`region_basis`).
* **Directors are never merged.** The list of directors has no person number: one person per company and director.
  Equal name, gender and birth year across companies give a suspected relation, marked as unproven in every path.
* **Most ways are by chain**: two companies on one node of an industry classification. They rank below every other way
  and are worded as no known dealing. Invoice counterparties are anonymous and meet no listed company.
* **Supply and scores do not meet here.** The invoices name no firm, so every company with a supply indicator is anonymous or
  only mentioned, is not marketed and gets no score (`marketable_rules`). Its trade stays in the graph and in the pairs.
* **No parks, texts, dealings, outcomes or register changes are in this data**; their steps run on nothing here, and the
  learned model is not trained. The demo bank and the tests cover them.
* **Register facts are few**: 8,590 firms have an address and capital, none has a status or insured employees; listed
  companies have a region and a trade in words. Scores that need more fall back to what is known.
"""


def write_page(loads: list[dict[str, object]], figures: Figures, costs: Iterable[Line]) -> str:
    """Return the text of the page."""
    parts = [HEAD, _table(list(loads[0]), [list(row.values()) for row in loads])]
    parts.append(f"\n{_sum(loads)}\n")
    for section, lines in figures.items():
        parts.append(f"\n## {section}\n\n{_table(['figure', 'value'], [list(line) for line in lines])}")
    parts.append(f"\n## Time and memory\n\n{_table(['figure', 'value'], [list(line) for line in costs])}\n")
    parts.append(SHORT)
    return "".join(parts)


def _sum(loads: list[dict[str, object]]) -> str:
    names = ("read", "inserted", "updated", "unchanged", "repeated", "rejected")
    total = {name: sum(int(str(row[name])) for row in loads) for name in names}
    return "Together: " + ", ".join(f"{name} {count:,}" for name, count in total.items()) + "."


def _table(header: list[str], rows: list[list[object]]) -> str:
    lines = [f"| {' | '.join(header)} |", f"| {' | '.join('---' for _ in header)} |"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)

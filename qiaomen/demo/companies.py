"""The companies of the made-up city: names, codes, capital, trades, addresses, and the chain node each one truly sits on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from qiaomen.demo import words
from qiaomen.vocab import organisation_check_character, uscc_check_character


@dataclass(frozen=True, slots=True)
class Node:
    """A chain node as the catalogue declares it: where it stands and the words of its goods."""

    code: str
    name: str
    chain: str
    stage: str
    goods: tuple[str, ...]
    industries: tuple[str, ...]


@dataclass(slots=True)
class Companies:
    """Columns of equal length, one entry per company; ``node`` and ``park`` are indexes, -1 is none."""

    number: list[str] = field(default_factory=list)
    uscc: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    brand: list[str] = field(default_factory=list)
    district: list[int] = field(default_factory=list)
    node: list[int] = field(default_factory=list)
    park: list[int] = field(default_factory=list)
    founded_on: list[date] = field(default_factory=list)
    capital_cny: list[float] = field(default_factory=list)
    employees: list[int] = field(default_factory=list)
    revenue_cny: list[float | None] = field(default_factory=list)
    status: list[str] = field(default_factory=list)
    industry_code: list[str] = field(default_factory=list)
    scope: list[str] = field(default_factory=list)
    goods: list[tuple[str, ...]] = field(default_factory=list)
    address: list[str] = field(default_factory=list)
    lon: list[float] = field(default_factory=list)
    lat: list[float] = field(default_factory=list)
    phone: list[str] = field(default_factory=list)
    email: list[str] = field(default_factory=list)
    board: list[str] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)
    legal_representative: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.number)


def make_uscc(district_code: str, serial: int) -> str:
    """Return a valid made-up code (GB 32100 with the inner GB 11714 check) for a serial number."""
    body = f"{10_000_000 + serial * 7919 % 89_999_999:08d}"
    head = f"91{district_code}{body}{organisation_check_character(body)}"
    return head + uscc_check_character(head)


def make_companies(rng: np.random.Generator, count: int, nodes: list[Node], as_of: date) -> Companies:
    """Draw ``count`` companies; every fifth sits in a park, about 58 % on a chain node."""
    companies = Companies()
    weights = np.array([row[2] for row in words.DISTRICTS])
    districts = rng.choice(len(words.DISTRICTS), count, p=weights / weights.sum())
    node_weights = rng.dirichlet(np.full(len(nodes), 4.0))
    on_chain = rng.random(count) < 0.58
    drawn_nodes = np.where(on_chain, rng.choice(len(nodes), count, p=node_weights), -1)
    ages = np.minimum(rng.gamma(2.2, 4.2, count), 34.0)
    capital = np.exp(rng.normal(15.6, 1.35, count))
    taken: set[str] = set()
    for index in range(count):
        district = int(districts[index])
        node = int(drawn_nodes[index])
        park = _park(rng, words.DISTRICTS[district][0], nodes[node].chain if node >= 0 else "")
        founded = as_of - timedelta(days=round(float(ages[index]) * 365.25) + 20)
        _add(companies, rng, nodes, node, district, park, founded, float(capital[index]), taken)
    _list_some(companies, rng)
    return companies


def _park(rng: np.random.Generator, district_code: str, chain: str) -> int:
    """Return a park of the district, more often one that takes the chain; -1 is none."""
    here = [index for index, park in enumerate(words.PARK_NAMES) if park[0] == district_code]
    fitting = [index for index in here if chain and chain in words.PARK_NAMES[index][2].split(";")]
    if fitting and rng.random() < 0.34:
        return fitting[int(rng.integers(len(fitting)))]
    if here and rng.random() < 0.09:
        return here[int(rng.integers(len(here)))]
    return -1


def _brand(rng: np.random.Generator) -> str:
    first = words.BRAND_FIRST[int(rng.integers(len(words.BRAND_FIRST)))]
    second = words.BRAND_SECOND[int(rng.integers(len(words.BRAND_SECOND)))]
    third = words.BRAND_THIRD[int(rng.integers(len(words.BRAND_THIRD)))] if rng.random() < 0.42 else ""
    return first + second + third


def _name(rng: np.random.Generator, trade: str, taken: set[str]) -> tuple[str, str]:
    """Return (name, brand); one name in five has the region in brackets, the way real ones do."""
    while True:
        brand = _brand(rng)
        form = "股份有限公司" if rng.random() < words.FORMS[1][1] else "有限公司"
        style = rng.random()
        name = f"{brand}{trade}（上海）{form}" if style < 0.18 else f"上海{brand}{trade}{form}"
        if name not in taken:
            taken.add(name)
            return name, brand


def _trade_word(node: Node) -> str:
    stem = node.name.replace("与", "").replace("、", "").replace("/", "")
    return (stem[:4] if len(stem) > 4 else stem) + "科技"


def _scope(rng: np.random.Generator, node: Node) -> tuple[str, tuple[str, ...]]:
    """Return (scope, goods) for a node: its words decorated, among words that say nothing."""
    picked = [str(word) for word in rng.permutation(np.array(node.goods))[: int(rng.integers(1, 4))]]
    manner = ("研发", "生产", "销售", "设计", "制造")
    own = [f"{word}的{manner[int(rng.integers(5))]}与{manner[int(rng.integers(5))]}" for word in picked]
    noise = ["技术服务、技术开发、技术咨询", "货物进出口", "技术转让", "会议及展览服务", "信息系统集成服务"]
    mixed = own + [noise[int(position)] for position in rng.choice(5, 2, replace=False)]
    decorated = tuple(
        f"{('高性能', '新型', '专用', '', '', '')[int(rng.integers(6))]}{word}{('产品', '及组件', '', '', '')[int(rng.integers(5))]}"
        for word in picked
    )
    return "；".join(mixed), decorated


def _add(
    companies: Companies,
    rng: np.random.Generator,
    nodes: list[Node],
    node: int,
    district: int,
    park: int,
    founded: date,
    capital: float,
    taken: set[str],
) -> None:
    index = len(companies)
    trade, industry, scope, goods = _trade(rng, nodes[node] if node >= 0 else None)
    name, brand = _name(rng, trade, taken)
    road = words.ROADS[int(rng.integers(len(words.ROADS)))]
    employees = max(1, round(float(np.exp(rng.normal(2.6, 1.1))) * (capital / 6e6) ** 0.35))
    companies.number.append(f"D{index + 1:06d}")
    companies.uscc.append(make_uscc(words.DISTRICTS[district][0], index))
    companies.name.append(name)
    companies.brand.append(brand)
    companies.district.append(district)
    companies.node.append(node)
    companies.park.append(park)
    companies.founded_on.append(founded)
    companies.capital_cny.append(float(round(capital, -4)) or 10000.0)
    companies.employees.append(employees)
    known = rng.random() < 0.62
    companies.revenue_cny.append(
        round(employees * float(np.exp(rng.normal(13.4, 0.6))), 2) if known else None
    )
    fate = rng.random()
    companies.status.append("注销" if fate < 0.035 else "吊销" if fate < 0.045 else "存续")
    companies.industry_code.append(industry)
    companies.scope.append(scope)
    companies.goods.append(goods)
    _stand(companies, rng, road, district, park)
    companies.phone.append(f"021-555{index % 90000 + 10000:05d}")
    companies.email.append(f"office{index + 1}@demo.example")
    companies.board.append("")
    companies.parent.append(-1)
    companies.legal_representative.append(-1)


def _trade(rng: np.random.Generator, node: Node | None) -> tuple[str, str, str, tuple[str, ...]]:
    """Return (trade word, GB/T 4754 code, scope, goods) of a company on a node, or off the chains."""
    if node is None:
        trade, industry, scope = words.GENERAL_TRADES[int(rng.integers(len(words.GENERAL_TRADES)))]
        return trade, industry, scope, ()
    scope, goods = _scope(rng, node)
    industries = node.industries or ("M7519",)
    return _trade_word(node), industries[int(rng.integers(len(industries)))], scope, goods


def _stand(companies: Companies, rng: np.random.Generator, road: str, district: int, park: int) -> None:
    """Give the company an address and a point near its park or district."""
    _, district_name, _, lon, lat = words.DISTRICTS[district]
    place = words.PARK_NAMES[park][1] if park >= 0 else ""
    companies.address.append(
        f"上海市{district_name}{place}{road}{int(rng.integers(1, 2800))}号{int(rng.integers(1, 30))}幢"
    )
    spread = 0.012 if park >= 0 else 0.05
    centre = park_point(park) if park >= 0 else (lon, lat)
    companies.lon.append(round(centre[0] + float(rng.normal(0, spread)), 6))
    companies.lat.append(round(centre[1] + float(rng.normal(0, spread)), 6))


def park_point(park: int) -> tuple[float, float]:
    """Return the made-up centre of a park: its district's point, moved by the park's number."""
    code = words.PARK_NAMES[park][0]
    _, _, _, lon, lat = next(row for row in words.DISTRICTS if row[0] == code)
    angle = park * 2.399963
    return round(lon + 0.045 * float(np.cos(angle)), 6), round(lat + 0.035 * float(np.sin(angle)), 6)


def _list_some(companies: Companies, rng: np.random.Generator) -> None:
    """Mark sixty large joint-stock companies as listed."""
    joint = [index for index, name in enumerate(companies.name) if name.endswith("股份有限公司")]
    joint.sort(key=lambda index: -companies.capital_cny[index])
    boards = ("上交所主板", "科创板", "创业板", "北交所", "新三板")
    for index in joint[:60]:
        companies.board[index] = boards[int(rng.integers(5))]
        companies.status[index] = "存续"

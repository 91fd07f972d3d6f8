"""Announcement texts of the made-up city with what each of them truly says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np

from qiaomen.demo.companies import Companies

# Kind of the event, then ways to say it. {a} is the subject, {b} the other side, {m} money, {d} a date in words.
EVENTS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("bid_won", (
        "{d}，{a}收到中标通知书，确认公司中标{b}设备采购项目，中标金额{m}。",
        "{a}近日成功中标{b}2026年度配套采购，中标价为{m}，合同将于一个月内签订。",
    )),
    ("major_contract_signed", (
        "{a}于{d}与{b}签订了销售合同，合同总金额为人民币{m}。",
        "公告称，{a}与{b}签署重大合同，金额{m}，履行期限两年。",
    )),
    ("guarantee_provided", (
        "{a}于{d}与银行签署保证合同，为{b}提供连带责任保证，担保金额{m}。",
        "董事会同意{a}为{b}向银行申请的综合授信提供担保，担保额度不超过{m}。",
    )),
    ("share_pledged", (
        "{a}股东将其持有的部分股份质押给{b}，融资{m}，质押登记于{d}办理完毕。",
    )),
    ("capacity_expansion", (
        "{a}宣布启动扩产项目，拟投资{m}新建两条生产线，预计明年三季度投产。",
        "{d}，{a}新增产线建设项目开工，项目总投资{m}。",
    )),
    ("plant_completed", (
        "{d}，{a}智能工厂竣工投产，项目总投资{m}。",
    )),
    ("merger_acquisition", (
        "{a}拟以现金{m}收购{b}51%股权，相关协议已于{d}签署。",
    )),
    ("outbound_investment", (
        "{a}决定以自有资金{m}对外投资，与{b}共同设立合资公司。",
    )),
    ("land_acquired", (
        "{d}，{a}以{m}竞得临海片区一宗工业用地使用权。",
    )),
    ("equity_financing", (
        "{a}宣布完成B轮融资，融资金额{m}，由{b}领投。",
        "{d}，{a}完成{m}A轮融资，本轮由{b}独家投资。",
    )),
    ("strategic_cooperation", (
        "{a}与{b}签署战略合作协议，双方将在智能制造领域开展合作。",
    )),
    ("patent_granted", (
        "{a}于{d}取得国家知识产权局颁发的发明专利证书。",
    )),
    ("subsidy_granted", (
        "{a}于{d}收到与收益相关的政府补助{m}。",
    )),
    ("lawsuit_defendant", (
        "{b}因买卖合同纠纷将{a}诉至法院，涉案金额{m}，法院已于{d}受理。",
    )),
    ("debt_default", (
        "{a}未能按期兑付到期商业承兑汇票，逾期金额{m}。",
    )),
    ("new_product_launch", (
        "{d}，{a}自主研发的新产品获批上市。",
    )),
)  # fmt: skip

# Sentences that use the words of events and report none.
NO_EVENTS: Final = (
    "{a}澄清：网络流传的公司中标{b}项目的消息不实，公司未参与该项目投标。",
    "{a}在投资者交流会上表示，目前没有收购{b}的计划。",
    "分析人士预计，若{a}未来完成融资，估值或将翻倍。",
    "{a}组织员工学习合同签订与担保业务的风险防范知识。",
    "{a}表示尚未与{b}签署任何合同。",
    "据了解，{a}今年的年会将在下月举行，{b}负责会场布置。",
    "{a}回顾了十年前中标首个项目的历程。",
    "{a}终止筹划对{b}的收购事项。",
)


@dataclass(slots=True)
class Announcements:
    """One entry per text; ``kind`` is empty where the text reports no event."""

    number: list[str] = field(default_factory=list)
    title: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    publisher: list[str] = field(default_factory=list)
    published_on: list[date] = field(default_factory=list)
    company: list[int] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    amount_cny: list[float | None] = field(default_factory=list)


def _money(rng: np.random.Generator) -> tuple[str, float]:
    value = round(float(np.exp(rng.normal(16.6, 1.0))), -4)
    style = int(rng.integers(4))
    if style == 0 and value >= 1e8:
        return f"{value / 1e8:.2f}亿元", round(round(value / 1e8, 2) * 1e8, 2)
    if style == 1:
        return f"人民币{value / 1e4:,.0f}万元", value
    if style == 2:
        return f"{value / 1e4:.0f}万元", value
    return f"{value:,.2f}元", value


def make_announcements(
    rng: np.random.Generator, companies: Companies, count: int, as_of: date
) -> Announcements:
    """Draw ``count`` texts over twelve months; one in five reports nothing."""
    texts = Announcements()
    alive = [
        index
        for index, status in enumerate(companies.status)
        if status == "存续" and companies.capital_cny[index] > 5e6
    ]
    publishers = ("企业公告", "园区发布", "地方财经", "采购与招标网")
    for number in range(count):
        subject, other = (alive[int(value)] for value in rng.choice(len(alive), 2, replace=False))
        published = as_of - timedelta(days=int(rng.integers(0, 365)))
        on = published - timedelta(days=int(rng.integers(0, 3)))
        money, value = _money(rng)
        if number % 5 == 4:
            kind, pattern = "", NO_EVENTS[int(rng.integers(len(NO_EVENTS)))]
        else:
            kind, patterns = EVENTS[int(rng.integers(len(EVENTS)))]
            pattern = patterns[int(rng.integers(len(patterns)))]
        said = pattern.format(
            a=companies.name[subject], b=companies.name[other], m=money, d=f"{on.month}月{on.day}日"
        )
        texts.number.append(f"A{number + 1:05d}")
        texts.title.append(f"{companies.name[subject]}相关公告")
        texts.text.append(f"{said}本公告不构成任何投资建议。")
        texts.publisher.append(publishers[int(rng.integers(4))])
        texts.published_on.append(published)
        texts.company.append(subject)
        texts.kind.append(kind)
        texts.amount_cny.append(value if kind and "{m}" in pattern else None)
    return texts

"""企业页: the one profile record, in the order that staff read it, each line with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from qiaomen.bank import Action, may
from qiaomen.customers import opt_outs_of
from qiaomen.dispatch import TaskFilter, list_tasks
from qiaomen.reports import CompanyProfile, DataDate, Line, Trade, Way, company_profile
from qiaomen.store import reading
from qiaomen.vocab import STATE_LABELS, TaskState
from qiaomen.web import formats
from qiaomen.web.cards import STATE_SHORT
from qiaomen.web.cells import Cell, Chip, ColumnView, Evidence, TableView, table, tier_chip
from qiaomen.web.contacts import contact_panel
from qiaomen.web.labels import Labels
from qiaomen.web.numbers import RowNumber
from qiaomen.web.visit import Visit, signed_in

LIGHTS: Final = {
    "green": ("go", "可以营销", "shield-check"),
    "amber": ("wait", "谨慎营销", "alert-triangle"),
    "red": ("stop", "不予营销", "shield-x"),
}
BASIS_LABELS: Final = {"score": "评分", "opportunity": "商机", "tag": "标签"}
LONG: Final = 8

router = APIRouter()


@dataclass(frozen=True, slots=True)
class LineView:
    """One statement as the page shows it."""

    text: str
    href: str
    evidence: Evidence | None
    note: str
    proven: bool


@dataclass(frozen=True, slots=True)
class Block:
    """One part of the page: a list of statements, the first shown and the rest folded."""

    key: str
    title: str
    lines: tuple[LineView, ...]
    more: tuple[LineView, ...]
    empty: str
    hint: str


@dataclass(frozen=True, slots=True)
class Moment:
    """One point of the timeline."""

    day: str
    text: str
    evidence: Evidence | None
    chip: Chip | None


@dataclass(frozen=True, slots=True)
class CompanyView:
    """The whole page."""

    profile: CompanyProfile
    verdict: str
    reasons: dict[str, str]
    light: tuple[str, str, str]
    chips: tuple[Chip, ...]
    facts: tuple[tuple[str, str], ...]
    grounds: tuple[LineView, ...]
    timeline: tuple[Moment, ...]
    later: tuple[Moment, ...]
    ways: tuple[Way, ...]
    suppliers: TableView
    buyers: TableView
    coverage: str
    blocks: dict[str, Block]
    dates: TableView
    tasks: tuple[tuple[str, str, str], ...]
    index: tuple[tuple[str, str], ...]


def line_view(line: Line) -> LineView:
    """Lay out one statement."""
    notes = [
        formats.day(line.on) if line.on else "",
        formats.money(line.amount_cny) if line.amount_cny is not None else "",
    ]
    note = " · ".join(part for part in notes if part and part not in line.text)
    href = f"/companies/{line.company_id}" if line.company_id is not None else ""
    return LineView(line.text, href, Evidence.parse(line.evidence), note, line.proven)


def block(key: str, title: str, lines: Sequence[Line], empty: str, hint: str = "") -> Block:
    """Lay out one part."""
    views = tuple(line_view(line) for line in lines)
    return Block(key, title, views[:LONG], views[LONG:], empty, hint)


def said(labels: Labels, text: str, name: str) -> str:
    """Say a statement of the company's own page without repeating its name or the kind before the title."""
    plain = labels.plain(text, name)
    kind, colon, rest = plain.partition("：")
    return rest if colon and rest.startswith(kind) else plain


def moments(labels: Labels, lines: Sequence[Line], name: str) -> tuple[Moment, ...]:
    """Lay out the timeline."""
    tones: dict[str, Chip] = {
        "warning": Chip("预警", "amber"),
        "veto": Chip("否决", "red"),
        "retention": Chip("留存", "violet"),
    }
    return tuple(
        Moment(
            formats.day(line.on),
            said(labels, line.text, name),
            Evidence.parse(line.evidence),
            tones.get(line.kind),
        )
        for line in lines
    )


def trade_table(rows: Sequence[Trade], side: str) -> TableView:
    """Lay out suppliers or buyers."""

    def core(row: Trade) -> tuple[Chip, ...]:
        return (Chip(f"核心{side}", "violet", "按声明的规则判定"),) if row.core else ()

    columns: tuple[ColumnView[Trade], ...] = (
        ColumnView(
            side,
            lambda row: Cell(
                row.name,
                href=f"/companies/{row.company_id}",
                chips=core(row),
                evidence=Evidence.parse(row.evidence),
            ),
        ),
        ColumnView("金额", lambda row: Cell(formats.money(row.amount_cny)), align="right"),
        ColumnView("占比", lambda row: Cell(formats.percent(row.share)), align="right"),
        ColumnView("笔数", lambda row: Cell(formats.count(row.count)), align="right"),
        ColumnView("最近", lambda row: Cell(formats.day(row.last_on)), fixed=True),
    )
    return table(
        columns, rows[:LONG], caption=side, empty=f"没有已知的{side}", empty_hint="载入发票或供应关系后显示"
    )


def date_table(rows: Sequence[DataDate]) -> TableView:
    """Lay out the sources with their dates."""
    columns: tuple[ColumnView[DataDate], ...] = (
        ColumnView("来源", lambda row: Cell(row.source)),
        ColumnView("数据日期", lambda row: Cell(formats.day(row.observed_on)), fixed=True),
        ColumnView("记录", lambda row: Cell(formats.count(row.records)), align="right"),
    )
    return table(columns, rows, caption="数据来源与日期", empty="没有来源记录")


def facts(labels: Labels, profile: CompanyProfile) -> tuple[tuple[str, str], ...]:
    """The facts beside the name; an unknown one is left out."""
    head = profile.head
    customer = head.customer
    pairs = [
        ("统一社会信用代码", head.uscc or ""),
        ("登记状态", head.status or ""),
        ("成立日期", formats.day(head.founded_on) if head.founded_on else ""),
        ("注册资本", formats.money(head.capital_cny) if head.capital_cny is not None else ""),
        ("法定代表人", head.legal_representative or ""),
        ("企业类型", head.org_type or ""),
        ("行业", trade(labels, head.industry)),
        ("地区", head.region),
        ("地址", head.address or ""),
        ("参保人数", f"{head.employees:,} 人" if head.employees is not None else ""),
        ("营业收入", formats.money(head.revenue_cny) if head.revenue_cny is not None else ""),
        ("上市", head.listed or ""),
        ("电话", head.phone or ""),
    ]
    if customer and customer.in_scope:
        pairs += [
            ("客户号", customer.customer_no or ""),
            ("管户机构", customer.institution or ""),
            ("主办", customer.manager or ""),
            ("开户日期", formats.day(customer.opened_on) if customer.opened_on else ""),
            ("最近联系", formats.day(customer.last_contact_on) if customer.last_contact_on else ""),
        ]
    return tuple((label, value) for label, value in pairs if value)


def trade(labels: Labels, text: str | None) -> str:
    """Say a trade in words where the record has only its code."""
    words = (text or "").split()
    return (
        f"{labels.industry(words[0])}（{words[0]}）"
        if len(words) == 1 and words[0][:1].isascii()
        else text or ""
    )


def chips(profile: CompanyProfile) -> tuple[Chip, ...]:
    """Whether it is ours, and its tier."""
    customer = profile.head.customer
    own = Chip(customer.shown_as if customer else "潜客", "brand" if customer else "amber")
    return (own, *tier_chip(profile.head.tier))


def coverage_words(profile: CompanyProfile) -> str:
    """Say how much of sales and purchases is known."""
    sides = {"sales": "销售", "purchases": "采购"}
    return "；".join(
        f"{sides.get(item.side, item.side)}已知 {formats.money(item.known_cny)}，"
        + (
            f"覆盖 {formats.percent(item.coverage)}"
            if item.coverage is not None
            else "覆盖率未知（无申报总额）"
        )
        + ("" if item.judged else "，对手不足 5 户不判核心")
        for item in profile.coverage
    )


def blocks(profile: CompanyProfile) -> dict[str, Block]:
    """All parts that are lists of statements."""
    listed = (
        block("dealings", "本行往来", profile.dealings, "没有本行往来", "潜客或不在您的权限内"),
        block("elsewhere", "他行痕迹", profile.traces_elsewhere, "没有发现他行痕迹"),
        block("chains", "产业链", profile.chains, "还没有归到产业链"),
        block("goods", "产品", profile.goods, "没有已知产品"),
        block("parks", "园区", profile.parks, "不在已知园区"),
        block("tags", "画像标签", profile.tags, "没有标签"),
        block("holders", "股东", profile.holders, "没有股东信息"),
        block("holdings", "对外投资", profile.holdings, "没有对外投资"),
        block("officers", "任职人员", profile.officers, "没有任职信息"),
        block("group", "集团与控制", profile.group, "未发现集团关系"),
        block("suspected", "疑似关联", profile.suspected, "没有疑似关联"),
        block("risks", "风险", profile.risks, "没有发现风险", "以公示来源为准"),
        block("marketing", "过往营销", profile.marketing, "没有营销记录"),
        block("conflicts", "来源不一致", profile.conflicts, "各来源一致"),
        block("names", "曾用名与简称", profile.names, "没有其他名称"),
    )
    return {item.key: item for item in listed}


INDEX: Final = (
    ("timeline", "时间线"),
    ("products", "可做产品"),
    ("ways", "敲门线索"),
    ("contacts", "联系方式"),
    ("dealings", "往来"),
    ("supply", "上下游"),
    ("chain", "产业链与园区"),
    ("shares", "股权与集团"),
    ("risk", "风险"),
    ("marketing", "过往营销"),
    ("sources", "依据与日期"),
)


def company_view(
    labels: Labels, profile: CompanyProfile, tasks: tuple[tuple[str, str, str], ...]
) -> CompanyView:
    """Lay out the page."""
    timeline = moments(labels, profile.timeline, profile.head.name)
    return CompanyView(
        profile=profile,
        verdict=labels.plain(profile.verdict, profile.head.name),
        reasons={item.code: labels.plain(item.reason, profile.head.name) for item in profile.products},
        light=LIGHTS[profile.head.light],
        chips=chips(profile),
        facts=facts(labels, profile),
        grounds=tuple(line_view(line) for line in profile.head.grounds),
        timeline=timeline[:LONG],
        later=timeline[LONG:],
        ways=profile.ways_in,
        suppliers=trade_table(profile.suppliers, "供应商"),
        buyers=trade_table(profile.buyers, "下游客户"),
        coverage=coverage_words(profile),
        blocks=blocks(profile),
        dates=date_table(profile.data_dates),
        tasks=tasks,
        index=INDEX,
    )


@router.get("/companies/{company_id}")
def show(visit: Annotated[Visit, Depends(signed_in)], company_id: RowNumber) -> Response:
    """Show one company."""
    with reading(visit.sql) as connection:
        profile = company_profile(visit.viewer, visit.reading.whole, company_id, visit.words, connection)
        refusals = opt_outs_of(visit.viewer, connection, company_id)
        tasks: tuple[tuple[str, str, str], ...] = ()
        if may(visit.viewer, Action.SEE_TASKS):
            found = list_tasks(
                visit.viewer, connection, TaskFilter(company_id=company_id, with_closed=True), limit=10
            )
            tasks = tuple(
                (
                    visit.labels.product(task.product),
                    STATE_SHORT.get(task.state, STATE_LABELS[TaskState(task.state)]),
                    visit.names.staff(task.manager_no),
                )
                for task in found.tasks
            )
    view = company_view(visit.labels, profile, tasks)
    contacts = contact_panel(visit, profile.contacts, refusals)
    return visit.render(
        "company.html",
        key="",
        title=profile.head.name,
        view=view,
        contacts=contacts,
        hand=may(visit.viewer, Action.DISPATCH),
    )

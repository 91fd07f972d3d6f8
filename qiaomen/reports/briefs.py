"""敲门一页纸: from a company profile to the one page that a manager takes along."""

from __future__ import annotations

from typing import Final

from qiaomen.reports.model import Brief, CompanyProfile, Line
from qiaomen.reports.sections import SELLING
from qiaomen.reports.words import day, joined, money

_MUST_NOT: Final = (
    "同名人员、同电话、同地址仅为疑似，不得当面求证",
    "未取得介绍人同意，不得提及介绍人及其业务",
    "不得承诺额度、利率与审批结果",
)
_SHOWN: Final = 3


def brief_of(profile: CompanyProfile) -> Brief:
    """Return the page: why now, who opens the door, what to offer, how to begin, what to know, what not to do."""
    head = profile.head
    selling = [line for line in profile.timeline if line.kind in SELLING]
    subtitle = joined(
        head.customer.shown_as if head.customer else "潜客",
        head.region,
        head.industry,
        head.founded_on and f"成立于 {day(head.founded_on)}",
        (head.capital_cny is not None and f"注册资本 {money(head.capital_cny)}") or "",
        by=" · ",
    )
    return Brief(
        company_id=head.company_id,
        title=head.name,
        subtitle=subtitle,
        light=head.light,
        why_now=tuple(selling[:_SHOWN]),
        who_opens=profile.ways_in[:_SHOWN],
        what_to_offer=profile.products[:_SHOWN],
        how_to_open=_openers(profile, selling),
        know_before=(*head.grounds, *profile.chains[:2], *profile.parks[:1], *profile.marketing[:2]),
        must_not=_MUST_NOT,
        as_of=profile.as_of,
        notice=profile.notice,
    )


def _openers(profile: CompanyProfile, selling: list[Line]) -> tuple[str, ...]:
    """Return sentences to begin with, each resting on a fact above."""
    found = []
    if profile.head.light == "red":
        return ("准入红灯，暂不拜访；如认为有误，请在企业页提出异议",)
    if profile.ways_in:
        found.append(profile.ways_in[0].wording)
    if selling:
        amount = money(selling[0].amount_cny)
        found.append(f"从“{selling[0].text}”{amount and f'（{amount}）'}谈起，了解资金安排")
    if profile.buyers:
        found.append(f"请教与“{profile.buyers[0].name}”的合作账期，引出供应链融资")
    elif profile.parks:
        found.append(f"以“{profile.parks[0].text}”园区服务为由约访")
    if profile.products and profile.products[0].missing:
        found.append(f"当面补齐：{'、'.join(profile.products[0].missing[:3])}")
    return tuple(found) or ("先核实经营地址与实际业务，再约访",)

"""Who plays which role in the event of a sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from qiaomen.mining.names import Mention
from qiaomen.mining.rules import RolePattern, TextRule

_LEAD_CHARS: Final = 20
# 公司, 本公司 … stand for the company that the document is about.
_PRONOUN: Final = re.compile(
    r"本公司|上市公司|发行人|该公司"
    r"|(?:(?<![一-鿿A-Za-z0-9)])|(?<=[与和对为由将把给向在于及使致认称悉从被因是即如若而但到至了]))"
    r"公司(?!债|法|章程|股票|股份|总部|名|治理|董事|监事|高管|控股|"
    r"实际|实控|第|全资|子|孙|股东|下属|旗下|所属|及其|系|类|债券)"
)
# Whoever is quoted as a source of data or opinion, and whoever stands only as parent or target of the real actor.
_NO_ACTOR: Final = re.compile(r"(?:Choice|金融终端)?数据|iFinD|研报|研究报告|分析师|记者|认为|投顾")
_BETWEEN: Final = re.compile(
    r"子公司|孙公司|附属公司|下属公司|控股股东|的股东|公司股东|实际控制人|实控人|一致行动人"
)
_CLAUSE: Final = re.compile(r"[,，;；。:：]")
_IMPLIED: Final = re.compile(
    r"(?:子公司|孙公司|附属公司|下属公司|控股股东|公司股东)[“\"]?(?P<name>(?![将把拟已所及合其与和向为未正])[一-鿿A-Za-z]{2,8}?)[”\"]?(?:\([^()]{0,20}\))?"
    r"(?=(?:已|近日|日前|成功|联合)?(?:中标|收购|拟|为|与|向|将|把|质押|减持|增持|签|于|累计|确定|所持|持有|成为|提供|收到|的))"
)


@dataclass(frozen=True, slots=True)
class Player:
    """One company in one role; ``by_document`` where it was named only by 公司 or by the document."""

    role: str
    mention: Mention
    by_document: bool


@lru_cache(maxsize=512)
def _ends_with(pattern: str) -> re.Pattern[str]:
    return re.compile(f'(?:{pattern})[“"《]?$')


@lru_cache(maxsize=64)
def _joined(joiner: str) -> re.Pattern[str]:
    return re.compile(rf"(?:\([^()]{{0,20}}\))?(?:{joiner})")


@lru_cache(maxsize=512)
def _begins_with(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def pronouns(flat: str, subject: Mention | None) -> list[Mention]:
    """Return the places of ``flat`` where 公司 stands for the document's subject."""
    if subject is None:
        return []
    return [
        Mention(match.start(), match.end(), subject.name, subject.company_ids, subject.legal)
        for match in _PRONOUN.finditer(flat)
    ]


def implied(flat: str, mentions: Sequence[Mention]) -> list[Mention]:
    """Return the short names after 子公司, 控股股东 and the like that no other mention covers."""
    found = []
    for match in _IMPLIED.finditer(flat):
        start, end = match.span("name")
        if not any(mention.start < end and start < mention.end for mention in mentions):
            found.append(Mention(start, end, match["name"], (), legal=False))
    return found


def _placed(pattern: RolePattern, flat: str, mention: Mention, trigger: tuple[int, int]) -> bool:
    """Whether a mention stands on the right side of the trigger with nothing between that makes it another's."""
    if pattern.side == "before":
        gap = flat[mention.end : trigger[0]]
        own = bool(pattern.follow) or not _BETWEEN.search(gap)
        return mention.end <= trigger[0] and own
    if mention.start < trigger[0]:
        return False
    return bool(pattern.lead) or not _CLAUSE.search(flat, trigger[1], max(trigger[1], mention.start))


def _fits(pattern: RolePattern, flat: str, mention: Mention, trigger: tuple[int, int]) -> bool:
    if not _placed(pattern, flat, mention, trigger) or _NO_ACTOR.match(flat, mention.end):
        return False
    before = flat[max(0, mention.start - _LEAD_CHARS) : mention.start]
    if pattern.lead and not _ends_with(pattern.lead).search(before):
        return False
    if pattern.not_lead and _ends_with(pattern.not_lead).search(before):
        return False
    if pattern.not_follow and _begins_with(pattern.not_follow).match(flat, mention.end):
        return False
    return not pattern.follow or bool(_begins_with(pattern.follow).match(flat, mention.end))


def _nearest(
    pattern: RolePattern, flat: str, mentions: Sequence[Mention], trigger: tuple[int, int]
) -> Mention | None:
    fitting = [mention for mention in mentions if _fits(pattern, flat, mention, trigger)]
    if not fitting:
        return None
    if pattern.side == "before":
        return max(fitting, key=lambda mention: mention.end)
    return min(fitting, key=lambda mention: mention.start)


def _listed(flat: str, mentions: Sequence[Mention], chosen: Mention, joiner: str) -> list[Mention]:
    """Return ``chosen`` and the companies enumerated with it (甲、乙、丙中标), nearest first."""
    listed, start = [chosen], chosen.start
    for mention in reversed([mention for mention in mentions if mention.end <= chosen.start]):
        if not _joined(joiner).fullmatch(flat, mention.end, start) or any(
            _same(mention, one) for one in listed
        ):
            break
        listed.append(mention)
        start = mention.start
    return listed


def _same(one: Mention, other: Mention) -> bool:
    if one.company_ids and other.company_ids:
        return bool(set(one.company_ids) & set(other.company_ids))
    return one.name == other.name


def assign_roles(
    rule: TextRule,
    flat: str,
    mentions: Sequence[Mention],
    trigger: tuple[int, int],
    subject: Mention | None,
) -> list[Player]:
    """Return the players of one event: patterns in declared order, each role and each company once.

    ``mentions`` and ``trigger`` are offsets in ``flat``; ``subject`` is who the document is about.
    """
    stand_ins = pronouns(flat, subject)
    pool = sorted(
        [*mentions, *implied(flat, [*mentions, *stand_ins]), *stand_ins], key=lambda mention: mention.start
    )
    players: list[Player] = []
    for pattern in rule.roles:
        if any(player.role == pattern.role for player in players):
            continue
        free = [mention for mention in pool if not any(_same(mention, player.mention) for player in players)]
        chosen = _nearest(pattern, flat, free, trigger)
        if chosen is not None:
            listed = _listed(flat, free, chosen, pattern.joiner)
            players += [Player(pattern.role, mention, mention in stand_ins) for mention in listed]
    missing = rule.document_role and not any(player.role == rule.document_role for player in players)
    if missing and _BETWEEN.search(flat, 0, trigger[0]):
        return players  # The actor is a subsidiary or holder whose name is not in the sentence.
    if missing and subject is not None and not any(_same(subject, player.mention) for player in players):
        players.append(Player(rule.document_role, subject, by_document=True))
    return players

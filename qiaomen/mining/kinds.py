"""The declared opportunity kinds: what each is for, whom it concerns, how long it stands.

Reads the catalogue ``opportunity_kinds``; polarity and needs are decided per role of the company in the event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from pydantic import ValidationInfo, field_validator, model_validator

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.vocab import (
    GRADE_LABELS,
    POLARITY_LABELS,
    SIGNAL_LABELS,
    CatalogInvalid,
    Grade,
    Polarity,
    Signal,
)

EXPIRES_ON: Final = "expires_on"
SEVERITIES: Final = ("高", "中", "低")
DETECTORS: Final = ("text", "registry_change", "expiry", "in_bank", "feed")
SOURCE_ACCESS: Final = ("公开", "采购", "企业授权", "行内")
ADVERSE: Final = frozenset({Polarity.WARNING, Polarity.VETO})

_SIGNALS: Final = {label: Signal(code) for code, label in SIGNAL_LABELS.items()}
_POLARITIES: Final = {label: Polarity(code) for code, label in POLARITY_LABELS.items()}
_GRADES: Final = {label: Grade(code) for code, label in GRADE_LABELS.items()}


@dataclass(frozen=True, slots=True)
class RoleNeeds:
    """What one role means to the bank.

    ``polarity`` is the kind's own, or the one written for the role. A role without needs and without a polarity
    (``context``) only names the other side; it gives no opportunity.
    """

    role: str
    needs: tuple[Signal, ...]
    polarity: Polarity
    context: bool


class OpportunityKind(CatalogRow):
    """One opportunity kind.

    ``roles`` are written ``角色:需求+需求``, the leading role first; ``角色:预警`` overrides the polarity for a role.
    Without ``half_life_days`` the kind is a status or a schedule: it does not decay and stands until what
    ``ends_on`` names. ``ends_on`` holds codes of kinds whose arrival ends it, and ``expires_on`` for its own date.
    """

    name: str
    group: str
    group_name: str
    polarity: Polarity
    detectors: tuple[str, ...]
    subject_role: str
    roles: tuple[str, ...]
    half_life_days: int | None = None
    grade: Grade | None = None
    reason: str = ""
    severity: str = ""
    action: str = ""
    ends_on: tuple[str, ...] = ()
    batch: bool = False
    source_access: str
    source: str = ""
    arguments: tuple[str, ...] = ()
    wording: str = ""
    aliases: tuple[str, ...] = ()

    @field_validator("polarity", mode="before")
    @classmethod
    def _polarity(cls, value: object) -> object:
        return _POLARITIES.get(str(value), value)

    @field_validator("grade", mode="before")
    @classmethod
    def _grade(cls, value: object) -> object:
        return _GRADES.get(str(value), value)

    @field_validator("detectors")
    @classmethod
    def _detectors(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or set(value) - set(DETECTORS):
            raise ValueError(f"detectors 只能取 {'、'.join(DETECTORS)}")
        return value

    @field_validator("severity", "source_access")
    @classmethod
    def _one_of(cls, value: str, info: ValidationInfo) -> str:
        allowed = ("", *SEVERITIES) if info.field_name == "severity" else SOURCE_ACCESS
        if value not in allowed:
            raise ValueError(f"只能取 {'、'.join(filter(None, allowed))}")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        roles = list(self._parsed())
        if not roles or roles[0].role != self.subject_role:
            raise ValueError("subject_role 应是 roles 的第一个角色")
        adverse = any(role.polarity in ADVERSE and not role.context for role in roles)
        if adverse != bool(self.severity and self.action):
            raise ValueError("预警、否决须有 severity 与 action，其他种类不得有")
        if self.polarity in ADVERSE and (self.grade or any(role.needs for role in roles)):
            raise ValueError("预警、否决不带银行需求，也没有价值等级")
        if self.polarity not in ADVERSE and not (self.grade and roles[0].needs):
            raise ValueError("营销机会、双向、留存须有价值等级 grade，首个角色须有银行需求")
        if self.half_life_days is None and not self.ends_on:
            raise ValueError("不衰减的种类须写明 ends_on")
        if self.half_life_days is not None and self.half_life_days <= 0:
            raise ValueError("half_life_days 须为正数，不衰减则留空")
        return self

    def _parsed(self) -> Iterator[RoleNeeds]:
        for position, text in enumerate(self.roles):
            name, _, rest = text.partition(":")
            words = [word.strip() for word in rest.split("+") if word.strip()]
            own = [_POLARITIES[word] for word in words if word in _POLARITIES]
            needs = tuple(_SIGNALS.get(word) or Signal(word) for word in words if word not in _POLARITIES)
            context = position > 0 and not words
            yield RoleNeeds(name.strip(), needs, own[0] if own else self.polarity, context)

    @cached_property
    def role_needs(self) -> tuple[RoleNeeds, ...]:
        """Roles in declared order, the leading one first."""
        return tuple(self._parsed())

    def role(self, name: str | None) -> RoleNeeds:
        """Return what ``name`` means; the leading role for an unknown or empty name."""
        return self._by_name.get(name or "", self.role_needs[0])

    @cached_property
    def _by_name(self) -> dict[str, RoleNeeds]:
        return {role.role: role for role in self.role_needs}

    @cached_property
    def ending_kinds(self) -> tuple[str, ...]:
        """Codes of the kinds whose arrival ends this one."""
        return tuple(code for code in self.ends_on if code != EXPIRES_ON)

    @cached_property
    def ends_at_expiry(self) -> bool:
        """Whether its own ``expires_on`` date ends it."""
        return EXPIRES_ON in self.ends_on


def load_kinds(overlay: Path | None = None) -> dict[str, OpportunityKind]:
    """Return the kinds by code; ``CatalogInvalid`` for a bad row, a name given twice or an unknown ending kind."""
    kinds = {row.code: row for row in read_rows("opportunity_kinds", OpportunityKind, overlay=overlay)}
    names: set[str] = set()
    for kind in kinds.values():
        unknown = [code for code in kind.ending_kinds if code not in kinds]
        if unknown:
            raise CatalogInvalid(
                f"ends_on 指向不存在的种类 {unknown[0]}",
                where=f"opportunity_kinds {kind.code}",
                remedy="改成已有种类的代码",
            )
        words = {kind.code, kind.name, *kind.aliases}
        if words & names:
            raise CatalogInvalid(
                f"种类名称“{'、'.join(sorted(words & names))}”重复",
                where=f"opportunity_kinds {kind.code}",
                remedy="代码、名称与别名在全目录内须唯一",
            )
        names |= words
    return kinds


def kinds_by_word(kinds: Mapping[str, OpportunityKind]) -> dict[str, str]:
    """Return code, Chinese name and aliases → code, for feeds that write any of them."""
    return {word: kind.code for kind in kinds.values() for word in (kind.code, kind.name, *kind.aliases)}

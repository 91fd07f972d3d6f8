"""Row types of the declared detector rules: text, guards, registry changes, expiries, in-bank signals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.mining.kinds import OpportunityKind, load_kinds
from qiaomen.vocab import CatalogInvalid


def _regular(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"正则表达式有误：{error}") from error
    return value


class RolePattern(BaseModel):
    """Where a role stands: before or after the trigger, with words that must (not) stand just before or after it.

    ``joiner`` is what stands between companies that share the role (甲、乙中标).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    side: Literal["before", "after"]
    lead: str = ""
    not_lead: str = ""
    follow: str = ""
    not_follow: str = ""
    joiner: str = "、"

    _regular = field_validator("lead", "not_lead", "follow", "not_follow", "joiner")(_regular)


class TextRule(CatalogRow):
    """How one kind shows itself in a sentence.

    ``triggers`` is a pattern; ``requires`` must be found in the sentence or the title, ``excludes`` must not be
    found in the sentence. Of the rules of one ``family`` only the first that fits a trigger counts. ``guards_off``
    names guards that do not apply; where a rule of a family in ``yields_to`` has fired, this one stays silent. ``lapse_days``: an event told as older than that is history.
    """

    kind: str
    triggers: str
    family: str = ""
    requires: str = ""
    excludes: str = ""
    roles: tuple[RolePattern, ...] = ()
    document_role: str = ""
    amount: bool = True
    confidence: float = 0.8
    guards_off: tuple[str, ...] = ()
    yields_to: tuple[str, ...] = ()
    lapse_days: int = 400

    _regular = field_validator("triggers", "requires", "excludes")(_regular)


class TextGuard(CatalogRow):
    """Words that make a trigger no event: negation, hypothesis, rumour, history.

    ``where``: ``before`` (directly up to ``reach`` characters before the trigger, within the clause), ``after``, or
    ``sentence``.
    """

    where: Literal["before", "after", "sentence"]
    pattern: str
    reach: int = 12
    reason: str

    _regular = field_validator("pattern")(_regular)


class ChangeRule(CatalogRow):
    """How one kind shows itself in a registered change: the field, and what the new value must be."""

    kind: str
    fields: tuple[str, ...]
    test: Literal["increase", "decrease", "changed", "added", "became"]
    words: str = ""
    not_words: str = ""
    ratio: float = 0.0
    role: str
    label: str
    lookback_days: int = 180
    confidence: float = 0.9

    _regular = field_validator("words", "not_words")(_regular)


class ExpiryRule(CatalogRow):
    """Which expiry date announces which kind, how many days ahead, and on whose side.

    ``origin`` is ``opportunity`` (``of`` = kinds of the feed), ``relation`` (``of`` = relation kinds, ``side`` = the
    end of the relation that is the subject).
    """

    kind: str
    origin: Literal["opportunity", "relation"]
    of: tuple[str, ...]
    side: Literal["from", "to", "self"] = "self"
    words: str = ""
    lead_days: int
    role: str
    label: str
    confidence: float = 0.8

    _regular = field_validator("words")(_regular)


class InBankRule(CatalogRow):
    """Which dealing or monthly flow gives which kind, with its thresholds.

    ``due``: a dealing of the kinds ``of`` falls due within ``lead_days``. ``unused``/``usage``: the unused (used)
    share of the limit is at least ``threshold``. ``drop``/``rise``: the mean of the last ``recent_months`` of
    ``measure`` is at least ``threshold`` below (above) the mean of the ``base_months`` before. ``single``: the
    measure of the newest month is at least ``threshold`` times the base mean of ``versus``. ``first``: positive in
    the newest months, zero in the base. ``idle``: nothing moved in ``recent_months``. ``floor_cny`` leaves out
    small amounts.
    """

    kind: str
    test: Literal["due", "unused", "usage", "drop", "rise", "single", "first", "idle"]
    of: tuple[str, ...] = ()
    measure: str = ""
    versus: str = ""
    lead_days: int = 0
    recent_months: int = 1
    base_months: int = 6
    threshold: float = 0.0
    floor_cny: float = 0.0
    role: str
    label: str
    confidence: float = 0.9


DetectorRule = TextRule | ChangeRule | ExpiryRule | InBankRule


def _roles(rule: DetectorRule) -> set[str]:
    if isinstance(rule, TextRule):
        return {pattern.role for pattern in rule.roles} | ({rule.document_role} - {""})
    return {rule.role}


def _check(name: str, rule: DetectorRule, kinds: dict[str, OpportunityKind]) -> None:
    where = f"{name} {rule.code}"
    kind = kinds.get(rule.kind)
    if kind is None:
        raise CatalogInvalid(f"规则指向不存在的种类 {rule.kind}", where=where, remedy="改成已有种类的代码")
    known = {role.role for role in kind.role_needs}
    unknown = _roles(rule) - known
    if unknown:
        raise CatalogInvalid(
            f"种类 {rule.kind} 没有角色“{min(unknown)}”",
            where=where,
            remedy=f"可用角色：{'、'.join(sorted(known))}",
        )


def load_text_rules(overlay: Path | None = None) -> tuple[TextRule, ...]:
    """Return the text rules in order; ``CatalogInvalid`` for an unknown kind, role or guard."""
    rules = read_rows("text_rules", TextRule, overlay=overlay)
    kinds = load_kinds(overlay)
    guards = {guard.code for guard in load_guards(overlay)}
    for rule in rules:
        _check("text_rules", rule, kinds)
        if set(rule.guards_off) - guards:
            raise CatalogInvalid(
                "guards_off 指向不存在的排除条件", where=f"text_rules {rule.code}", remedy="检查 text_guards"
            )
    return rules


def load_guards(overlay: Path | None = None) -> tuple[TextGuard, ...]:
    """Return the guards that all text rules share."""
    return read_rows("text_guards", TextGuard, overlay=overlay)


def load_change_rules(overlay: Path | None = None) -> tuple[ChangeRule, ...]:
    """Return the registry change rules; ``CatalogInvalid`` for an unknown kind or role."""
    rules = read_rows("change_rules", ChangeRule, overlay=overlay)
    kinds = load_kinds(overlay)
    for rule in rules:
        _check("change_rules", rule, kinds)
    return rules


def load_expiry_rules(overlay: Path | None = None) -> tuple[ExpiryRule, ...]:
    """Return the expiry rules; ``CatalogInvalid`` for an unknown kind or role."""
    rules = read_rows("expiry_rules", ExpiryRule, overlay=overlay)
    kinds = load_kinds(overlay)
    for rule in rules:
        _check("expiry_rules", rule, kinds)
    return rules


def load_in_bank_rules(overlay: Path | None = None) -> tuple[InBankRule, ...]:
    """Return the in-bank rules; ``CatalogInvalid`` for an unknown kind or role."""
    rules = read_rows("in_bank_rules", InBankRule, overlay=overlay)
    kinds = load_kinds(overlay)
    for rule in rules:
        _check("in_bank_rules", rule, kinds)
    return rules

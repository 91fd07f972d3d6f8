"""Declared rules of delivery: how often, how far apart, when to give up. Catalogue ``delivery_rules``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import Field

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.store import outbox
from qiaomen.vocab import CatalogInvalid

DEFAULT: Final = "default"


class DeliveryRule(CatalogRow):
    """How messages of a topic (``code``, or ``default``) are tried again, and when their endpoint rests.

    The wait before attempt n+1 is ``first_wait_s`` × ``factor`` ^ (n−1), at most ``longest_wait_s``, less a share of
    up to ``jitter`` that differs from message to message.
    """

    attempts: int = Field(ge=1, le=100)
    first_wait_s: float = Field(gt=0)
    factor: float = Field(ge=1, le=10)
    longest_wait_s: float = Field(gt=0)
    jitter: float = Field(ge=0, lt=1)
    give_up_hours: float = Field(gt=0)
    open_after: int = Field(ge=1)
    rest_s: float = Field(gt=0)
    doc: str


def load_delivery_rules(overlay: Path | None = None) -> dict[str, DeliveryRule]:
    """Return the rules by topic; there must be one for ``default``."""
    rules = {row.code: row for row in read_rows("delivery_rules", DeliveryRule, overlay=overlay)}
    if DEFAULT not in rules:
        raise CatalogInvalid("delivery_rules：缺少代码“default”", remedy="对照随附文件补上")
    return rules


def rule_of(rules: Mapping[str, DeliveryRule], topic: str) -> DeliveryRule:
    """Return the rule of a topic."""
    return rules.get(topic) or rules[DEFAULT]


def again_at(rule: DeliveryRule, message: outbox.Message, now: datetime) -> datetime | None:
    """Return when a message that failed is tried again; None where it is given up.

    The jitter comes from the message's key, so that a restart computes the same time.
    """
    if message.attempts >= rule.attempts or too_old(rule, message, now):
        return None
    wait = min(rule.first_wait_s * rule.factor ** (message.attempts - 1), rule.longest_wait_s)
    text = f"{message.topic}:{message.key}:{message.attempts}"
    share = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
    return now + timedelta(seconds=wait * (1 - rule.jitter * share))


def too_old(rule: DeliveryRule, message: outbox.Message, now: datetime) -> bool:
    """Whether a message is so old that it is given up."""
    return now - message.created_at > timedelta(hours=rule.give_up_hours)

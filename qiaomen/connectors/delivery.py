"""Delivers the outbox: claims due messages, sends each, and notes what became of it. At least once.

A failed message waits as ``delivery_rules`` says and ends as dead; an endpoint that fails in a row rests; receivers
drop repeats by the idempotency key, which stays the same over attempts and restarts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import sqlalchemy as sa

from qiaomen.connectors.channels import PushSettings, check_address, notify
from qiaomen.connectors.circuits import note_failure, note_pause, note_success, resting_until
from qiaomen.connectors.egress import Resolve, resolve_host
from qiaomen.connectors.rules import again_at, rule_of, too_old
from qiaomen.connectors.webhooks import post_webhook
from qiaomen.store import outbox
from qiaomen.vocab import NotAllowed, QiaomenError, Unavailable

DIGEST_TOPIC: Final = "push.digest"
_BATCH: Final = 20


@dataclass(frozen=True, slots=True)
class _Round:
    """What one round of delivery works with."""

    sql: sa.Engine
    settings: PushSettings
    clock: Callable[[], datetime]
    resolve: Resolve


class _Later(Exception):
    """The other side asked to be left alone for a while."""

    def __init__(self, pause: timedelta) -> None:
        super().__init__(str(pause))
        self.pause = pause


def deliver_outbox(
    sql: sa.Engine,
    settings: PushSettings,
    now: datetime,
    *,
    worker: str = "push",
    limit: int = 200,
    resolve: Resolve = resolve_host,
) -> dict[str, int]:
    """Send what is due and return counts: sent, skipped (no destination is set), failed, dead, waiting (put off).

    Messages of other topics stay where they are.
    """
    counts = {"sent": 0, "skipped": 0, "failed": 0, "dead": 0, "waiting": 0}
    started = time.monotonic()
    about = _Round(sql, settings, lambda: now + timedelta(seconds=time.monotonic() - started), resolve)
    topics = [DIGEST_TOPIC, *settings.task_topics]
    while sum(counts.values()) < limit:
        batch = outbox.claim(sql, worker, about.clock(), _BATCH, topics=topics)
        if not batch:
            break
        for message in batch:
            counts[_deliver(about, message)] += 1
    return counts


def _deliver(about: _Round, message: outbox.Message) -> str:
    sql, settings, now = about.sql, about.settings, about.clock()
    if message.topic != DIGEST_TOPIC and not settings.webhook_url:
        outbox.finish(sql, message, now)
        return "skipped"
    rule = rule_of(settings.rules, message.topic)
    if too_old(rule, message, now):
        outbox.fail(sql, message, f"超过 {rule.give_up_hours:g} 小时未送达，不再发送", now, None)
        return "dead"
    longest = timedelta(seconds=2 * settings.timeout_s)
    if now + longest > message.lease_until:
        # Those before it took long: another worker might have it before it is sent.
        outbox.put_off(sql, message, now + timedelta(seconds=1))
        return "waiting"
    endpoint = _endpoint(message, settings)
    until = resting_until(sql, endpoint, now, longest)
    if until is not None:
        outbox.put_off(sql, message, until, f"{endpoint} 暂停接收")
        return "waiting"
    try:
        _send(about, message, now)
    except _Later as later:
        until = about.clock() + later.pause
        note_pause(sql, endpoint, about.clock(), until)
        outbox.put_off(sql, message, until, "对方要求稍后再发")
        return "waiting"
    except QiaomenError as error:
        if isinstance(error, Unavailable):
            note_failure(sql, endpoint, about.clock(), rule)
        again = again_at(rule, message, about.clock())
        outbox.fail(sql, message, str(error), about.clock(), again)
        return "dead" if again is None else "failed"
    note_success(sql, endpoint)
    outbox.finish(sql, message, about.clock())
    return "sent"


def _endpoint(message: outbox.Message, settings: PushSettings) -> str:
    """Return what rests together: the host of a webhook, or the service behind a channel."""
    url = settings.webhook_url
    if message.topic == DIGEST_TOPIC:
        channel = settings.channels.get(str(message.payload.get("channel")))
        if channel is None or channel.via == "apprise":
            return f"channel:{message.payload.get('channel')}"[:200]
        url = str(message.payload.get("address", ""))
    try:
        return f"host:{urlsplit(url).netloc.lower()}"[:200]
    except ValueError:
        return "host:"


def _send(about: _Round, message: outbox.Message, now: datetime) -> None:
    settings = about.settings
    url = settings.webhook_url
    if message.topic == DIGEST_TOPIC:
        channel = settings.channels.get(str(message.payload.get("channel")))
        if channel is None:
            raise NotAllowed("推送渠道已停用或不存在", remedy="在订阅中换一个渠道")
        url = str(message.payload.get("address", ""))
        check_address(channel, url)
        if channel.via == "apprise":
            notify(channel, url, message, settings, resolve=about.resolve)
            return
    answer = post_webhook(
        url,
        (settings.webhook_secret, settings.webhook_secret_previous),
        message,
        policy=settings.policy,
        now=now,
        timeout_s=settings.timeout_s,
        resolve=about.resolve,
    )
    if 200 <= answer.status < 300:
        return
    if answer.status == 429 or (answer.status == 503 and answer.retry_after is not None):
        rule = rule_of(settings.rules, message.topic)
        raise _Later(answer.retry_after or timedelta(seconds=rule.first_wait_s))
    raise Unavailable(f"对方返回 {answer.status}", remedy="检查对方服务与密钥")

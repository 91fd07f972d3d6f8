"""Delivers the outbox: claims due messages, sends each, and notes success or failure. At least once.

A failed message waits twice as long each time and ends as dead (``store.outbox``); receivers drop repeats by the
idempotency key.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import sqlalchemy as sa

from qiaomen.connectors.channels import PushSettings, check_address, notify
from qiaomen.connectors.egress import Resolve, resolve_host
from qiaomen.connectors.webhooks import post_webhook
from qiaomen.store import outbox
from qiaomen.vocab import NotAllowed, QiaomenError

DIGEST_TOPIC: Final = "push.digest"


def deliver_outbox(
    sql: sa.Engine,
    settings: PushSettings,
    now: datetime,
    *,
    worker: str = "push",
    limit: int = 50,
    resolve: Resolve = resolve_host,
) -> dict[str, int]:
    """Send what is due and return counts: sent, skipped (no destination is set), failed, dead.

    Messages of other topics stay where they are.
    """
    counts = {"sent": 0, "skipped": 0, "failed": 0, "dead": 0}
    topics = [DIGEST_TOPIC, *settings.task_topics]
    for message in outbox.claim(sql, worker, now, limit, topics=topics):
        if message.topic != DIGEST_TOPIC and not settings.webhook_url:
            outbox.finish(sql, message, now)
            counts["skipped"] += 1
            continue
        try:
            _send(message, settings, now, resolve)
        except QiaomenError as error:
            outbox.fail(sql, message, str(error), now)
            counts["dead" if message.attempts >= outbox.ATTEMPTS else "failed"] += 1
        else:
            outbox.finish(sql, message, now)
            counts["sent"] += 1
    return counts


def _send(message: outbox.Message, settings: PushSettings, now: datetime, resolve: Resolve) -> None:
    url = settings.webhook_url
    if message.topic == DIGEST_TOPIC:
        channel = settings.channels.get(str(message.payload.get("channel")))
        if channel is None:
            raise NotAllowed("推送渠道已停用或不存在", remedy="在订阅中换一个渠道")
        url = str(message.payload.get("address", ""))
        check_address(channel, url)
        if channel.via == "apprise":
            notify(channel, url, message.payload, settings, resolve=resolve)
            return
    post_webhook(
        url,
        settings.webhook_secret,
        message.topic,
        message.key,
        message.payload,
        policy=settings.policy,
        now=now,
        timeout_s=settings.timeout_s,
        resolve=resolve,
    )

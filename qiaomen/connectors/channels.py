"""Push channels: e-mail, 企业微信, 钉钉, 飞书 through Apprise, and signed webhooks. Catalogue ``push_channels``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote, urlsplit

from pydantic import field_validator

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.connectors.egress import EgressPolicy, Resolve, check_addresses, resolve_host
from qiaomen.connectors.pinning import pinned
from qiaomen.connectors.rules import DeliveryRule, load_delivery_rules
from qiaomen.store import outbox
from qiaomen.vocab import InputRejected, NotAllowed, Unavailable

_MAIL_PORTS: Final = {"mailto": 25, "mailtos": 465}


class PushChannel(CatalogRow):
    """One channel: how it is sent, the address of the service, its fixed hosts, and what an address looks like."""

    name: str
    via: Literal["apprise", "webhook"]
    template: str
    hosts: tuple[str, ...] = ()
    address_pattern: str
    address_help: str = ""

    @field_validator("address_pattern")
    @classmethod
    def _regular(cls, value: str) -> str:
        re.compile(value)
        return value


@dataclass(frozen=True, slots=True)
class PushSettings:
    """What delivery needs to know; a surface fills it from the settings.

    ``mail_url`` is the mail server in Apprise's form (``mailtos://user:password@smtp.bank.cn?from=a@bank.cn``);
    ``webhook_url`` gets the changes of tasks, empty is off; ``webhook_secret_previous`` is the key before, while receivers
    change. ``task_topics`` are the topics that go there.
    """

    policy: EgressPolicy
    channels: Mapping[str, PushChannel] = field(default_factory=dict)
    webhook_url: str = ""
    webhook_secret: str = ""
    webhook_secret_previous: str = ""
    mail_url: str = ""
    timeout_s: float = 10.0
    rules: Mapping[str, DeliveryRule] = field(default_factory=load_delivery_rules)
    task_topics: tuple[str, ...] = ("task.created", "task.updated", "task.changed", "customers.handed_over")


def load_channels(overlay: Path | None = None) -> dict[str, PushChannel]:
    """Return the channels by code."""
    return {row.code: row for row in read_rows("push_channels", PushChannel, overlay=overlay)}


def check_address(channel: PushChannel, address: str) -> None:
    """Raise ``InputRejected`` unless the address looks as the channel wants it."""
    if not re.fullmatch(channel.address_pattern, address):
        raise InputRejected(f"“{channel.name}”的地址不合规", remedy=channel.address_help or "改正地址")


def _hosts(channel: PushChannel, address: str, settings: PushSettings) -> list[tuple[str, int]]:
    """Return the hosts that this message reaches."""
    if "{mail_url}" not in channel.template:
        return [(host, 443) for host in channel.hosts]
    if not settings.mail_url:
        raise NotAllowed("未配置邮件服务器", remedy="由系统管理员设置 mail_url")
    domain = address.rpartition("@")[2]
    if not settings.policy.names(domain):
        raise NotAllowed(f"收件域 {domain} 不在允许的名单内", remedy="由系统管理员加入 egress_hosts")
    parts = urlsplit(settings.mail_url)
    if parts.scheme not in _MAIL_PORTS or not parts.hostname:
        raise NotAllowed("mail_url 无法识别", remedy="写成 mailtos://用户:密码@主机?from=发件人")
    return [(parts.hostname, parts.port or _MAIL_PORTS[parts.scheme])]


def mark_of(message: outbox.Message) -> str:
    """Return the short number by which a person knows a repeated message."""
    return hashlib.sha256(f"{message.topic}:{message.key}".encode()).hexdigest()[:8]


def apprise_url(channel: PushChannel, address: str, settings: PushSettings, mark: str = "") -> str:
    """Return the address in Apprise's form; the parts that a user wrote are quoted."""
    check_address(channel, address)
    return channel.template.format(
        address=quote(address, safe="@-._+"),
        mail_url=settings.mail_url,
        join="&" if "?" in settings.mail_url else "?",
        mark=quote(mark, safe=""),
    )


def notify(
    channel: PushChannel,
    address: str,
    message: outbox.Message,
    settings: PushSettings,
    *,
    resolve: Resolve = resolve_host,
) -> None:
    """Send title and body through Apprise; ``NotAllowed`` or ``Unavailable`` says why it did not go.

    Apprise opens its own connections; while it does, this thread can connect to the checked addresses only. These
    services know no idempotency key: a repeated message shows the same number at its end.
    """
    import apprise

    mark = mark_of(message)
    url = apprise_url(channel, address, settings, mark)
    hosts = _hosts(channel, address, settings)
    if not hosts:
        raise NotAllowed(f"渠道 {channel.code} 没有写明主机", remedy="在 push_channels 中补上 hosts")
    pins = {host: check_addresses(host, port, settings.policy, resolve=resolve) for host, port in hosts}
    service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if service is None:
        raise NotAllowed(f"“{channel.name}”的地址不合规", remedy=channel.address_help or "改正地址")
    title, body = str(message.payload.get("title", "")), str(message.payload.get("body", ""))
    with pinned(pins):
        sent = service.notify(title=title, body=f"{body}\n（编号 {mark}）")
    if not sent:
        raise Unavailable(f"“{channel.name}”未送达", remedy="检查令牌、网络与对方服务")

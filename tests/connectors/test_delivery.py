import datetime as dt
import json
import re
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.connectors import (
    KEY_HEADER,
    SIGNATURE_HEADER,
    TIME_HEADER,
    EgressPolicy,
    PushChannel,
    PushSettings,
    Receiver,
    check_address,
    deliver_outbox,
    load_channels,
    load_delivery_rules,
    sign,
    verify_signature,
)
from qiaomen.connectors.channels import apprise_url
from qiaomen.store import outbox, reading, writing
from qiaomen.vocab import InputRejected, NotAllowed

# Apprise imports a module of the standard library that Python 3.11 announces the end of.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

NOW = dt.datetime(2025, 6, 30, 1, 0, tzinfo=dt.UTC)
SECRET = "a-secret-of-the-tests"
LOCAL = EgressPolicy(("127.0.0.1",), private=True)
# The robot services speak to fixed hosts; this row sends the same messages to the loopback.
RULES = load_delivery_rules()
DOUBLE = PushChannel(
    code="double",
    name="替身",
    via="apprise",
    template="json://127.0.0.1:{address}/robot",
    hosts=("127.0.0.1",),
    address_pattern=r"\d{2,5}",
)
CHANNELS = load_channels() | {"double": DOUBLE}


def settings(**more: Any) -> PushSettings:
    return PushSettings(**({"policy": LOCAL, "channels": CHANNELS, "webhook_secret": SECRET} | more))


def put(sql: sa.Engine, topic: str, key: str, payload: dict[str, Any]) -> None:
    with writing(sql) as connection:
        outbox.enqueue(connection, topic, key, payload, now=NOW)


def states(sql: sa.Engine) -> dict[str, int]:
    with reading(sql) as connection:
        return outbox.counts(connection)


def error_of(sql: sa.Engine) -> str:
    with reading(sql) as connection:
        return str(connection.execute(sa.text("SELECT error FROM outbox")).scalar())


def test_a_change_of_a_task_is_sent_signed(sql: sa.Engine) -> None:
    put(sql, "task.changed", "7:2", {"task_id": 7, "state": "landed"})
    with Receiver() as receiver:
        counts = deliver_outbox(sql, settings(webhook_url=receiver.url), NOW)
        again = deliver_outbox(sql, settings(webhook_url=receiver.url), NOW)
    assert (counts["sent"], again["sent"], len(receiver.requests)) == (1, 0, 1)
    request = receiver.requests[0]
    headers = request.headers
    verify_signature(
        [SECRET], headers[TIME_HEADER.lower()], request.body, headers[SIGNATURE_HEADER.lower()], NOW
    )
    assert headers[KEY_HEADER.lower()] == "task.changed:7:2"
    assert headers["host"].startswith("127.0.0.1")
    assert json.loads(request.body)["payload"] == {"task_id": 7, "state": "landed"}
    assert states(sql) == {"done": 1}


def test_a_failing_receiver_is_tried_again_later_with_the_same_key(sql: sa.Engine) -> None:
    put(sql, "task.changed", "7:2", {"task_id": 7})
    with Receiver(statuses=(500, 503, 200)) as receiver:
        where = settings(webhook_url=receiver.url)
        assert deliver_outbox(sql, where, NOW)["failed"] == 1
        assert "500" in error_of(sql)
        assert deliver_outbox(sql, where, NOW)["failed"] == 0
        assert deliver_outbox(sql, where, NOW + dt.timedelta(hours=1))["failed"] == 1
        assert deliver_outbox(sql, where, NOW + dt.timedelta(hours=2))["sent"] == 1
    assert {request.headers[KEY_HEADER.lower()] for request in receiver.requests} == {"task.changed:7:2"}
    assert len({request.body for request in receiver.requests}) == 1


def test_a_message_that_never_arrives_ends_as_dead(sql: sa.Engine) -> None:
    put(sql, "task.changed", "7:2", {"task_id": 7})
    with Receiver(statuses=(400,)) as receiver:
        where = settings(webhook_url=receiver.url)
        for attempt in range(RULES["default"].attempts):
            counts = deliver_outbox(sql, where, NOW + dt.timedelta(hours=5 * attempt))
    assert counts["dead"] == 1
    assert states(sql) == {"dead": 1}


def test_a_receiver_that_is_gone_fails(sql: sa.Engine) -> None:
    put(sql, "task.changed", "7:2", {})
    with Receiver() as receiver:
        url = receiver.url
    assert deliver_outbox(sql, settings(webhook_url=url, timeout_s=2.0), NOW)["failed"] == 1
    assert "回调未送达" in error_of(sql)


def test_redirects_are_not_followed(sql: sa.Engine) -> None:
    put(sql, "task.changed", "7:2", {})
    with Receiver() as other, Receiver(statuses=(302,)) as receiver:
        receiver.location = other.url
        assert deliver_outbox(sql, settings(webhook_url=receiver.url), NOW)["failed"] == 1
    assert other.requests == []


def test_without_a_destination_changes_are_skipped(sql: sa.Engine) -> None:
    put(sql, "task.created", "1", {})
    put(sql, "something.else", "1", {})
    assert deliver_outbox(sql, settings(), NOW)["skipped"] == 1
    assert states(sql) == {"done": 1, "waiting": 1}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"policy": EgressPolicy()}, "不在允许的名单内"),
        ({"policy": EgressPolicy(("127.0.0.1",))}, "不允许访问的地址"),
        ({"webhook_secret": ""}, "签名密钥"),
        ({"webhook_secret": "short"}, "签名密钥"),
    ],
)
def test_what_is_not_allowed_is_not_sent(sql: sa.Engine, more: dict[str, Any], words: str) -> None:
    put(sql, "task.changed", "7:2", {})
    with Receiver() as receiver:
        assert deliver_outbox(sql, settings(webhook_url=receiver.url, **more), NOW)["failed"] == 1
    assert receiver.requests == []
    assert words in error_of(sql)


def test_a_digest_goes_through_its_channel(sql: sa.Engine) -> None:
    with Receiver() as receiver:
        digest = {"channel": "double", "address": str(receiver.port), "title": "今日商机", "body": "1. 中标"}
        put(sql, "push.digest", "1:2025-06-30:0", digest)
        assert deliver_outbox(sql, settings(), NOW)["sent"] == 1
    sent = json.loads(receiver.requests[0].body)
    assert sent["title"] == "今日商机"
    assert re.fullmatch(r"1. 中标\n（编号 [0-9a-f]{8}）", sent["message"])


def test_a_digest_by_webhook_is_signed(sql: sa.Engine) -> None:
    with Receiver() as receiver:
        put(
            sql,
            "push.digest",
            "1",
            {"channel": "webhook", "address": receiver.url, "title": "t", "body": "b"},
        )
        assert deliver_outbox(sql, settings(), NOW)["sent"] == 1
    assert SIGNATURE_HEADER.lower() in receiver.requests[0].headers


@pytest.mark.parametrize(
    ("channel", "address", "words"),
    [
        ("gone", "x", "渠道已停用"),
        ("wecom", "key?to=evil", "地址不合规"),
        ("wecom", "12345678-abcd-1234-abcd-1234567890ab", "不在允许的名单内"),
        ("email", "a@bank.cn", "未配置邮件服务器"),
        ("webhook", "http://127.0.0.2:1/", "不在允许的名单内"),
    ],
)
def test_a_digest_that_may_not_go(sql: sa.Engine, channel: str, address: str, words: str) -> None:
    put(sql, "push.digest", "1", {"channel": channel, "address": address, "title": "t", "body": "b"})
    assert deliver_outbox(sql, settings(), NOW)["failed"] == 1
    assert words in error_of(sql)


def test_mail_goes_to_listed_domains_only(sql: sa.Engine) -> None:
    put(sql, "push.digest", "1", {"channel": "email", "address": "a@evil.cn", "title": "t", "body": "b"})
    where = settings(
        mail_url="mailtos://u:p@127.0.0.1?from=q@bank.cn", policy=EgressPolicy(("127.0.0.1", "bank.cn"))
    )
    assert deliver_outbox(sql, where, NOW)["failed"] == 1
    assert "收件域 evil.cn" in error_of(sql)


@pytest.mark.parametrize(
    ("channel", "address", "service"),
    [
        ("email", "a.b@bank.cn", "NotifyEmail"),
        ("wecom", "12345678-abcd-1234-abcd-1234567890ab", "NotifyWeComBot"),
        ("dingtalk", "a" * 32, "NotifyDingTalk"),
        ("dingtalk", f"SEC{'b' * 32}@{'a' * 32}", "NotifyDingTalk"),
        ("feishu", "12345678-abcd-1234-abcd-1234567890ab", "NotifyFeishu"),
    ],
)
def test_the_shipped_channels_are_known_to_apprise(channel: str, address: str, service: str) -> None:
    import apprise

    where = settings(mail_url="mailtos://u:p@smtp.bank.cn?from=q@bank.cn")
    url = apprise_url(CHANNELS[channel], address, where)
    found = apprise.Apprise.instantiate(url)
    assert type(found).__name__ == service
    if channel == "email":
        assert "a.b%40bank.cn" in found.url()


@pytest.mark.parametrize("address", ["a@b@c", "a b@bank.cn", "a@bank.cn?to=x", "a@bank.cn&cc=x@y.cn", ""])
def test_an_address_cannot_smuggle(address: str) -> None:
    with pytest.raises(InputRejected):
        check_address(CHANNELS["email"], address)


@given(st.binary(max_size=200), st.text(min_size=16, max_size=30))
def test_a_signature_holds_for_its_body_alone(body: bytes, secret: str) -> None:
    stamp = str(int(NOW.timestamp()))
    signature = sign(secret, stamp, body)
    verify_signature([secret], stamp, body, signature, NOW)
    for keys, content in (([secret], body + b"x"), ([secret + "x"], body), ([], body)):
        with pytest.raises(NotAllowed):
            verify_signature(keys, stamp, content, signature, NOW)


@pytest.mark.parametrize("stamp", ["", "abc", "-1", "９９", "1" * 400, "0"])
def test_a_wrong_or_old_time_is_refused(stamp: str) -> None:
    with pytest.raises(NotAllowed):
        verify_signature([SECRET], stamp, b"", sign(SECRET, stamp, b""), NOW)


def test_an_old_signature_is_refused() -> None:
    stamp = str(int(NOW.timestamp()))
    with pytest.raises(NotAllowed):
        verify_signature([SECRET], stamp, b"", sign(SECRET, stamp, b""), NOW + dt.timedelta(minutes=6))

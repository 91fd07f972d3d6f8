from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.connectors import EgressPolicy, check_target
from qiaomen.vocab import NotAllowed

PUBLIC = EgressPolicy(("crm.bank.cn", "*.partner.cn"))
INSIDE = EgressPolicy(("crm.bank.cn", "127.0.0.1", "[::1]", "::1"), private=True)


def answering(*addresses: str) -> object:
    def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


def check(url: str, policy: EgressPolicy, *addresses: str) -> str:
    return check_target(url, policy, resolve=answering(*addresses)).address  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url", ["https://crm.bank.cn/x", "https://CRM.bank.cn./x", "https://a.partner.cn:8443/"]
)
def test_listed_hosts_with_public_addresses(url: str) -> None:
    assert check(url, PUBLIC, "8.8.8.8") == "8.8.8.8"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.cn/x",
        "https://partner.cn/x",
        "https://crm.bank.cn.evil.cn/",
        "https://evil.cn#crm.bank.cn",
        "https://user:pw@crm.bank.cn/",
        "https://crm.bank.cn@evil.cn/",
        "ftp://crm.bank.cn/",
        "file:///etc/passwd",
        "https://crm.bank.cn:99999/",
        "https:///x",
        "http://crm.bank.cn/",
        "",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    with pytest.raises(NotAllowed):
        check(url, PUBLIC, "8.8.8.8")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::",
        "64:ff9b::a00:1",
        "224.0.0.1",
    ],
)
def test_inside_addresses_are_refused(address: str) -> None:
    with pytest.raises(NotAllowed):
        check("https://crm.bank.cn/", PUBLIC, address)
    with pytest.raises(NotAllowed):
        check("https://crm.bank.cn/", PUBLIC, "8.8.8.8", address)


def test_inside_addresses_where_the_bank_allows_them() -> None:
    assert check("http://crm.bank.cn/", INSIDE, "10.0.0.1") == "10.0.0.1"
    assert check("http://127.0.0.1:8000/", INSIDE, "127.0.0.1") == "127.0.0.1"
    for address in ("169.254.169.254", "0.0.0.0", "::ffff:169.254.169.254"):
        with pytest.raises(NotAllowed):
            check("https://crm.bank.cn/", INSIDE, address)


def test_a_host_without_an_address_is_refused() -> None:
    with pytest.raises(NotAllowed):
        check("https://crm.bank.cn/", PUBLIC)


@given(st.text(max_size=60))
def test_any_text_is_refused_or_listed(url: str) -> None:
    with pytest.raises(NotAllowed):
        check(url, EgressPolicy(()), "8.8.8.8")

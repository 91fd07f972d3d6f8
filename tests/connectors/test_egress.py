import ipaddress
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


@pytest.mark.parametrize(
    "url",
    [
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./x",
        "https://crm.bank.cn..../",
        "https://crm..bank.cn/",
        "https://@crm.bank.cn/",
        "https://crm.bank.cn:0/",
        "https://crm.bank.cn\\@evil.cn/",
        "https://crm.bank.cn%2eevil.cn/",
        "https://crm.bank.cn\t.evil.cn/",
        "https://ｃrm.bank.cn/",
        "https://crm。bank.cn/",
        "https://ⓒrm.bank.cn/",
        "https://银行.cn/",
        "https://crm.bank.cn/ x",
        "https://crm.bank.cn/\r\nHost:evil",
        "https://[fe80::1%25eth0]/",
        "https://[::ffff:127.0.0.1]/",
        "https://crm.bank.cn/" + "x" * 3000,
    ],
)
def test_odd_spellings_are_refused(url: str) -> None:
    policy = EgressPolicy(
        ("crm.bank.cn", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "*.cn")
    )
    with pytest.raises(NotAllowed):
        check(url, policy, "127.0.0.1")
    if "127.0.0.1" not in url:
        with pytest.raises(NotAllowed):
            check(url, policy, "8.8.8.8")


def test_one_spelling_is_used_everywhere() -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["8.8.8.8", "8.8.4.4"]

    target = check_target("HTTPS://CRM.Bank.cn.:443/a?b=c#frag", PUBLIC, resolve=resolve)
    assert (target.url, target.host, target.port) == ("https://crm.bank.cn/a?b=c", "crm.bank.cn", 443)
    assert target.addresses == ("8.8.8.8", "8.8.4.4")
    assert asked == ["crm.bank.cn"], "resolved once"


REFUSED = [ipaddress.ip_network(text) for text in (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
)]  # fmt: skip
inside = st.sampled_from(REFUSED).flatmap(lambda network: st.ip_addresses(v=4, network=network))


def embedded(address: ipaddress.IPv4Address) -> list[str]:
    number = int(address)
    low = [f"::ffff:{address}", f"::{address}", f"64:ff9b::{address}", f"64:ff9b:1::{address}"]
    high = [
        (0x2002 << 112) | (number << 80),
        (0x20010000 << 96) | (~number & 0xFFFFFFFF),
        (0x20010000 << 96) | (number << 64),
        (0x20010DA8 << 96) | (0x5EFE << 32) | number,
        (0xFE80 << 112) | (0x2005EFE << 32) | number,
    ]
    return [str(address), *low, *(str(ipaddress.IPv6Address(each)) for each in high)]


@given(inside)
def test_no_inside_address_in_any_coat(address: ipaddress.IPv4Address) -> None:
    for coat in embedded(address):
        assert not PUBLIC.permits(coat), coat


@given(st.ip_addresses(v=6).filter(lambda address: int(address) >> 125 != 1))
def test_of_ipv6_only_global_unicast_is_public(address: ipaddress.IPv6Address) -> None:
    if address not in ipaddress.ip_network("64:ff9b::/96") and not address.ipv4_mapped:
        assert not PUBLIC.permits(str(address))


@given(st.ip_addresses())
def test_what_is_permitted_is_global_for_python_too(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if PUBLIC.permits(str(address)) and address.version == 4:
        assert address.is_global
        assert not address.is_multicast


@given(inside, inside)
def test_an_allowed_network_opens_itself_alone(
    one: ipaddress.IPv4Address, other: ipaddress.IPv4Address
) -> None:
    policy = EgressPolicy(("crm.bank.cn",), networks=(f"{one}/32",))
    closed = one.is_multicast or one.is_unspecified or one.is_reserved or int(one) >> 24 == 0
    closed = closed or str(one) in {"169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192"}
    assert policy.permits(str(one)) == policy.permits(f"::ffff:{one}") == (not closed)
    assert one == other or not policy.permits(str(other))


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "255.255.255.255",
    ],
)
def test_metadata_is_never_open(address: str) -> None:
    policy = EgressPolicy(("crm.bank.cn",), private=True, networks=("0.0.0.0/0", "::/0"))
    assert not policy.permits(address)
    assert policy.permits("10.1.2.3")


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(NotAllowed, match="网段"):
        EgressPolicy((), networks=("10.0.0.0/99",))

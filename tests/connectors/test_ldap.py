"""The directory: who gets in and who does not, tried against a real slapd on the loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qiaomen.bank import Match
from qiaomen.connectors import DirectorySettings, EgressPolicy, LdapDirectory
from qiaomen.vocab import InputRejected, NotAllowed, Unavailable
from tests.connectors.authority import Certificates, make_certificates
from tests.connectors.directory_server import (
    BASE,
    PASSWORDS,
    SEARCHER,
    SEARCHER_PASSWORD,
    DirectoryServer,
    running_directory,
)

pytestmark = [pytest.mark.ldap, pytest.mark.xdist_group("ldap")]

LOOPBACK = EgressPolicy(("127.0.0.1",), private=True)
LIU = PASSWORDS["e0005"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[DirectoryServer]:
    with running_directory(tmp_path_factory.mktemp("ldap") / "server", certificates) as running:
        yield running


def directory(server: DirectoryServer, **more: Any) -> LdapDirectory:
    values = {
        "urls": (server.ldaps,),
        "base": BASE,
        "bind_dn": SEARCHER,
        "bind_password": SEARCHER_PASSWORD,
        "ca_file": server.authority,
        **more,
    }
    return LdapDirectory(DirectorySettings(**values), LOOPBACK)


@pytest.mark.parametrize("way", ["ldaps", "ldap"])
def test_a_right_password_gives_the_entry(server: DirectoryServer, way: str) -> None:
    ask = directory(server, urls=(getattr(server, way),))
    identity = ask("e0005", LIU)
    assert (identity.match, identity.value) == (Match.LOGIN, "e0005")
    assert len(identity.subject) == 36, "the entry's own lasting number"
    assert ask(" E0005 ", LIU) == identity, "a directory takes no notice of case"
    by_number = directory(server, attribute="employeeNumber", match=Match.STAFF_NO)
    assert by_number("e0005", LIU).value == "E0005"
    with pytest.raises(NotAllowed, match="不正确"):
        ask("e0005", PASSWORDS["e0001"])


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("nobody", "x"),
        ("e0005", ""),
        ("", "x"),
        ("", ""),
        ("  ", LIU),
        ("*", LIU),
        ("e000*", LIU),
        ("e0005)(uid=*", LIU),
        ("*)(uid=e0005", LIU),
        ("e0005)(|(uid=*)", LIU),
        ("e0005\0", LIU),
        ("e0005\\2a", LIU),
        ("twice", "twice password"),
        ("e0005", LIU + "\0"),
        ("e0005", LIU * 100),
    ],
)
def test_the_wrong_and_the_crafted_are_refused_in_the_same_words(
    server: DirectoryServer, login: str, password: str
) -> None:
    with pytest.raises(NotAllowed) as caught:
        directory(server)(login, password)
    assert str(caught.value).startswith("登录名或密码不正确")


def test_a_star_in_a_login_is_a_star(server: DirectoryServer) -> None:
    assert directory(server)("wang*", PASSWORDS["wang*"]).value == "wang*"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(login=st.text(st.sampled_from('*()\\&|!=<>~ue0d5i\0,+"#;/ é\u4e00'), max_size=12))
def test_no_login_but_the_own_opens_with_a_password(server: DirectoryServer, login: str) -> None:
    if login.strip().lower() == "e0005":
        return
    with pytest.raises(NotAllowed):
        directory(server)(login, LIU)


def test_an_entry_with_two_names_is_nobody(server: DirectoryServer) -> None:
    with pytest.raises(NotAllowed, match="恰好一个"):
        directory(server)("one", "two names password")


def test_a_certificate_of_somebody_else_is_refused(server: DirectoryServer, tmp_path: Path) -> None:
    other = make_certificates(tmp_path / "other").authority
    for url in (server.ldaps, server.ldap):
        for authority in (other, None):
            with pytest.raises(Unavailable, match="无法连接"):
                directory(server, urls=(url,), ca_file=authority)("e0005", LIU)


def test_a_certificate_for_another_name_is_refused(server: DirectoryServer) -> None:
    policy = EgressPolicy(("ldap.bank.example",), private=True)
    for url in (server.ldaps, server.ldap):
        settings_ = directory(server, urls=(url.replace("127.0.0.1", "ldap.bank.example"),)).settings
        ask = LdapDirectory(settings_, policy, resolve=lambda host, port: ["127.0.0.1"])
        with pytest.raises(Unavailable, match="无法连接"):
            ask("e0005", LIU)


def test_the_next_server_is_asked_where_one_does_not_answer(server: DirectoryServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        closed = probe.getsockname()[1]
    ask = directory(server, urls=(f"ldaps://127.0.0.1:{closed}", server.ldap))
    assert ask("e0005", LIU).value == "e0005"
    with pytest.raises(NotAllowed, match="不正确"):
        ask("e0005", "wrong")
    with pytest.raises(Unavailable, match=str(closed)):
        directory(server, urls=(f"ldaps://127.0.0.1:{closed}",))("e0005", LIU)


def test_a_server_that_says_nothing_is_given_up(server: DirectoryServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        held: list[socket.socket] = []
        listening = threading.Thread(target=lambda: held.append(silent.accept()[0]), daemon=True)
        listening.start()
        url = f"ldap://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(Unavailable, match="无法连接"):
            directory(server, urls=(url,), timeout_s=0.5)("e0005", LIU)
        assert time.monotonic() - began < 30, "it would wait for ever without a limit"
        listening.join(5)
        for one in held:
            one.close()


def test_our_own_account_refused_is_no_wrong_password(server: DirectoryServer) -> None:
    with pytest.raises(Unavailable, match="服务账号"):
        directory(server, bind_password="wrong")("e0005", LIU)


def test_hosts_off_the_list_are_not_called(server: DirectoryServer) -> None:
    ask = LdapDirectory(directory(server).settings, EgressPolicy())
    with pytest.raises(NotAllowed, match="名单"):
        ask("e0005", LIU)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"filter": "(uid=e0005)"}, "login"),
        ({"base": ""}, "ldap_base"),
        ({"urls": ("http://x",)}, "网址"),
        ({"urls": ("ldaps://x:port",)}, "网址"),
    ],
)
def test_settings_that_cannot_work_are_refused(changed: dict[str, Any], words: str) -> None:
    values = {"urls": ("ldaps://ldap.bank.example",), "base": BASE, **changed}
    with pytest.raises(InputRejected, match=words):
        LdapDirectory(DirectorySettings(**values), LOOPBACK)

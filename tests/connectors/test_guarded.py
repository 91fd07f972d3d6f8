"""HTTP through the egress rules against servers on the loopback and a resolver of our own."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from qiaomen.connectors import EgressPolicy, Receiver, guarded_client
from qiaomen.connectors.pinning import pinned
from qiaomen.vocab import NotAllowed

LOCAL = EgressPolicy(("crm.bank.cn", "other.bank.cn", "127.0.0.1"), networks=("127.0.0.0/8", "::1"))


class Names:
    """A resolver under our control: each name has its answers, one after the other, the last for ever."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        given = self.answers[host]
        return given.pop(0) if len(given) > 1 else given[0]


def test_the_name_stays_in_the_request_and_the_address_is_the_checked_one() -> None:
    names = Names(crm_bank_cn=[["127.0.0.1"]])
    with Receiver() as receiver, guarded_client(LOCAL, resolve=names) as client:
        port = receiver.port
        answer = client.post(f"http://CRM.bank.cn:{port}/hook?a=1", content=b"x")
    assert answer.status_code == 200
    assert receiver.requests[0].headers["host"] == f"crm.bank.cn:{port}"
    assert receiver.requests[0].path == "/hook?a=1"
    assert names.asked == ["crm.bank.cn"]


def test_a_name_that_answers_otherwise_the_second_time_gains_nothing() -> None:
    names = Names(crm_bank_cn=[["127.0.0.1"], ["169.254.169.254"]])
    with Receiver() as receiver, guarded_client(LOCAL, resolve=names) as client:
        assert client.post(f"http://crm.bank.cn:{receiver.port}/").status_code == 200
        with pytest.raises(NotAllowed):
            client.post(f"http://crm.bank.cn:{receiver.port}/")
    assert len(receiver.requests) == 1


def test_a_name_with_one_inside_address_among_others_is_refused() -> None:
    names = Names(crm_bank_cn=[["127.0.0.1", "10.0.0.1"]])
    with guarded_client(LOCAL, resolve=names) as client, pytest.raises(NotAllowed):
        client.get("http://crm.bank.cn/")


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    names = Names(crm_bank_cn=[["::1", "127.0.0.1"]])
    with Receiver() as receiver, guarded_client(LOCAL, resolve=names, timeout_s=2.0) as client:
        assert client.post(f"http://crm.bank.cn:{receiver.port}/").status_code == 200


@pytest.mark.parametrize(
    "place", ["http://evil.cn/", "http://169.254.169.254/", "http://other.bank.cn/", "//evil.cn/"]
)
def test_a_redirect_is_checked_like_any_request(place: str) -> None:
    names = Names(crm_bank_cn=[["127.0.0.1"]], other_bank_cn=[["10.0.0.1"]])
    with (
        Receiver(statuses=(302,), location=place) as receiver,
        guarded_client(LOCAL, resolve=names) as client,
    ):
        address = f"http://crm.bank.cn:{receiver.port}/"
        assert client.post(address).status_code == 302, "not followed by itself"
        with pytest.raises(NotAllowed):
            client.post(address, follow_redirects=True)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Receiver() as receiver, guarded_client(LOCAL, resolve=Names(crm_bank_cn=[["127.0.0.1"]])) as client:
        assert client.post(f"http://crm.bank.cn:{receiver.port}/").status_code == 200


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for crm.bank.cn that signs itself, made for this run."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "crm.bank.cn")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("crm.bank.cn")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "crm.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_port(certificate: Path) -> Iterator[tuple[int, list[str | None]]]:
    """A TLS server on the loopback that answers 204 and notes the name each client asked for."""
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda connection, name, which: names.append(name)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(raw, server_side=True) as connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            except (ssl.SSLError, OSError):
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1], names
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_tls_asks_for_the_name_and_believes_only_its_certificate(
    tls_port: tuple[int, list[str | None]], certificate: Path
) -> None:
    port, names = tls_port
    trust = ssl.create_default_context(cafile=certificate)
    found = Names(crm_bank_cn=[["127.0.0.1"]], other_bank_cn=[["127.0.0.1"]])
    with guarded_client(LOCAL, resolve=found, verify=trust) as client:
        assert client.get(f"https://crm.bank.cn:{port}/").status_code == 204
        with pytest.raises(httpx.ConnectError, match="certificate"):
            client.get(f"https://other.bank.cn:{port}/")
    assert names == ["crm.bank.cn", "other.bank.cn"]


def test_libraries_that_connect_themselves_are_held_to_the_checked_address() -> None:
    import requests

    with Receiver() as receiver, Receiver(statuses=(302,)) as turning:
        turning.location = f"http://localhost:{receiver.port}/"
        with pinned({"crm.bank.cn": ["127.0.0.1"]}):
            assert requests.post(f"http://crm.bank.cn:{receiver.port}/", timeout=5).status_code == 200
            for wrong in (f"http://localhost:{receiver.port}/", f"http://127.0.0.1:{receiver.port}/"):
                with pytest.raises(requests.ConnectionError):
                    requests.post(wrong, timeout=5)
            with pytest.raises(requests.ConnectionError):
                requests.post(f"http://crm.bank.cn:{turning.port}/", timeout=5)
        assert requests.post(f"http://localhost:{receiver.port}/", timeout=5).status_code == 200
    assert len(receiver.requests) == 2


def test_pins_hold_for_their_thread_alone() -> None:
    answers: list[object] = []
    with pinned({"crm.bank.cn": ["127.0.0.1"]}):
        thread = threading.Thread(target=lambda: answers.append(socket.getaddrinfo("localhost", 80)))
        thread.start()
        thread.join()
    assert answers

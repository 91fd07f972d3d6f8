"""A real LDAP server (Debian's slapd) on the loopback with a few people, over LDAPS and STARTTLS."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.connectors.authority import Certificates

SLAPD = shutil.which("slapd") or ("/usr/sbin/slapd" if Path("/usr/sbin/slapd").exists() else None)
BASE = "dc=bank,dc=example"
SEARCHER, SEARCHER_PASSWORD = f"cn=searcher,{BASE}", "the searcher's own password"
PASSWORDS = {"e0005": "liu's pass (with) * signs", "e0001": "another password", "wang*": "star password"}

_CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
TLSCACertificateFile {authority}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
TLSVerifyClient never
security simple_bind=128
database mdb
maxsize 10485760
suffix "{base}"
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{searcher}" read by * none
"""


@dataclass(frozen=True, slots=True)
class DirectoryServer:
    """Where it listens, and the authority that vouches for it."""

    tls_port: int
    plain_port: int
    authority: Path

    @property
    def ldaps(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls_port}"

    @property
    def ldap(self) -> str:
        return f"ldap://127.0.0.1:{self.plain_port}"


def require_slapd() -> str:
    """Return the program; skip aloud where it is missing, fail where it must not be."""
    if SLAPD is None:
        reason = "no LDAP server to test against: apt-get install slapd"
        if os.environ.get("QIAOMEN_REQUIRE_LDAP") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return SLAPD


def _people() -> str:
    entries = [
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: bank\no: bank",
        f"dn: ou=staff,{BASE}\nobjectClass: organizationalUnit\nou: staff",
        (
            f"dn: {SEARCHER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n"
            f"cn: searcher\nuserPassword: {SEARCHER_PASSWORD}"
        ),
    ]
    for number, (uid, password) in enumerate(PASSWORDS.items()):
        entries.append(
            f"dn: cn=person {number},ou=staff,{BASE}\nobjectClass: inetOrgPerson\ncn: person {number}\nsn: x\n"
            f"uid: {uid}\nemployeeNumber: {uid.upper()}\nuserPassword: {password}"
        )
    twice = f"objectClass: inetOrgPerson\nsn: x\nuid: twice\nuserPassword: {'twice password'}"
    entries += [f"dn: cn=twin {n},ou=staff,{BASE}\ncn: twin {n}\n{twice}" for n in (1, 2)]
    entries.append(
        f"dn: cn=two names,ou=staff,{BASE}\nobjectClass: inetOrgPerson\ncn: two names\nsn: x\nuid: one\nuid: other\n"
        "userPassword: two names password"
    )
    return "\n\n".join(entries) + "\n"


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@contextmanager
def running_directory(folder: Path, certificates: Certificates) -> Iterator[DirectoryServer]:
    """Start the server and stop it at the end."""
    program = require_slapd()
    (folder / "data").mkdir(parents=True)
    config, people = folder / "slapd.conf", folder / "people.ldif"
    config.write_text(
        _CONFIG.format(
            folder=folder,
            base=BASE,
            searcher=SEARCHER,
            authority=certificates.authority,
            certificate=certificates.certificate,
            key=certificates.key,
        )
    )
    people.write_text(_people())
    # The program is its own loader when called by that name.
    loaded = subprocess.run([program, "-Tadd", "-f", config, "-l", people], capture_output=True, text=True)
    assert loaded.returncode == 0, loaded.stderr
    tls_port, plain_port = _free_ports(2)
    server = DirectoryServer(tls_port, plain_port, certificates.authority)
    with (folder / "slapd.log").open("w") as log:
        process = subprocess.Popen(
            [program, "-f", config, "-h", f"{server.ldaps} {server.ldap}", "-d", "0"], stdout=log, stderr=log
        )
        try:
            _wait_for(process, plain_port, folder / "slapd.log")
            yield server
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, "slapd did not answer"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)

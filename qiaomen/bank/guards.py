"""Slows guessing down: failed sign-ins are counted per name and per address. Table ``sign_in_guards``.

A name is counted whether or not it belongs to somebody, so that the answer tells nothing about who exists. An attempt
is counted before the password is looked at: a hundred at once get no more tries than a hundred in turn.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank.identity_schema import SIGN_IN_GUARDS
from qiaomen.store import insert_missing, writing

FORGET: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LockRules:
    """How many failures within ``period`` close a name or an address, for as long again."""

    account_failures: int = 5
    address_failures: int = 30
    period: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was counted; ``closed`` names the guards that refuse it, ``fresh`` those that closed just now."""

    guards: tuple[str, ...]
    closed: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()


def plain_login(login: str) -> str:
    """Return a login as it is stored and compared."""
    return login.strip().lower()


def login_guard(login: str) -> str:
    """Return the guard of a name, known or not."""
    return f"login:{hashlib.sha256(plain_login(login).encode('utf-8', 'replace')).hexdigest()[:48]}"


def address_guard(address: str) -> str:
    """Return the guard of a network address: IPv4 as it is, IPv6 by its /64, which one customer holds as a whole."""
    try:
        found = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return f"address:{ipaddress.ip_network((found, 64), strict=False).network_address}"
        found = found.ipv4_mapped
    return f"address:{found}"


def begin_attempt(sql: sa.Engine, login: str, address: str, rules: LockRules, now: datetime) -> Attempt:
    """Count an attempt on a name from an address before it is tried."""
    limits = {login_guard(login): rules.account_failures}
    if place := address_guard(address):
        limits[place] = rules.address_failures
    closed, fresh = [], []
    with writing(sql) as connection:
        for guard, limit in limits.items():
            row = _count(connection, guard, rules, now)
            if row.locked_until is not None:
                closed.append(guard)
            elif row.attempts > limit:
                _close(connection, guard, rules, now)
                closed.append(guard)
                fresh.append(guard)
    return Attempt(tuple(limits), tuple(closed), tuple(fresh))


def _count(connection: Connection, guard: str, rules: LockRules, now: datetime) -> sa.Row[Any]:
    """Add one to a guard that is open, begin anew where its time is over, and return it."""
    table = SIGN_IN_GUARDS.c
    empty = {"guard": guard, "attempts": 0, "since": now, "locked_until": None, "touched_at": now}
    insert_missing(connection, SIGN_IN_GUARDS, [empty], unique=("guard",))
    over = sa.or_(table.since <= now - rules.period, table.locked_until <= now)
    held = table.locked_until > now
    statement = (
        sa.update(SIGN_IN_GUARDS)
        .where(table.guard == guard)
        .values(
            attempts=sa.case((held, table.attempts), (over, 1), else_=table.attempts + 1),
            since=sa.case((held, table.since), (over, sa.bindparam("began", now)), else_=table.since),
            locked_until=sa.case((held, table.locked_until), else_=None),
            touched_at=now,
        )
        .returning(table.attempts, table.locked_until)
    )
    return connection.execute(statement).one()


def _close(connection: Connection, guard: str, rules: LockRules, now: datetime) -> None:
    connection.execute(
        sa.update(SIGN_IN_GUARDS)
        .where(SIGN_IN_GUARDS.c.guard == guard)
        .values(locked_until=now + rules.period)
    )


def settle_failure(
    connection: Connection, login: str, attempt: Attempt, rules: LockRules, now: datetime
) -> tuple[str, ...]:
    """Close the guards that have reached their limit with this failure and return them."""
    name = login_guard(login)
    reached = []
    for guard in attempt.guards:
        limit = rules.account_failures if guard == name else rules.address_failures
        row = SIGN_IN_GUARDS.c
        found = connection.execute(
            sa.select(row.attempts).where(row.guard == guard, row.locked_until.is_(None))
        ).scalar()
        if found is not None and found >= limit:
            _close(connection, guard, rules, now)
            reached.append(guard)
    return tuple(reached)


def settle_success(connection: Connection, login: str, attempt: Attempt) -> None:
    """Forget the failures on the name; the address keeps those on other names."""
    release(connection, [guard for guard in attempt.guards if guard != login_guard(login)])
    reopen(connection, login)


def release(connection: Connection, guards: Sequence[str]) -> None:
    """Take one attempt back."""
    connection.execute(
        sa.update(SIGN_IN_GUARDS)
        .where(SIGN_IN_GUARDS.c.guard.in_(guards), SIGN_IN_GUARDS.c.attempts > 0)
        .values(attempts=SIGN_IN_GUARDS.c.attempts - 1)
    )


def reopen(connection: Connection, login: str) -> None:
    """Forget the failures on a name, and its lock with them."""
    connection.execute(sa.delete(SIGN_IN_GUARDS).where(SIGN_IN_GUARDS.c.guard == login_guard(login)))


def closed_logins(connection: Connection, logins: Sequence[str], now: datetime) -> dict[str, datetime]:
    """Return until when each of the logins is closed, for those that are."""
    rows = connection.execute(
        sa.select(SIGN_IN_GUARDS.c.guard, SIGN_IN_GUARDS.c.locked_until).where(
            SIGN_IN_GUARDS.c.locked_until > now
        )
    )
    until = {row.guard: row.locked_until for row in rows}
    return {login: until[login_guard(login)] for login in logins if login_guard(login) in until}


def drop_old_guards(connection: Connection, now: datetime) -> int:
    """Remove guards that nobody has touched for a day and return their number."""
    return connection.execute(
        sa.delete(SIGN_IN_GUARDS).where(SIGN_IN_GUARDS.c.touched_at < now - FORGET)
    ).rowcount

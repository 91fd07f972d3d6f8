"""A customer's row made ready to be matched: names to look for, codes and their repairs, other facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qiaomen.registry.addresses import resolve_address
from qiaomen.registry.clusters import is_masked
from qiaomen.registry.compare import Side, side_of
from qiaomen.registry.names import normalise_name, normalise_short_name
from qiaomen.registry.suspects import comparable_address, comparable_phone
from qiaomen.vocab import check_organisation_code, check_uscc, normalise_code, repair_candidates


@dataclass(frozen=True)
class Query:
    """One customer row made ready: names to look for, valid code or possible repairs, other facts."""

    name: str
    side: Side
    is_branch: bool
    code: str
    repairs: tuple[str, ...]
    organisation: str
    phone: str
    person: str
    address: str
    digits: str
    region: str


def make_query(row: Mapping[str, Any]) -> Query:
    """Make a row (name, uscc_text, address, phone, legal_representative; all may be missing) ready for look-up."""
    written = row.get("name") or ""
    name = "" if is_masked(written) else normalise_short_name(written)
    full = normalise_name(written) if name else ""
    side = side_of(full)
    if not side.parts.form:
        side = side_of(name)
    code = normalise_code(row.get("uscc_text") or "")
    valid = check_uscc(code) is None
    address = row.get("address") or ""
    return Query(
        name=side.name,
        side=side,
        is_branch=bool(side.parts.parent),
        code=code if valid else "",
        repairs=() if valid else repair_candidates(code),
        organisation=code if len(code) == 9 and check_organisation_code(code) is None else "",
        phone=comparable_phone(row.get("phone") or ""),
        person=normalise_name(row.get("legal_representative") or ""),
        address=comparable_address(address),
        digits=digits_of(address),
        region=resolve_address(address).code,
    )


def digits_of(address: str) -> str:
    """Return the digits of an address in order."""
    return "".join(character for character in normalise_name(address) if character.isdigit())

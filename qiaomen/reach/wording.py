"""敲门话术: a path said in Chinese, by the declared phrases of the catalogue ``reach_wording``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any, Final

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.graph import KINDS
from qiaomen.reach.paths import Hop, Path, PathNode
from qiaomen.vocab import RELATION_LABELS, CatalogInvalid

NAME: Final = "reach_wording"
SUSPECTED: Final = frozenset({"same_phone", "same_email", "same_address", "same_name_person"})
OTHER: Final = (
    "chain.node",
    "chain.goods",
    "chain.half",
    "shared_person",
    "shared_holder",
    "introduced.office",
    "introduced.shareholding",
    "unproven",
    "start",
    "customer",
    "close",
    "close.suspected",
    "close.chain",
    "park",
    "association",
    "chain_leader",
)
PLACES: Final = dict.fromkeys(
    (
        *("a", "b", "role", "ratio", "node", "person", "role_a", "role_b", "name", "phrases", "customer"),
        *("park", "count", "operator", "chain", "association"),
    ),
    "",
)


class WordingRow(CatalogRow):
    """One phrase with its places in braces."""

    text: str
    note: str = ""


@dataclass(frozen=True)
class Wording:
    """The declared phrases."""

    rows: tuple[WordingRow, ...]

    @cached_property
    def _texts(self) -> dict[str, str]:
        return {row.code: row.text for row in self.rows}

    def has(self, code: str) -> bool:
        """Whether a phrase is declared."""
        return code in self._texts

    def say(self, code: str, **values: Any) -> str:
        """Return a phrase with its places filled."""
        return self._texts[code].format(**values)


def load_wording(overlay: FilePath | None = None) -> Wording:
    """Read the catalogue. Raises ``CatalogInvalid`` for a missing phrase or an unknown place."""
    wording = Wording(read_rows(NAME, WordingRow, overlay=overlay))
    for row in wording.rows:
        try:
            row.text.format(**PLACES)
        except (KeyError, IndexError, ValueError) as error:
            raise CatalogInvalid(
                f"“{row.code}”的空位写错：{error}", where=NAME, remedy="空位见 docs/reach.md"
            ) from error
    for code in (*OTHER, *KINDS):
        if not (wording.has(code) or (wording.has(f"{code}.along") and wording.has(f"{code}.against"))):
            raise CatalogInvalid(f"缺少短语“{code}”", where=NAME, remedy="补上该行")
    return wording


def word_path(path: Path, wording: Wording) -> str:
    """Return the sentence for staff: how the company is tied to the customer and whom to ask."""
    phrases: list[str] = []
    at = 0
    while at < len(path.hops):
        phrase, used = _phrase(path, at, wording)
        phrases.append(phrase)
        at += used
    close = {"direct": "close", "suspected": "close.suspected", "chain": "close.chain"}[path.basis]
    return wording.say(close, phrases="；".join(phrases), customer=_ask(path))


def explain(path: Path, wording: Wording) -> list[str]:
    """Return one line per hop: what is known, the kinds, the dates and the evidence."""
    lines = []
    for hop in path.hops:
        kinds = "、".join(RELATION_LABELS[kind] for kind in (hop.kind, *hop.also))
        dates = _dates(hop)
        facts = "".join(f"（{part}）" for part in (kinds, dates) if part)
        evidence = f"：{'；'.join(hop.evidence)}" if hop.evidence else ""
        lines.append(f"{_single(path, hop, wording)}{facts}{evidence}")
    return lines


def _phrase(path: Path, at: int, wording: Wording) -> tuple[str, int]:
    """Return the phrase that begins at a hop and how many hops it says: two over a node, a person or a shared holder."""
    hop = path.hops[at]
    after = path.hops[at + 1] if at + 1 < len(path.hops) else None
    if after is None:
        return _single(path, hop, wording), 1
    a, b = _called(path, hop.start, wording), _called(path, after.end, wording)
    if hop.end.type == "node":
        code = "chain.goods" if hop.end.goods else "chain.node"
        return wording.say(code, a=a, b=b, node=hop.end.name), 2
    mark = "" if hop.proven and after.proven else wording.say("unproven")
    kinds, person = (hop.kind, after.kind), hop.end.name
    if kinds == ("shareholding", "shareholding") and after.along and not hop.along:
        return wording.say("shared_holder", a=a, b=b, person=_called(path, hop.end, wording)) + mark, 2
    if hop.end.type != "person" or hop.start.type != "company":
        return _single(path, hop, wording), 1
    if kinds == ("office", "office"):
        roles = {"role_a": _role(hop), "role_b": _role(after)}
        return wording.say("shared_person", a=a, b=b, person=person, **roles) + mark, 2
    if wording.has(f"introduced.{hop.kind}"):
        called = wording.say(f"introduced.{hop.kind}", a=a, role=_role(hop), person=person)
        sure = wording.say("unproven") if not hop.proven and after.proven else ""
        return _single(path, after, wording, start=called) + sure, 2
    return _single(path, hop, wording), 1


def _single(path: Path, hop: Hop, wording: Wording, start: str | None = None) -> str:
    """Return the phrase of one hop; ``start`` says how its first node is called."""
    a, b = start or _called(path, hop.start, wording), _called(path, hop.end, wording)
    if "node" in (hop.start.type, hop.end.type):
        company, node = (a, b) if hop.end.type == "node" else (b, a)
        return wording.say("chain.half", a=company, node=node)
    ratio = f" {hop.ratio:.2%} " if hop.ratio is not None else ""
    code = hop.kind if wording.has(hop.kind) else f"{hop.kind}.{'along' if hop.along else 'against'}"
    text = wording.say(code, a=a, b=b, role=_role(hop), ratio=ratio)
    return text + (wording.say("unproven") if not hop.proven and hop.kind not in SUSPECTED else "")


def _role(hop: Hop) -> str:
    return hop.role or "职务"


def _called(path: Path, node: PathNode, wording: Wording) -> str:
    nodes = path.nodes()
    if node == nodes[0]:
        return wording.say("start")
    if node == nodes[-1] and not node.hidden:
        return wording.say("customer", name=node.name)
    return node.name


def _ask(path: Path) -> str:
    last = path.nodes()[-1]
    return last.name if last.hidden else "其"


def _dates(hop: Hop) -> str:
    parts = []
    if hop.since:
        parts.append(f"{hop.since}起")
    if hop.until:
        parts.append(f"至{hop.until}")
    if hop.observed_on:
        parts.append(f"截至{hop.observed_on}")
    return "".join(parts)

"""Company names in text: longest match over the registry's names, exact and fast.

Only names whose beginning occurs in the texts are indexed, so that a register of millions needs one vectorised pass
and the index stays as small as the texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.mining.money import flatten

_PREFIX: Final = 3
_SHORTEST: Final = 3
_LEGAL: Final = re.compile(
    r"(?:股份有限公司|有限责任公司|集团有限公司|有限公司|合伙企业\((?:有限|普通)合伙\)|专业合作社|集团公司)"
)
# A word that cannot stand inside a company name: what precedes the name ends with its last occurrence.
_BORDER: Final = re.compile(
    r"中标|收购|与|和|向|为|由|及|对|给|将|把|的|因|据|被|让|以|在|于|至|从|子公司|孙公司|股东|实际控制人|一致行动人|"
    r"联合体|单位|人:|方:|公告|称|获得|获|下属|旗下|关联方|全资|控股的|参股|持有|签署|签订|起诉|担保|质押|转让|认购|"
    r"设立|成立|拟|已|经|是|系|即|若|如|等|日|月|年|公司|其中|第一|候选人|供应商|采购人|招标人|投标人|招标方|所持|收到|接到|参与|发来|确认|确定|成为|关于|了|"
    r"项目(?!管理|咨询|投资)"
)
_INSIDE: Final = re.compile(r"[一-鿿A-Za-z0-9()·&-]")
# Verbs and particles: a short name before them is a name by itself, not the beginning of a longer one.
_VERB: Final = re.compile(
    r"中标|收购|与|和|向|为|拟|将|的|对|在|签|获|等|及|被|把|从|以|发|减持|增持|质押|持有|投资|设立|认购|转让|子公司|旗下|下属|全资|控股"
)
# A short name that is also a place: before one of these it is the place.
_PLACE: Final = re.compile(
    r"市(?![场值政])|省|县|区(?![域块])|镇|路(?![由桥演])|港(?![口股交])|分行|支行|自治"
)


@dataclass(frozen=True, slots=True)
class Mention:
    """One company name in a text; ``company_ids`` is empty where the registry does not know it."""

    start: int
    end: int
    name: str
    company_ids: tuple[int, ...]
    legal: bool


def _beginnings(texts: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for text in texts:
        found.update(text[start : start + _PREFIX] for start in range(len(text) - _PREFIX + 1))
    return found


class NameIndex:
    """Longest-match dictionary of company names for one batch of texts."""

    def __init__(self, names: pa.Table, texts: Iterable[str]) -> None:
        """Index ``names`` (company_id, name, kind) as far as they begin somewhere in the flattened ``texts``."""
        self._ids: dict[str, tuple[int, ...]] = {}
        self._legal: set[str] = set()
        self._lengths: dict[str, tuple[int, ...]] = {}
        starts = _beginnings(texts)
        if not starts or names.num_rows == 0:
            return
        flat = pc.replace_substring(pc.replace_substring(names["name"], "（", "("), "）", ")")
        begins = pc.is_in(pc.utf8_slice_codeunits(flat, 0, _PREFIX), pa.array(sorted(starts)))
        keep = pc.and_(begins, pc.greater_equal(pc.utf8_length(flat), _SHORTEST))
        chosen = names.set_column(names.column_names.index("name"), "name", flat).filter(keep)
        self._fill(chosen)

    def _fill(self, names: pa.Table) -> None:
        owners: dict[str, set[int]] = {}
        columns = (names["name"].to_pylist(), names["company_id"].to_pylist(), names["kind"].to_pylist())
        for raw, company_id, kind in zip(*columns, strict=True):
            name = flatten(raw).strip()
            if len(name) < _SHORTEST or company_id is None:
                continue
            owners.setdefault(name, set()).add(company_id)
            if kind in ("legal", "former"):
                self._legal.add(name)
        self._ids = {name: tuple(sorted(ids)) for name, ids in owners.items()}
        lengths: dict[str, set[int]] = {}
        for name in self._ids:
            lengths.setdefault(name[:_PREFIX], set()).add(len(name))
        self._lengths = {prefix: tuple(sorted(sizes, reverse=True)) for prefix, sizes in lengths.items()}

    def find(self, flat: str) -> list[Mention]:
        """Return the names in ``flat``, longest first at each place, known ones before unknown legal names."""
        found: list[Mention] = []
        position, last = 0, len(flat) - _PREFIX
        while position <= last:
            mention = self._at(flat, position)
            if mention is None:
                position += 1
            else:
                found.append(mention)
                position = mention.end
        return sorted(found + _unknown(flat, found), key=lambda mention: mention.start)

    def _at(self, flat: str, position: int) -> Mention | None:
        for length in self._lengths.get(flat[position : position + _PREFIX], ()):
            name = flat[position : position + length]
            ids = self._ids.get(name)
            if ids is None:
                continue
            legal = name in self._legal
            end = position + length
            if not legal and (_PLACE.match(flat, end) or _continues(flat, end)):
                continue
            return Mention(position, position + length, name, ids, legal)
        return None


def _continues(flat: str, end: int) -> bool:
    """Whether a short name that ends at ``end`` is only the beginning of a longer registered name."""
    suffix = _LEGAL.search(flat, end, end + 24)
    if suffix is None:
        return False
    gap = flat[end : suffix.start()]
    if gap.startswith("("):
        gap = gap[gap.find(")") + 1 :] if ")" in gap else gap
    return bool(re.fullmatch(r"[一-鿿()A-Za-z0-9]*", gap)) and not _VERB.search(gap)


def _unknown(flat: str, known: list[Mention]) -> list[Mention]:
    """Find registered-looking names that the dictionary lacks: the legal ending, walked back to a border word."""
    spans = [(mention.start, mention.end) for mention in known]
    found = []
    for suffix in _LEGAL.finditer(flat):
        start = suffix.start()
        floor = max((end for _, end in spans if end <= start), default=0)
        while start > floor and suffix.start() - start < 26 and _INSIDE.match(flat[start - 1]):
            start -= 1
        borders = list(_BORDER.finditer(flat, start, suffix.start()))
        if borders:
            start = borders[-1].end()
        if suffix.start() - start < 3 or any(a < suffix.end() and start < b for a, b in spans):
            continue
        name = flat[start : suffix.end()].lstrip("()")
        found.append(Mention(suffix.end() - len(name), suffix.end(), name, (), legal=True))
        spans.append((start, suffix.end()))
    return found


def names_by_id(names: pa.Table) -> dict[int, str]:
    """Return one name per company, the legal one where there is one."""
    order = {"legal": 0, "mention": 1, "former": 2, "short": 3}
    best: dict[int, tuple[int, str]] = {}
    rows: Iterable[tuple[Any, Any, Any]] = zip(
        names["company_id"].to_pylist(), names["name"].to_pylist(), names["kind"].to_pylist(), strict=True
    )
    for company_id, name, kind in rows:
        if company_id is None or not name:
            continue
        rank = (order.get(kind, 9), name)
        if company_id not in best or rank < best[company_id]:
            best[company_id] = rank
    return {company_id: rank[1] for company_id, rank in best.items()}


def take_names(names: pa.Table, company_ids: Sequence[int]) -> dict[int, str]:
    """Return ``names_by_id`` for the given companies only."""
    return names_by_id(names.filter(pc.is_in(names["company_id"], pa.array(company_ids, pa.int64()))))

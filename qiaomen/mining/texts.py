"""Opportunities in announcements and news, by declared rules.

Reads announcement_records, company_refs and company_names; writes FINDINGS of detector ``text``. The evidence is the
sentence as written: ``text[span_start:span_end] == evidence``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.mining.dates import DateMention, find_dates
from qiaomen.mining.findings import Detected, as_table, conform
from qiaomen.mining.kinds import OpportunityKind
from qiaomen.mining.money import Amount, find_amounts, flatten
from qiaomen.mining.names import Mention, NameIndex, take_names
from qiaomen.mining.roles import Player, assign_roles
from qiaomen.mining.rules import TextGuard, TextRule
from qiaomen.mining.sentences import split_sentences
from qiaomen.mining.tables import FINDINGS
from qiaomen.registry import MoneyReader
from qiaomen.store import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir

BY_DOCUMENT: Final = 0.9
BY_SHORT_NAME: Final = 0.85
# An amount after one of these words is a size of the company or a running total, not the event's amount.
_OTHER_AMOUNT: Final = re.compile(
    r"(?:注册资本|净资产|总资产|营业收入|营收|累计|市值|余额|每股|单价|均价|利润|收盘价|报价为每|销售额|总额度)[^,，。;；]{0,10}$"
)
_CLAUSE_END: Final = re.compile(r"[,，。;；!?！？]")


@dataclass(frozen=True, slots=True)
class Event:
    """One event in a sentence: the rule, the trigger (offsets in the sentence), its players, amount and date."""

    rule: TextRule
    trigger: tuple[int, int]
    players: tuple[Player, ...]
    amount: Amount | None
    on: dt.date


@dataclass(frozen=True, slots=True)
class _Compiled:
    rule: TextRule
    trigger: re.Pattern[str]
    requires: re.Pattern[str] | None
    excludes: re.Pattern[str] | None


class TextReader:
    """The declared rules made ready; reads one sentence at a time and counts what the guards held back."""

    def __init__(self, rules: Sequence[TextRule], guards: Sequence[TextGuard], money: MoneyReader) -> None:
        self._rules = tuple(
            _Compiled(
                rule,
                re.compile(rule.triggers),
                re.compile(rule.requires) if rule.requires else None,
                re.compile(rule.excludes) if rule.excludes else None,
            )
            for rule in rules
        )
        self._any = re.compile("|".join(f"(?:{rule.triggers})" for rule in rules))
        self._guards = tuple((guard, _guard_pattern(guard)) for guard in guards)
        self._money = money
        self.held_back: Counter[str] = Counter()

    def events(
        self,
        flat: str,
        title: str,
        mentions: Sequence[Mention],
        subject: Mention | None,
        published_on: dt.date,
    ) -> list[Event]:
        """Return the events of one flattened sentence."""
        if not self._any.search(flat):
            return []
        found: list[Event] = []
        taken: set[str] = set()
        dates = find_dates(flat, published_on)
        for compiled in self._rules:
            rule = compiled.rule
            if rule.family in taken or not taken.isdisjoint(rule.yields_to):
                continue
            trigger = self._trigger(compiled, flat, title)
            if trigger is None:
                continue
            if rule.family:
                taken.add(rule.family)
            if self._guarded(rule, flat, trigger, mentions):
                continue
            on = _event_date(dates, trigger, published_on)
            if (published_on - on).days > rule.lapse_days:
                self.held_back["lapsed"] += 1
                continue
            players = tuple(assign_roles(rule, flat, mentions, trigger, subject))
            amount = _event_amount(find_amounts(flat, self._money), flat, trigger) if rule.amount else None
            found.append(Event(rule, trigger, players, amount, on))
        return found

    def has_trigger(self, flat: str) -> bool:
        """Whether any rule could fit."""
        return bool(self._any.search(flat))

    def _trigger(self, compiled: _Compiled, flat: str, title: str) -> tuple[int, int] | None:
        match = compiled.trigger.search(flat)
        if match is None or (compiled.excludes and compiled.excludes.search(flat)):
            return None
        required = compiled.requires
        if required and not (required.search(flat) or required.search(title)):
            return None
        return match.start(), match.end()

    def _guarded(
        self, rule: TextRule, flat: str, trigger: tuple[int, int], mentions: Sequence[Mention]
    ) -> bool:
        before = _before(flat, trigger, mentions)
        for guard, pattern in self._guards:
            if guard.code in rule.guards_off:
                continue
            if pattern.search(_window(guard, flat, trigger, before)):
                self.held_back[guard.code] += 1
                return True
        return False


def _guard_pattern(guard: TextGuard) -> re.Pattern[str]:
    return re.compile(guard.pattern)


def _before(flat: str, trigger: tuple[int, int], mentions: Sequence[Mention]) -> str:
    """Return the clause up to the trigger and its first two characters; a company name counts as one character."""
    start = max((match.end() for match in _CLAUSE_END.finditer(flat, 0, trigger[0])), default=0)
    parts, position = [], start
    for mention in mentions:
        if position <= mention.start and mention.end <= trigger[0]:
            parts += [flat[position : mention.start], "□"]
            position = mention.end
    return "".join([*parts, flat[position : trigger[0] + 2]])


def _window(guard: TextGuard, flat: str, trigger: tuple[int, int], before: str) -> str:
    """Return the text in which a guard is looked for: the clause before, the clause after, or the sentence."""
    if guard.where == "sentence":
        return flat
    if guard.where == "before":
        return before[-(guard.reach + 2) :]
    piece = flat[trigger[1] : trigger[1] + guard.reach]
    end = _CLAUSE_END.search(piece)
    return piece[: end.start()] if end else piece


def _event_date(dates: Sequence[DateMention], trigger: tuple[int, int], published_on: dt.date) -> dt.date:
    """Return the nearest date, a precise one before the trigger first; the date of publication where there is none."""
    near = [date for date in dates if date.on <= published_on + dt.timedelta(days=60)]
    if not near:
        return published_on

    def distance(date: DateMention) -> tuple[bool, int]:
        return not date.precise, abs(date.start - trigger[0])

    chosen = min(near, key=distance)
    return min(chosen.on, published_on) if not chosen.precise else chosen.on


def _event_amount(amounts: Sequence[Amount], flat: str, trigger: tuple[int, int]) -> Amount | None:
    """Return the amount nearest to the trigger, one behind it first; sizes and running totals are left out."""
    own = [amount for amount in amounts if not _OTHER_AMOUNT.search(flat, 0, amount.start)]
    if not own:
        return None
    behind = [amount for amount in own if amount.start >= trigger[0]]
    if behind:
        return min(behind, key=lambda amount: amount.start)
    return max(own, key=lambda amount: amount.end)


@dataclass(frozen=True, slots=True)
class _Document:
    title: str
    text: str
    whole: bool
    published_on: dt.date
    subject_id: int | None
    source: str
    record_key: str


def _documents(
    rows: pa.Table, ids: Mapping[str, int], counts: Counter[str], as_of: dt.date
) -> list[_Document]:
    documents = []
    for row in rows.to_pylist():
        counts["read"] += 1
        text = row["text"] or row["title"] or ""
        if not text.strip():
            counts["empty"] += 1
        elif row["published_on"] is None:
            counts["undated"] += 1
        elif row["published_on"] > as_of:
            counts["future"] += 1
        else:
            documents.append(
                _Document(
                    row["title"] or "",
                    text,
                    bool(row["text"]),
                    row["published_on"],
                    ids.get(row["company_ref"] or ""),
                    row["source"],
                    row["record_key"],
                )
            )
    return documents


def _ids_of_refs(refs: ir.Table | pa.Table, wanted: pa.ChunkedArray) -> dict[str, int]:
    values = pc.unique(wanted.drop_null())
    if len(values) == 0:
        return {}
    table = as_table(refs)
    rows = table.filter(table.ref.isin(values.to_pylist())).select("ref", "company_id").to_pyarrow()
    pairs = zip(rows["ref"].to_pylist(), rows["company_id"].to_pylist(), strict=True)
    return {ref: company_id for ref, company_id in pairs if company_id is not None}


def _subject(
    document: _Document, flat_title: str, flat_text: str, index: NameIndex, names: Mapping[int, str]
) -> Mention | None:
    """Return who the document is about: as the source says, else the first company in the title, else in the text."""
    if document.subject_id is not None:
        name = names.get(document.subject_id, "")
        return Mention(0, 0, name, (document.subject_id,), legal=True)
    for flat in (flat_title, flat_text[:300]):
        known = [mention for mention in index.find(flat) if mention.company_ids]
        if known:
            return known[0]
    return None


def _company_of(player: Player, subject: Mention | None) -> int | None:
    ids = player.mention.company_ids
    if len(ids) == 1:
        return ids[0]
    if subject is not None and len(subject.company_ids) == 1 and subject.company_ids[0] in ids:
        return subject.company_ids[0]
    return None


def _confidence(rule: TextRule, player: Player) -> float:
    factor = BY_DOCUMENT if player.by_document else 1.0
    return round(rule.confidence * factor * (1.0 if player.mention.legal else BY_SHORT_NAME), 4)


def _title(name: str, kind: OpportunityKind, role: str, amount_text: str | None, other: str | None) -> str:
    parts = [f"{name or '（企业未识别）'}：{kind.name}（{role}）"]
    if amount_text:
        parts.append(f"金额{amount_text}")
    if other:
        parts.append(f"对方{other}")
    return "，".join(parts)


def _base(document: _Document, event: Event, span: tuple[int, int], kind: OpportunityKind) -> dict[str, Any]:
    """Return what every finding of an event has in common."""
    evidence = document.text[span[0] : span[1]]
    amount = event.amount
    return {
        "detector": "text",
        "kind": kind.code,
        "occurred_on": event.on,
        "published_on": document.published_on,
        "amount_cny": amount.cny if amount else None,
        "amount_text": evidence[amount.start : amount.end].strip() if amount else None,
        "evidence": evidence,
        "span_start": span[0] if document.whole else None,
        "span_end": span[1] if document.whole else None,
        "source": document.source,
        "record_key": document.record_key,
    }


def _rows(
    document: _Document,
    event: Event,
    span: tuple[int, int],
    kind: OpportunityKind,
    subject: Mention | None,
) -> Iterator[dict[str, Any]]:
    """Yield one finding per player whose role means something to the bank; one without a company if there is none."""
    telling = [player for player in event.players if not kind.role(player.role).context]
    base = _base(document, event, span, kind)
    amount_text = base["amount_text"]
    if not telling:
        nobody = {
            "subject_role": kind.subject_role,
            "title": _title("", kind, kind.subject_role, amount_text, None),
            "confidence": event.rule.confidence / 2,
            "company_name": None,
        }
        yield base | _identity(base, kind.subject_role, None, None) | nobody
    for player in telling:
        others = [other.mention.name for other in event.players if other.role != player.role]
        company_id, name = _company_of(player, subject), player.mention.name
        yield (
            base
            | _identity(base, player.role, company_id, name)
            | {
                "subject_role": player.role,
                "company_id": company_id,
                "company_name": name,
                "counterparty": others[0] if others else None,
                "title": _title(name, kind, player.role, amount_text, others[0] if others else None),
                "confidence": _confidence(event.rule, player),
            }
        )


def _identity(base: Mapping[str, Any], role: str, company_id: int | None, name: str | None) -> dict[str, Any]:
    who = name if company_id is None else str(company_id)
    place = f"{base['span_start']}-{base['span_end']}"
    parts = ("text", base["kind"], role, who, base["source"], base["record_key"], place)
    return {"finding_id": portable.hash_of(*parts)}


def find_in_texts(
    announcements: ir.Table | pa.Table,
    company_refs: ir.Table | pa.Table,
    company_names: ir.Table | pa.Table,
    *,
    rules: Sequence[TextRule],
    guards: Sequence[TextGuard],
    kinds: Mapping[str, OpportunityKind],
    money: MoneyReader,
    as_of: dt.date,
) -> Detected:
    """Find opportunities in texts published up to ``as_of``.

    Counts: read, sentences, empty, undated, future, held back by each guard (``guard:<code>``), lapsed, unresolved.
    """
    rows = _arrow(announcements)
    names = _arrow(as_table(company_names).select("company_id", "name", "kind"))
    counts: Counter[str] = Counter()
    ids = _ids_of_refs(company_refs, rows["company_ref"])
    documents = _documents(rows, ids, counts, as_of)
    flats = [(flatten(document.title), flatten(document.text)) for document in documents]
    index = NameIndex(names, (flat for pair in flats for flat in pair))
    named = take_names(names, sorted(set(ids.values())))
    reader = TextReader(rules, guards, money)
    found: list[dict[str, Any]] = []
    for document, flat in zip(documents, flats, strict=True):
        found += _read(document, flat, reader, index, kinds, named, counts)
    counts.update({f"guard:{code}": number for code, number in reader.held_back.items()})
    findings = conform(pa.Table.from_pylist(found, schema=FINDINGS.schema))
    counts["found"] = findings.num_rows
    counts["unresolved"] = findings["company_id"].null_count
    return Detected(findings, dict(counts))


def _arrow(data: ir.Table | pa.Table) -> pa.Table:
    return data if isinstance(data, pa.Table) else data.to_pyarrow()


def _read(
    document: _Document,
    flat: tuple[str, str],
    reader: TextReader,
    index: NameIndex,
    kinds: Mapping[str, OpportunityKind],
    named: Mapping[int, str],
    counts: Counter[str],
) -> Iterable[dict[str, Any]]:
    title, text = flat
    subject: Mention | None = None
    known = False
    found: list[dict[str, Any]] = []
    for start, end in split_sentences(text):
        counts["sentences"] += 1
        sentence = text[start:end]
        if not reader.has_trigger(sentence):
            continue
        if not known:
            subject, known = _subject(document, title, text, index, named), True
        mentions = index.find(sentence)
        for event in reader.events(sentence, title, mentions, subject, document.published_on):
            found += _rows(document, event, (start, end), kinds[event.rule.kind], subject)
    return found

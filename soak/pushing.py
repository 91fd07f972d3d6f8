"""What another system pushes to the bank: news and outcomes of its firms, in any order, some of it twice."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from qiaomen.bank import Viewer
from qiaomen.jobs import Workspace, receive_pushed
from qiaomen.vocab import Role

SENDER: Final = "soak"
EVENTS: Final = 20
REQUEST: Final = 6
PUSHER: Final = Viewer(
    None,
    "token:soak",
    "事件平台",
    frozenset({Role.INTEGRATOR}),
    whole_bank=True,
    actions=frozenset({"push_events"}),
)
Message = tuple[str, int, dict[str, Any]]


def firms(inbox: Path) -> list[str]:
    """Return the names of the first firms of the bank."""
    with (inbox / "companies.csv").open(encoding="utf-8-sig", newline="") as file:
        return [row["企业名称"] for row, _ in zip(csv.DictReader(file), range(EVENTS), strict=False)]


def requests(inbox: Path) -> Iterator[tuple[str, list[Message]]]:
    """Return channel and messages of each request: two states of each event, shuffled, a third of them sent again."""
    draw = random.Random(1)
    for channel in ("opportunities", "outcomes"):
        sent = [
            (f"{channel}-{number}", place, _record(channel, name, place))
            for number, name in enumerate(firms(inbox))
            for place in (1, 2)
        ]
        sent += draw.sample(sent, len(sent) // 3)
        draw.shuffle(sent)
        for start in range(0, len(sent), REQUEST):
            yield channel, sent[start : start + REQUEST]


def _record(channel: str, name: str, place: int) -> dict[str, Any]:
    if channel == "opportunities":
        return {
            "name": name,
            "kind": "bid_won",
            "occurred_on": "2026-06-20",
            "title": f"推送中标第 {place} 版",
        }
    responded = place == 2
    return {"name": name, "product": "kqd", "contacted_on": "2026-06-10", "responded": responded}


def push_all(workspace: Workspace) -> None:
    """Send every request in order; one that was stopped sends all of them again, as a sender without an answer does."""
    for channel, messages in requests(workspace.inbox):
        receipt = receive_pushed(workspace, PUSHER, SENDER, channel, messages)
        if receipt.refused:
            raise ValueError(receipt.refused[0])

"""A learned card as a file: JSON with its SHA-256, never a pickle; what an approver reads stands in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from qiaomen.scoring.score import MARKETING_ONLY
from qiaomen.scoring.scorecards import Scorecard
from qiaomen.vocab import InputRejected

FORMAT: Final = "qiaomen-scorecard-1"


@dataclass(frozen=True, slots=True)
class Model:
    """A learned card with all that an approver reads: inputs, split, figures on the newest part, limits."""

    strategy: str
    card: Scorecard
    trained_as_of: date
    facts: dict[str, Any]

    def to_json(self) -> str:
        """Return the card as JSON; ``sha256`` covers everything else in it."""
        body = self._body()
        body["sha256"] = _digest(body)
        return json.dumps(body, ensure_ascii=False, sort_keys=True, indent=1)

    @property
    def sha256(self) -> str:
        """Return the hash that ``to_json`` writes."""
        return _digest(self._body())

    def _body(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "strategy": self.strategy,
            "card": self.card.model_dump(mode="json"),
            "trained_as_of": self.trained_as_of.isoformat(),
            "facts": self.facts,
            "limits": MARKETING_ONLY,
        }


@dataclass(frozen=True, slots=True)
class Training:
    """What came of a training: the model, or None and the reason in ``statement``."""

    model: Model | None
    statement: str


def _digest(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_model(text: str) -> Model:
    """Read a model card; raises ``InputRejected`` where the hash, the format or the card is wrong."""
    try:
        body = json.loads(text)
        stated = body.pop("sha256")
        if body["format"] != FORMAT or stated != _digest(body):
            raise InputRejected("模型文件的校验和或格式不符", remedy="从模型登记处重新取得该文件")
        card = Scorecard.model_validate(body["card"])
        return Model(body["strategy"], card, date.fromisoformat(body["trained_as_of"]), body["facts"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputRejected("不是可用的模型文件", remedy="从模型登记处重新取得该文件") from error

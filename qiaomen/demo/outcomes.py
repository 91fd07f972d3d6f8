"""Past contacts of the demo bank, answered by a known model of response."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np

from qiaomen.demo.companies import Companies
from qiaomen.demo.events import Feed, Listed

# The known model: log-odds of an application within 90 days of a contact that offers 科企贷 (product kqd).
MODEL: Final[dict[str, float]] = {
    "intercept": -3.1,
    "high_tech": 1.3,
    "small_technical": 0.7,
    "event_within_90_days": 1.4,
    "capital_log10_above_6": 0.45,
    "age_under_3_years": -0.6,
    "existing_customer": 0.5,
}
CHANNELS: Final = ("拜访", "电话", "短信", "企业微信")


@dataclass(slots=True)
class Outcomes:
    """One entry per contact; ``probability`` is what the known model says."""

    company: list[int] = field(default_factory=list)
    product: list[str] = field(default_factory=list)
    contacted_on: list[date] = field(default_factory=list)
    channel: list[str] = field(default_factory=list)
    responded: list[bool] = field(default_factory=list)
    responded_on: list[date | None] = field(default_factory=list)
    amount_cny: list[float | None] = field(default_factory=list)
    staff: list[str] = field(default_factory=list)
    probability: list[float] = field(default_factory=list)


class ResponseModel:
    """The known model of response, with the facts that it reads."""

    def __init__(self, companies: Companies, listed: Listed, feed: Feed, customers: set[int]) -> None:
        self._companies = companies
        self._customers = customers
        self._lists: dict[str, dict[int, date]] = {"高新技术企业": {}, "科技型中小企业": {}}
        for index, code, since in zip(listed.company, listed.list_code, listed.since, strict=True):
            if code in self._lists:
                self._lists[code][index] = since
        self._events: dict[int, list[date]] = {}
        for index, on in zip(feed.company, feed.published_on, strict=True):
            self._events.setdefault(index, []).append(on)

    def probability(self, index: int, on: date) -> float:
        """Return the chance that a contact on that day is answered."""
        capital = max(0.0, float(np.log10(self._companies.capital_cny[index])) - 6.0)
        age = (on - self._companies.founded_on[index]).days / 365.25
        recent = any(0 <= (on - day).days <= 90 for day in self._events.get(index, ()))
        logit = (
            MODEL["intercept"]
            + MODEL["high_tech"] * self._on_list("高新技术企业", index, on)
            + MODEL["small_technical"] * self._on_list("科技型中小企业", index, on)
            + MODEL["event_within_90_days"] * recent
            + MODEL["capital_log10_above_6"] * capital
            + MODEL["age_under_3_years"] * (age < 3)
            + MODEL["existing_customer"] * (index in self._customers)
        )
        return float(1 / (1 + np.exp(-logit)))

    def _on_list(self, code: str, index: int, on: date) -> bool:
        since = self._lists[code].get(index)
        return since is not None and since <= on


def make_outcomes(
    rng: np.random.Generator,
    companies: Companies,
    model: ResponseModel,
    staff: list[str],
    count: int,
    as_of: date,
) -> Outcomes:
    """Draw contacts from fourteen to four months before ``as_of``, so that every answer is known."""
    outcomes = Outcomes()
    alive = [index for index, status in enumerate(companies.status) if status == "存续"]
    for _ in range(count):
        index = alive[int(rng.integers(len(alive)))]
        on = as_of - timedelta(days=int(rng.integers(100, 275)))
        if on <= companies.founded_on[index]:
            continue
        chance = model.probability(index, on)
        answered = bool(rng.random() < chance)
        outcomes.company.append(index)
        outcomes.product.append("kqd")
        outcomes.contacted_on.append(on)
        outcomes.channel.append(CHANNELS[int(rng.integers(4))])
        outcomes.responded.append(answered)
        outcomes.responded_on.append(on + timedelta(days=int(rng.integers(3, 90))) if answered else None)
        amount = round(float(3e6 * rng.lognormal(0, 0.6)), -4)
        outcomes.amount_cny.append(amount if answered else None)
        outcomes.staff.append(staff[int(rng.integers(len(staff)))])
        outcomes.probability.append(chance)
    return outcomes

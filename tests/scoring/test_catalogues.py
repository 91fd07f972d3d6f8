"""The shipped strategies, products and tier rules hang together and carry the mended limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from qiaomen.opportunities import load_signal_products
from qiaomen.scoring import load_indicators, load_products, load_scorecards, load_strategies, load_tier_rules
from qiaomen.tags import load_tags
from qiaomen.vocab import CatalogInvalid

PRODUCTS = load_products()
STRATEGIES = load_strategies()


def test_strategies_products_and_cards_name_each_other() -> None:
    cards = load_scorecards()
    assert len(STRATEGIES) >= 15
    assert {strategy.card for strategy in STRATEGIES.values()} <= set(cards)
    assert {strategy.product for strategy in STRATEGIES.values()} - {""} <= set(PRODUCTS)
    for product in PRODUCTS.values():
        assert not product.strategy or STRATEGIES[product.strategy].product == product.code
    for strategy in STRATEGIES.values():
        assert strategy.purpose == "retention" or PRODUCTS[strategy.product].strategy == strategy.code


def test_products_name_known_tags_and_signals_known_products() -> None:
    tags = load_tags()
    assert {tag for product in PRODUCTS.values() for tag in product.tags} <= set(tags)
    assert {code for codes in load_signal_products().values() for code in codes} <= set(PRODUCTS)


def test_limits_follow_the_regulators_rules() -> None:
    assert "≤10年" in PRODUCTS["gdd"].tenor_typical
    assert PRODUCTS["dyd"].strategy != "fixed_asset_resp"
    assert "最长1年" in PRODUCTS["dzz"].tenor_typical
    assert "控制型" in PRODUCTS["bgd"].limit_typical
    assert "1000万" in PRODUCTS["phd"].admission
    assert "2000万" in PRODUCTS["phd"].admission
    assert {"并购贷款业务资格", "衍生产品交易业务资格"} <= {
        product.bank_licence for product in PRODUCTS.values()
    }
    assert all(product.landed_when for product in PRODUCTS.values())


def test_words_are_the_agreed_ones() -> None:
    shown = " ".join(
        row.name_zh for row in (*PRODUCTS.values(), *STRATEGIES.values(), *load_indicators().values())
    )
    assert not [word for word in ("链主企业判定", "银承开立", "提额") if word in shown]


def test_a_broken_overlay_is_refused(tmp_path: Path) -> None:
    text = """
- code: own
  name_zh: 自定策略
  family: 信贷响应
  goal: 目标
  purpose: marketing
  product: kqd
  card: kqd_resp
  horizon_days: 90
  prior_rate: 0.1
  eligibility: {column: no_such, op: ge, value: 1}
  eligibility_words: 无
"""
    (tmp_path / "strategies.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(CatalogInvalid, match="own"):
        load_strategies(tmp_path)
    (tmp_path / "strategies.yaml").unlink()
    rule = next(iter(load_tier_rules().values())).model_dump()
    lines = [f"  {name}: {value}" for name, value in rule.items() if name not in {"prime", "sound", "code"}]
    cuts = [
        "  prime: {share: 0.6, min_priority: 1, min_risk_index: 0}",
        "  sound: {share: 0.5, min_priority: 1, min_risk_index: 0}",
    ]
    (tmp_path / "tier_rules.yaml").write_text("\n".join(["- code: default", *lines, *cuts]), encoding="utf-8")
    with pytest.raises(CatalogInvalid, match="优质"):
        load_tier_rules(tmp_path)

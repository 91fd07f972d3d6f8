from pathlib import Path

import pytest

from qiaomen.mining import (
    kinds_by_word,
    kinds_page,
    load_change_rules,
    load_expiry_rules,
    load_in_bank_rules,
    load_kinds,
    load_text_rules,
)
from qiaomen.vocab import CatalogInvalid, Polarity, Signal

KINDS = load_kinds()


def test_there_are_at_least_130_kinds_in_every_polarity() -> None:
    assert len(KINDS) >= 130
    assert {kind.polarity for kind in KINDS.values()} == set(Polarity)


def test_warnings_carry_severity_and_action_and_no_needs() -> None:
    for kind in KINDS.values():
        if kind.polarity in (Polarity.WARNING, Polarity.VETO):
            assert kind.severity and kind.action and not kind.grade
            assert not any(role.needs for role in kind.role_needs)


def test_a_status_does_not_decay_and_names_what_ends_it() -> None:
    for code in ("dishonest_debtor", "consumption_restricted", "operating_abnormal", "serious_violation"):
        assert KINDS[code].half_life_days is None
        assert KINDS[code].ending_kinds
    assert KINDS["dishonest_debtor"].polarity is Polarity.VETO
    assert KINDS["enforced_debtor"].polarity is Polarity.WARNING


def test_needs_follow_the_role() -> None:
    subsidiary = KINDS["subsidiary_established"]
    assert Signal.ACCOUNT in subsidiary.role("子公司").needs
    assert subsidiary.role("母公司").needs == (Signal.SETTLEMENT,)
    guarantee = KINDS["guarantee_provided"]
    assert guarantee.role("担保人").polarity is Polarity.WARNING
    assert guarantee.role("债务人").needs == (Signal.CREDIT, Signal.GUARANTEE_LETTER)
    assert KINDS["share_pledged"].role("质权人").context


def test_kinds_without_a_target_firm_are_batch_themes() -> None:
    assert {code for code, kind in KINDS.items() if kind.batch} == {
        "tender_published",
        "land_tender",
        "policy_zone_entered",
    }


def test_split_kinds_replace_the_joined_ones() -> None:
    assert {"judgment_enforced", "pledge_financing_new"}.isdisjoint(KINDS)
    assert {"receivable_pledged", "factoring_registered", "chattel_mortgaged"} <= KINDS.keys()
    assert {
        "warehouse_receipt_pledged",
        "title_retention_registered",
        "registration_released",
    } <= KINDS.keys()


def test_registrations_say_that_the_date_is_an_estimate() -> None:
    assert KINDS["lease_expiring"].wording == "登记到期推算，仅供核实"
    assert {"登记金额", "登记到期日", "推算依据"} <= set(KINDS["lease_expiring"].arguments)


def test_the_detectors_of_a_kind_are_those_that_have_a_rule_for_it() -> None:
    rules = {
        "text": {rule.kind for rule in load_text_rules()},
        "registry_change": {rule.kind for rule in load_change_rules()},
        "expiry": {rule.kind for rule in load_expiry_rules()},
        "in_bank": {rule.kind for rule in load_in_bank_rules()},
    }
    for code, kind in KINDS.items():
        expected = {detector for detector, codes in rules.items() if code in codes} | {"feed"}
        assert set(kind.detectors) == expected, code
    assert len(rules["text"]) >= 20


def test_every_word_of_a_feed_means_one_kind() -> None:
    words = kinds_by_word(KINDS)
    assert words["政府采购中标"] == words["gov_bid_won"] == "gov_bid_won"
    assert words["股权融资"] == "equity_financing"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"polarity": "预警"}, "预警"),
        ({"roles": "企业:开户;他方:打折"}, "打折"),
        ({"subject_role": "他方"}, "subject_role"),
        ({"half_life_days": ""}, "ends_on"),
        ({"half_life_days": "-3"}, "正数"),
        ({"ends_on": "no_such_kind"}, "no_such_kind"),
        ({"detectors": "telepathy"}, "detectors"),
        ({"source_access": "偷来"}, "公开"),
        ({"aliases": "政府采购中标"}, "重复"),
    ],
)
def test_a_bad_row_of_the_bank_is_refused(tmp_path: Path, change: dict[str, str], message: str) -> None:
    row = {
        "code": "own_kind",
        "name": "自有种类",
        "group": "policy",
        "group_name": "政策补贴",
        "polarity": "营销机会",
        "detectors": "feed",
        "subject_role": "企业",
        "roles": "企业:开户",
        "half_life_days": "30",
        "grade": "中",
        "ends_on": "",
        "source_access": "公开",
        "aliases": "",
    } | change
    lines = [",".join(row), ",".join(row.values())]
    (tmp_path / "opportunity_kinds.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(CatalogInvalid, match=message):
        load_kinds(tmp_path)


def test_the_bank_adds_a_kind_and_retires_one(tmp_path: Path) -> None:
    (tmp_path / "opportunity_kinds.csv").write_text(
        "code,name,group,group_name,polarity,detectors,subject_role,roles,half_life_days,grade,source_access,retired\n"
        "own_kind,自有种类,policy,政策补贴,营销机会,feed,企业,企业:开户+代发,30,中,行内,\n"
        "award_honor,,,,,,,,,,,true\n",
        encoding="utf-8",
    )
    kinds = load_kinds(tmp_path)
    assert kinds["own_kind"].role(None).needs == (Signal.ACCOUNT, Signal.PAYROLL)
    assert "award_honor" not in kinds


def test_the_page_of_kinds_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "opportunity-kinds.md"
    assert page.read_text(encoding="utf-8") == kinds_page(KINDS)

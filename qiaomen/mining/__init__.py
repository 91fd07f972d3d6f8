"""Opportunities found in text, registry changes, expiry dates, the bank's own books and feeds.

Reads announcement_records, opportunity_records, company_changes, relations, dealings, cashflows; writes findings.
Owns the catalogues opportunity_kinds, text_rules, text_guards, change_rules, expiry_rules and in_bank_rules.
"""

from qiaomen.mining.changes import find_registry_changes
from qiaomen.mining.expiries import find_expiries
from qiaomen.mining.feed_records import find_in_feed
from qiaomen.mining.findings import Detected, join_findings
from qiaomen.mining.in_bank import find_in_bank
from qiaomen.mining.kinds import OpportunityKind, RoleNeeds, kinds_by_word, load_kinds
from qiaomen.mining.kinds_page import kinds_page
from qiaomen.mining.money import find_amounts, flatten, parse_amount, word_amount
from qiaomen.mining.rules import (
    ChangeRule,
    ExpiryRule,
    InBankRule,
    RolePattern,
    TextGuard,
    TextRule,
    load_change_rules,
    load_expiry_rules,
    load_guards,
    load_in_bank_rules,
    load_text_rules,
)
from qiaomen.mining.tables import ANNOUNCEMENT_RECORDS, FINDINGS
from qiaomen.mining.texts import find_in_texts

__all__ = [
    "ANNOUNCEMENT_RECORDS",
    "FINDINGS",
    "ChangeRule",
    "Detected",
    "ExpiryRule",
    "InBankRule",
    "OpportunityKind",
    "RoleNeeds",
    "RolePattern",
    "TextGuard",
    "TextRule",
    "find_amounts",
    "find_expiries",
    "find_in_bank",
    "find_in_feed",
    "find_in_texts",
    "find_registry_changes",
    "flatten",
    "join_findings",
    "kinds_by_word",
    "kinds_page",
    "load_change_rules",
    "load_expiry_rules",
    "load_guards",
    "load_in_bank_rules",
    "load_kinds",
    "load_text_rules",
    "parse_amount",
    "word_amount",
]

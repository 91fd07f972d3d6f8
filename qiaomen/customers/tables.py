"""Lake tables owned by customers: the bank's own lists, dealings, cash flows, outcomes and their match."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column as C
from qiaomen.vocab import DataClass, Table, loaded_table

SENSITIVE: Final = DataClass.SENSITIVE

CUSTOMER_RECORDS: Final = loaded_table(
    "customer_records",
    "customers",
    "One row per customer as the bank's list has it, dirt included.",
    (
        C("customer_no", "string", "customer number at the bank"),
        C("name", "string", "as written"),
        C("uscc_text", "string", "code as written"),
        C("address", "string", "as written"),
        C("phone", "string", "as written", SENSITIVE),
        C("contact", "string", "contact person", SENSITIVE),
        C("legal_representative", "string", "as written", SENSITIVE),
        C("capital_text", "string", "as written"),
        C("industry_name", "string", "trade as written"),
        C("institution_code", "string", "institution that keeps the customer"),
        C("manager_no", "string", "staff number of its manager"),
        C("opened_on", "date", "account opened"),
        C("status", "string", "正常, 睡眠, 销户; null is 正常"),
    ),
)

DEALING_RECORDS: Final = loaded_table(
    "dealing_records",
    "customers",
    "One row per contract or account of a customer.",
    (
        C("customer_no", "string", "customer number"),
        C("dealing_no", "string", "contract or account number", SENSITIVE),
        C(
            "kind",
            "string",
            "deposit, time_deposit, loan, credit_line, guarantee_letter, bill, wealth, payroll",
        ),
        C("product", "string", "code of the bank product; null where it has none"),
        C("amount_cny", "float64", "contract amount in yuan", SENSITIVE),
        C("balance_cny", "float64", "current balance in yuan", SENSITIVE),
        C("limit_cny", "float64", "approved limit in yuan", SENSITIVE),
        C("started_on", "date", "start"),
        C("due_on", "date", "due; null is open"),
        C("status", "string", "active or ended"),
    ),
)

CASHFLOW_RECORDS: Final = loaded_table(
    "cashflow_records",
    "customers",
    "One row per customer and month of account flows.",
    (
        C("customer_no", "string", "customer number"),
        C("month", "date", "first day of the month"),
        C("inflow_cny", "float64", "credited, yuan", SENSITIVE),
        C("outflow_cny", "float64", "debited, yuan", SENSITIVE),
        C("deposit_average_cny", "float64", "daily average deposit, yuan", SENSITIVE),
        C("payroll_cny", "float64", "wages paid, yuan", SENSITIVE),
        C("tax_cny", "float64", "taxes paid, yuan", SENSITIVE),
        C("same_name_out_cny", "float64", "moved to own accounts at other banks, yuan", SENSITIVE),
        C("largest_inflow_cny", "float64", "largest single credit, yuan", SENSITIVE),
        C("fx_cny", "float64", "foreign-currency receipts and payments, yuan", SENSITIVE),
        C("counterparties", "int64", "distinct counterparties"),
    ),
)

OUTCOME_RECORDS: Final = loaded_table(
    "outcome_records",
    "customers",
    "One row per past marketing contact and what came of it.",
    (
        C("company_ref", "string", "the company; null where only customer_no is known"),
        C("customer_no", "string", "customer number; null for a prospect"),
        C("product", "string", "code of the bank product offered"),
        C("contacted_on", "date", "date of contact"),
        C("channel", "string", "拜访, 电话, 短信 …"),
        C("responded", "boolean", "an application or account followed within 90 days"),
        C("responded_on", "date", "when"),
        C("amount_cny", "float64", "amount won, yuan"),
        C("staff_no", "string", "who made the contact"),
    ),
)

CUSTOMER_MATCHES: Final = Table(
    "customer_matches",
    "customers",
    "One row per customer record: which company it is, how sure, and why.",
    (
        C("source", "string", "source of the customer record"),
        C("record_key", "string", "customer record"),
        C("customer_no", "string", "customer number"),
        C("name", "string", "as written"),
        C(
            "company_id",
            "int64",
            "the company where the outcome is automatic or confirmed by a person; else null",
        ),
        C("outcome", "string", "matched, verified, ambiguous, unmatched"),
        C("relation", "string", "self or branch (then company_id is the parent)"),
        C("probability", "float64", "calibrated probability of the best candidate"),
        C("rule", "string", "rule that decided"),
        C("evidence", "string", "JSON: which facts agreed or contradicted"),
        C(
            "candidates",
            "string",
            "JSON list of {company_id, name, uscc, probability, evidence}, best first, at most 10",
        ),
        C("decided_by", "string", "model or the user who decided"),
    ),
    ("source", "record_key"),
)

CUSTOMERS: Final = Table(
    "customers",
    "customers",
    "One row per company that is a customer (automatic or confirmed matches, duplicates joined).",
    (
        C("company_id", "int64", "the company"),
        C("customer_no", "string", "the leading customer number"),
        C("customer_numbers", "string", "all its numbers, separated by `;`"),
        C("institution_code", "string", "institution that keeps it"),
        C("manager_no", "string", "its manager"),
        C("opened_on", "date", "first account opened"),
        C("status", "string", "正常, 睡眠, 销户"),
        C("last_contact_on", "date", "newest contact in outcomes"),
    ),
    ("company_id",),
)

DEALINGS: Final = Table(
    "dealings",
    "customers",
    "Dealings with the company number beside the customer number.",
    (
        C("company_id", "int64", "the company; null where the customer is not matched"),
        *DEALING_RECORDS.columns,
    ),
    ("source", "record_key"),
)

CASHFLOWS: Final = Table(
    "cashflows",
    "customers",
    "Monthly flows with the company number beside the customer number.",
    (
        C("company_id", "int64", "the company; null where the customer is not matched"),
        *CASHFLOW_RECORDS.columns,
    ),
    ("source", "record_key"),
)

OUTCOMES: Final = Table(
    "outcomes",
    "customers",
    "Past contacts with the company number.",
    (C("company_id", "int64", "the company; null where it cannot be resolved"), *OUTCOME_RECORDS.columns),
    ("source", "record_key"),
)

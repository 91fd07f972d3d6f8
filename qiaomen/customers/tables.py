"""Lake tables owned by customers: the bank's own lists, dealings, cash flows, outcomes and their match."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column, DataClass, Table, loaded_table

SENSITIVE: Final = DataClass.SENSITIVE

CUSTOMER_RECORDS: Final = loaded_table(
    "customer_records",
    "customers",
    "One row per customer as the bank's list has it, dirt included.",
    (
        Column("customer_no", "string", "customer number at the bank"),
        Column("name", "string", "as written"),
        Column("uscc_text", "string", "code as written"),
        Column("address", "string", "as written"),
        Column("phone", "string", "as written", SENSITIVE),
        Column("contact", "string", "contact person", SENSITIVE),
        Column("legal_representative", "string", "as written", SENSITIVE),
        Column("capital_text", "string", "as written"),
        Column("industry_name", "string", "trade as written"),
        Column("institution_code", "string", "institution that keeps the customer"),
        Column("manager_no", "string", "staff number of its manager"),
        Column("opened_on", "date", "account opened"),
        Column("status", "string", "正常, 睡眠, 销户; null is 正常"),
    ),
)

DEALING_RECORDS: Final = loaded_table(
    "dealing_records",
    "customers",
    "One row per contract or account of a customer.",
    (
        Column("customer_no", "string", "customer number"),
        Column("dealing_no", "string", "contract or account number", SENSITIVE),
        Column(
            "kind",
            "string",
            "deposit, time_deposit, loan, credit_line, guarantee_letter, bill, wealth, payroll",
        ),
        Column("product", "string", "code of the bank product; null where it has none"),
        Column("amount_cny", "float64", "contract amount in yuan", SENSITIVE),
        Column("balance_cny", "float64", "current balance in yuan", SENSITIVE),
        Column("limit_cny", "float64", "approved limit in yuan", SENSITIVE),
        Column("started_on", "date", "start"),
        Column("due_on", "date", "due; null is open"),
        Column("status", "string", "active or ended"),
    ),
)

CASHFLOW_RECORDS: Final = loaded_table(
    "cashflow_records",
    "customers",
    "One row per customer and month of account flows.",
    (
        Column("customer_no", "string", "customer number"),
        Column("month", "date", "first day of the month"),
        Column("inflow_cny", "float64", "credited, yuan", SENSITIVE),
        Column("outflow_cny", "float64", "debited, yuan", SENSITIVE),
        Column("deposit_average_cny", "float64", "daily average deposit, yuan", SENSITIVE),
        Column("payroll_cny", "float64", "wages paid, yuan", SENSITIVE),
        Column("tax_cny", "float64", "taxes paid, yuan", SENSITIVE),
        Column("same_name_out_cny", "float64", "moved to own accounts at other banks, yuan", SENSITIVE),
        Column("largest_inflow_cny", "float64", "largest single credit, yuan", SENSITIVE),
        Column("fx_cny", "float64", "foreign-currency receipts and payments, yuan", SENSITIVE),
        Column("counterparties", "int64", "distinct counterparties"),
    ),
)

OUTCOME_RECORDS: Final = loaded_table(
    "outcome_records",
    "customers",
    "One row per past marketing contact and what came of it.",
    (
        Column("company_ref", "string", "the company; null where only customer_no is known"),
        Column("customer_no", "string", "customer number; null for a prospect"),
        Column("product", "string", "code of the bank product offered"),
        Column("contacted_on", "date", "date of contact"),
        Column("channel", "string", "拜访, 电话, 短信 …"),
        Column("responded", "boolean", "an application or account followed within 90 days"),
        Column("responded_on", "date", "when"),
        Column("amount_cny", "float64", "amount won, yuan"),
        Column("staff_no", "string", "who made the contact"),
    ),
)

CONTACT_RECORDS: Final = loaded_table(
    "contact_records",
    "customers",
    "One row per person of a company whom the bank may contact.",
    (
        Column("company_ref", "string", "the company; null where only customer_no is known"),
        Column("company_name", "string", "name of the company as written"),
        Column("customer_no", "string", "customer number; null for a prospect"),
        Column("person_name", "string", "name", SENSITIVE),
        Column("post", "string", "position held"),
        Column("phone", "string", "telephone", SENSITIVE),
        Column("email", "string", "e-mail", SENSITIVE),
        Column("lawful_basis", "string", "a LawfulBasis: ground of 个人信息保护法第十三条"),
        Column("collected_on", "date", "when the bank got it"),
        Column("opted_out", "boolean", "the person refused to be contacted"),
        Column("opted_out_on", "date", "when"),
    ),
)

CONTACTS: Final = Table(
    "contacts",
    "customers",
    "One row per telephone or e-mail of a company or of a person there, from every source.",
    (
        Column("company_id", "int64", "the company"),
        Column("kind", "string", "phone or email"),
        Column("value", "string", "the number or address", SENSITIVE),
        Column("person_name", "string", "whose it is; null where it is the company's", SENSITIVE),
        Column("post", "string", "position held"),
        Column("origin", "string", "contacts or customers (the bank's own lists), registry"),
        Column("lawful_basis", "string", "a LawfulBasis: the row's own, else its source's"),
        Column("collected_on", "date", "the row's own date, else the day of its load"),
        Column("opted_out", "boolean", "the loaded row says that the person refused"),
        Column("source", "string", "code of the source"),
        Column("record_key", "string", "record within its source"),
        Column("load_id", "string", "load that last touched the record"),
    ),
    ("company_id", "kind", "origin", "source", "record_key"),
)

CUSTOMER_MATCHES: Final = Table(
    "customer_matches",
    "customers",
    "One row per customer record: which company it is, how sure, and why.",
    (
        Column("source", "string", "source of the customer record"),
        Column("record_key", "string", "customer record"),
        Column("customer_no", "string", "customer number"),
        Column("name", "string", "as written"),
        Column(
            "company_id",
            "int64",
            "the company where the outcome is automatic or confirmed by a person; else null",
        ),
        Column("outcome", "string", "matched, verified, ambiguous, unmatched"),
        Column("relation", "string", "self or branch (then company_id is the parent)"),
        Column("probability", "float64", "calibrated probability of the best candidate"),
        Column("rule", "string", "rule that decided"),
        Column("evidence", "string", "JSON: which facts agreed or contradicted"),
        Column(
            "candidates",
            "string",
            "JSON list of {company_id, name, uscc, probability, evidence}, best first, at most 10",
        ),
        Column("decided_by", "string", "model or the user who decided"),
    ),
    ("source", "record_key"),
)

CUSTOMERS: Final = Table(
    "customers",
    "customers",
    "One row per company that is a customer (automatic or confirmed matches, duplicates joined).",
    (
        Column("company_id", "int64", "the company"),
        Column("customer_no", "string", "the leading customer number"),
        Column("customer_numbers", "string", "all its numbers, separated by `;`"),
        Column("institution_code", "string", "institution that keeps it"),
        Column("manager_no", "string", "its manager"),
        Column("opened_on", "date", "first account opened"),
        Column("status", "string", "正常, 睡眠, 销户"),
        Column("last_contact_on", "date", "newest contact in outcomes"),
    ),
    ("company_id",),
)

DEALINGS: Final = Table(
    "dealings",
    "customers",
    "Dealings with the company number beside the customer number.",
    (
        Column("company_id", "int64", "the company; null where the customer is not matched"),
        *DEALING_RECORDS.columns,
    ),
    ("source", "record_key"),
)

CASHFLOWS: Final = Table(
    "cashflows",
    "customers",
    "Monthly flows with the company number beside the customer number.",
    (
        Column("company_id", "int64", "the company; null where the customer is not matched"),
        *CASHFLOW_RECORDS.columns,
    ),
    ("source", "record_key"),
)

OUTCOMES: Final = Table(
    "outcomes",
    "customers",
    "Past contacts with the company number.",
    (
        Column("company_id", "int64", "the company; null where it cannot be resolved"),
        *OUTCOME_RECORDS.columns,
    ),
    ("source", "record_key"),
)

UPLOAD_CHANGES: Final = Table(
    "upload_changes",
    "customers",
    "One row per customer record that an upload inserted or updated, with the values before and after: undo reads it.",
    (
        Column("load_id", "string", "the upload"),
        Column("applied_at", "timestamp", "when it was applied; later uploads are those with a later time"),
        Column("source", "string", "source of the customer record"),
        Column("record_key", "string", "customer record"),
        Column("action", "string", "insert or update"),
        Column(
            "before", "string", "JSON: changed columns to their former values; null for an insert", SENSITIVE
        ),
        Column("after", "string", "JSON: changed columns to their new values", SENSITIVE),
    ),
    ("load_id", "source", "record_key"),
)

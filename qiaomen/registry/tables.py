"""Lake tables owned by the registry: companies, persons, relations as loaded and as resolved, rejects, loads."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column as C
from qiaomen.vocab import DataClass, Table, loaded_table

SENSITIVE: Final = DataClass.SENSITIVE

COMPANY_RECORDS: Final = loaded_table(
    "company_records",
    "registry",
    "One row per company and source: what that source says about it.",
    (
        C(
            "company_ref",
            "string",
            "the record's own reference, `scheme:value` (uscc:, stock:, name:, <source>:)",
        ),
        C(
            "uscc",
            "string",
            "18 characters, upper case, checked; null where the source has none or a wrong one",
        ),
        C("uscc_text", "string", "the code as the source wrote it, kept where it was wrong"),
        C("registration_number", "string", "old 15-digit number, or the 9-character organisation code"),
        C(
            "name",
            "string",
            "registered name as cleaned at intake (NFKC, trimmed); null where only a short name is known",
        ),
        C("short_name", "string", "brand or stock short name"),
        C("former_names", "string", "former registered names, separated by `;`"),
        C("org_type", "string", "legal form as the source says it"),
        C("status", "string", "存续, 注销, 吊销, 迁出 …; null is unknown"),
        C("founded_on", "date", "date of establishment"),
        C("capital_cny", "float64", "registered capital in yuan, converted at the declared rates"),
        C("capital_text", "string", "registered capital as written"),
        C("legal_representative", "string", "name of the legal representative", SENSITIVE),
        C("region_code", "string", "six-digit division code"),
        C("address", "string", "registered address"),
        C("industry_code", "string", "GB/T 4754 code such as C3973"),
        C("industry_name", "string", "trade as the source names it"),
        C("scope", "string", "business scope"),
        C("description", "string", "free text about the company"),
        C("phone", "string", "telephone", SENSITIVE),
        C("email", "string", "e-mail", SENSITIVE),
        C("website", "string", "web site"),
        C("employees", "int64", "number of insured employees"),
        C("revenue_cny", "float64", "latest yearly revenue in yuan"),
        C(
            "listed_board",
            "string",
            "上交所主板, 科创板, 深交所主板, 创业板, 北交所, 新三板; null is not listed",
        ),
        C("stock_code", "string", "six digits"),
        C("listed_on", "date", "date of listing"),
        C("lon", "float64", "degrees east"),
        C("lat", "float64", "degrees north"),
        C("observed_on", "date", "as-of date of the source's statement"),
    ),
)

COMPANY_CHANGES: Final = loaded_table(
    "company_changes",
    "registry",
    "One row per registered change of a company (变更记录), from a source or from two successive loads.",
    (
        C("company_ref", "string", "the company"),
        C(
            "field",
            "string",
            "changed column of company_records, or a declared change item such as shareholders",
        ),
        C("old_value", "string", "before"),
        C("new_value", "string", "after"),
        C("changed_on", "date", "date of the change"),
    ),
)

PERSON_RECORDS: Final = loaded_table(
    "person_records",
    "registry",
    "One row per person as one source knows them.",
    (
        C("person_ref", "string", "the record's own reference, `person:<source>:<key>`"),
        C("name", "string", "name", SENSITIVE),
        C("gender", "string", "男 or 女; null is unknown"),
        C("birth_year", "int64", "year of birth where the source states or implies it", SENSITIVE),
        C("identified", "boolean", "true where the source's key stands for one human being, not for a name"),
    ),
)

RELATION_RECORDS: Final = loaded_table(
    "relation_records",
    "registry",
    "One row per relation as one source states it.",
    (
        C("kind", "string", "a RelationKind"),
        C(
            "from_ref",
            "string",
            "holder, investor, person, supplier, payer, guarantor, branch; `scheme:value` or `person:…`",
        ),
        C("to_ref", "string", "company held, target, company, buyer, payee, debtor, parent"),
        C("from_name", "string", "name of the from side as written", SENSITIVE),
        C("to_name", "string", "name of the to side as written"),
        C("role", "string", "董事长, 法定代表人, 保证 …"),
        C("ratio", "float64", "share held, 0 to 1"),
        C("amount_cny", "float64", "amount in yuan"),
        C("count", "int64", "number of facts behind the row"),
        C("since", "date", "valid from"),
        C("until", "date", "valid until; null is open"),
        C("observed_on", "date", "as-of date of the statement"),
        C("evidence", "string", "the statement in words, shown to staff"),
    ),
)

REJECTS: Final = Table(
    "rejects",
    "registry",
    "One row per input row that was not accepted.",
    (
        C("load_id", "string", "load"),
        C("source", "string", "code of the source"),
        C("file", "string", "file name"),
        C("line", "int64", "line or row, from 1 with the header"),
        C("column", "string", "column as the file names it; empty where the whole row is at fault"),
        C("reason", "string", "why, in Chinese, with the remedy"),
        C("value", "string", "the offending value, cut at 200 characters", SENSITIVE),
        C("row_text", "string", "the row as JSON", SENSITIVE),
    ),
    ("load_id", "file", "line", "column"),
)

LOADS: Final = Table(
    "loads",
    "registry",
    "One row per file of a load with its counts: read = inserted + updated + unchanged + repeated + rejected.",
    (
        C("load_id", "string", "load"),
        C("source", "string", "code of the source"),
        C("file", "string", "file name"),
        C("table", "string", "loaded table"),
        C("sha256", "string", "hash of the file"),
        C("read", "int64", "data rows read"),
        C("inserted", "int64", "rows new to the table"),
        C("updated", "int64", "rows whose values changed"),
        C("unchanged", "int64", "rows already there with the same values"),
        C("repeated", "int64", "rows that repeat an earlier row of the same load"),
        C("rejected", "int64", "rows in rejects"),
        C("ended", "int64", "rows ended because a snapshot lacks them"),
        C("loaded_at", "timestamp", "when"),
    ),
    ("load_id", "file", "table"),
)

COMPANY_REFS: Final = Table(
    "company_refs",
    "registry",
    "Every reference to a company in any loaded table and the company it stands for.",
    (
        C("ref", "string", "`scheme:value` as loaded"),
        C("company_id", "int64", "the company; null where the reference is ambiguous or empty"),
        C("how", "string", "code, name, former_name, short_name, record, mention, ambiguous"),
        C("confidence", "float64", "0 to 1"),
    ),
    ("ref",),
)

COMPANIES: Final = Table(
    "companies",
    "registry",
    "One row per company: the surviving values of its records.",
    (
        C("company_id", "int64", "dense, append-only, below 2**32"),
        C("uscc", "string", "统一社会信用代码; null is unknown"),
        C("name", "string", "registered name, or the name it is mentioned by"),
        C("name_norm", "string", "normalised name used for matching"),
        C("short_name", "string", "brand or stock short name"),
        C(
            "origin",
            "string",
            "registry: has a record of its own with a full name; mention: known only from others' records",
        ),
        C("status", "string", "存续, 注销, 吊销 …; null is unknown"),
        C("org_type", "string", "legal form"),
        C("founded_on", "date", "date of establishment"),
        C("capital_cny", "float64", "registered capital in yuan"),
        C("legal_representative", "string", "name", SENSITIVE),
        C("region_code", "string", "six-digit division code"),
        C("address", "string", "registered address"),
        C("industry_code", "string", "GB/T 4754"),
        C("industry_name", "string", "trade in words"),
        C("scope", "string", "business scope"),
        C("description", "string", "free text"),
        C("phone", "string", "telephone", SENSITIVE),
        C("email", "string", "e-mail", SENSITIVE),
        C("website", "string", "web site"),
        C("employees", "int64", "insured employees"),
        C("revenue_cny", "float64", "yearly revenue in yuan"),
        C("listed_board", "string", "board; null is not listed"),
        C("stock_code", "string", "six digits"),
        C("listed_on", "date", "date of listing"),
        C("lon", "float64", "degrees east"),
        C("lat", "float64", "degrees north"),
        C("observed_on", "date", "newest as-of date among its records"),
        C("sources", "string", "codes of the sources, separated by `;`"),
        C("conflicts", "string", "JSON: column to the values on which its sources disagree"),
    ),
    ("company_id",),
)

COMPANY_NAMES: Final = Table(
    "company_names",
    "registry",
    "Every name of every company.",
    (
        C("company_id", "int64", "the company"),
        C("name", "string", "as written"),
        C("name_norm", "string", "normalised"),
        C("kind", "string", "legal, former, short, mention"),
    ),
    ("company_id", "kind", "name_norm"),
)

PERSONS: Final = Table(
    "persons",
    "registry",
    "One row per person as far as identity is proven.",
    (
        C("person_id", "int64", "dense, append-only"),
        C("person_ref", "string", "reference in person_records"),
        C("name", "string", "name", SENSITIVE),
        C("gender", "string", "男, 女 or null"),
        C("birth_year", "int64", "year of birth", SENSITIVE),
        C("identified", "boolean", "identity stated by the source"),
        C("source", "string", "code of the source"),
    ),
    ("person_id",),
)

RELATIONS: Final = Table(
    "relations",
    "registry",
    "Relations between companies and persons by number, suspected ones included and marked.",
    (
        C("kind", "string", "a RelationKind"),
        C("from_type", "string", "company or person"),
        C("from_id", "int64", "company_id or person_id"),
        C("to_type", "string", "company or person"),
        C("to_id", "int64", "company_id or person_id"),
        C("role", "string", "office or manner"),
        C("ratio", "float64", "share held, 0 to 1"),
        C("amount_cny", "float64", "yuan"),
        C("count", "int64", "facts behind the row"),
        C("since", "date", "valid from"),
        C("until", "date", "valid until"),
        C("observed_on", "date", "as-of date"),
        C("proven", "boolean", "false for suspected kinds and for unproven identity"),
        C("confidence", "float64", "0 to 1"),
        C("evidence", "string", "in words, shown to staff"),
        C("source", "string", "code of the source"),
        C("record_key", "string", "row of the source"),
    ),
    ("kind", "from_type", "from_id", "to_type", "to_id", "source", "record_key"),
)

"""Lake tables owned by the registry: companies, persons, relations as loaded and as resolved, rejects, loads."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column, DataClass, Table, loaded_table

SENSITIVE: Final = DataClass.SENSITIVE

COMPANY_RECORDS: Final = loaded_table(
    "company_records",
    "registry",
    "One row per company and source: what that source says about it.",
    (
        Column(
            "company_ref",
            "string",
            "the record's own reference, `scheme:value` (uscc:, stock:, name:, <source>:)",
        ),
        Column(
            "uscc",
            "string",
            "18 characters, upper case, checked; null where the source has none or a wrong one",
        ),
        Column("uscc_text", "string", "the code as the source wrote it, kept where it was wrong"),
        Column("registration_number", "string", "old 15-digit number, or the 9-character organisation code"),
        Column(
            "name",
            "string",
            "registered name as cleaned at intake (NFKC, trimmed); null where only a short name is known",
        ),
        Column("short_name", "string", "brand or stock short name"),
        Column("former_names", "string", "former registered names, separated by `;`"),
        Column("org_type", "string", "legal form as the source says it"),
        Column("status", "string", "存续, 注销, 吊销, 迁出 …; null is unknown"),
        Column("founded_on", "date", "date of establishment"),
        Column("capital_cny", "float64", "registered capital in yuan, converted at the declared rates"),
        Column("capital_text", "string", "registered capital as written"),
        Column("legal_representative", "string", "name of the legal representative", SENSITIVE),
        Column("region_code", "string", "six-digit division code"),
        Column("address", "string", "registered address"),
        Column("industry_code", "string", "GB/T 4754 code such as C3973"),
        Column("industry_name", "string", "trade as the source names it"),
        Column("scope", "string", "business scope"),
        Column("description", "string", "free text about the company"),
        Column("phone", "string", "telephone", SENSITIVE),
        Column("email", "string", "e-mail", SENSITIVE),
        Column("website", "string", "web site"),
        Column("employees", "int64", "number of insured employees"),
        Column("revenue_cny", "float64", "latest yearly revenue in yuan"),
        Column(
            "listed_board",
            "string",
            "上交所主板, 科创板, 深交所主板, 创业板, 北交所, 新三板; null is not listed",
        ),
        Column("stock_code", "string", "six digits"),
        Column("listed_on", "date", "date of listing"),
        Column("lon", "float64", "degrees east"),
        Column("lat", "float64", "degrees north"),
        Column("observed_on", "date", "as-of date of the source's statement"),
    ),
)

COMPANY_CHANGES: Final = loaded_table(
    "company_changes",
    "registry",
    "One row per registered change of a company (变更记录), from a source or from two successive loads.",
    (
        Column("company_ref", "string", "the company"),
        Column(
            "field",
            "string",
            "changed column of company_records, or a declared change item such as shareholders",
        ),
        Column("old_value", "string", "before"),
        Column("new_value", "string", "after"),
        Column("changed_on", "date", "date of the change"),
    ),
)

PERSON_RECORDS: Final = loaded_table(
    "person_records",
    "registry",
    "One row per person as one source knows them.",
    (
        Column("person_ref", "string", "the record's own reference, `person:<source>:<key>`"),
        Column("name", "string", "name", SENSITIVE),
        Column("gender", "string", "男 or 女; null is unknown"),
        Column("birth_year", "int64", "year of birth where the source states or implies it", SENSITIVE),
        Column(
            "identified", "boolean", "true where the source's key stands for one human being, not for a name"
        ),
    ),
)

RELATION_RECORDS: Final = loaded_table(
    "relation_records",
    "registry",
    "One row per relation as one source states it.",
    (
        Column("kind", "string", "a RelationKind"),
        Column(
            "from_ref",
            "string",
            "holder, investor, person, supplier, payer, guarantor, branch; `scheme:value` or `person:…`",
        ),
        Column("to_ref", "string", "company held, target, company, buyer, payee, debtor, parent"),
        Column("from_name", "string", "name of the from side as written", SENSITIVE),
        Column("to_name", "string", "name of the to side as written"),
        Column("role", "string", "董事长, 法定代表人, 保证 …"),
        Column("ratio", "float64", "share held, 0 to 1"),
        Column("amount_cny", "float64", "amount in yuan"),
        Column("count", "int64", "number of facts behind the row"),
        Column("since", "date", "valid from"),
        Column("until", "date", "valid until; null is open"),
        Column("observed_on", "date", "as-of date of the statement"),
        Column("evidence", "string", "the statement in words, shown to staff"),
    ),
)

REJECTS: Final = Table(
    "rejects",
    "registry",
    "One row per input row that was not accepted.",
    (
        Column("load_id", "string", "load"),
        Column("source", "string", "code of the source"),
        Column("file", "string", "file name"),
        Column("line", "int64", "line or row, from 1 with the header"),
        Column("column", "string", "column as the file names it; empty where the whole row is at fault"),
        Column("reason", "string", "why, in Chinese, with the remedy"),
        Column("value", "string", "the offending value, cut at 200 characters", SENSITIVE),
        Column("row_text", "string", "the row as JSON", SENSITIVE),
    ),
    ("load_id", "file", "line", "column"),
)

LOADS: Final = Table(
    "loads",
    "registry",
    "One row per file of a load with its counts: read = inserted + updated + unchanged + repeated + rejected.",
    (
        Column("load_id", "string", "load"),
        Column("source", "string", "code of the source"),
        Column("file", "string", "file name"),
        Column("table", "string", "loaded table"),
        Column("sha256", "string", "hash of the file"),
        Column("read", "int64", "data rows read"),
        Column("inserted", "int64", "rows new to the table"),
        Column("updated", "int64", "rows whose values changed"),
        Column("unchanged", "int64", "rows already there with the same values"),
        Column("repeated", "int64", "rows that repeat an earlier row of the same load"),
        Column("rejected", "int64", "rows in rejects"),
        Column("ended", "int64", "rows ended because a snapshot lacks them"),
        Column("loaded_at", "timestamp", "when"),
    ),
    ("load_id", "file", "table"),
)

COMPANY_IDS: Final = Table(
    "company_ids",
    "registry",
    "Company numbers ever issued and the identifying keys they were issued for; append-only, the last issue of a key counts.",
    (
        Column("company_id", "int64", "the number; never changed or used again"),
        Column("key", "string", "uscc:, stock:, name:, brand: or a source's own record, as `scheme:value`"),
    ),
    ("company_id", "key"),
)

PERSON_IDS: Final = Table(
    "person_ids",
    "registry",
    "Person numbers ever issued; append-only.",
    (
        Column("person_id", "int64", "the number; never changed or used again"),
        Column("key", "string", "person_ref it was issued for"),
    ),
    ("person_id", "key"),
)

COMPANY_REFS: Final = Table(
    "company_refs",
    "registry",
    "Every reference to a company in any loaded table and the company it stands for.",
    (
        Column("ref", "string", "`scheme:value` as loaded"),
        Column("company_id", "int64", "the company; null where the reference is ambiguous or empty"),
        Column(
            "how",
            "string",
            "code, name, former_name, short_name, record, mention, ambiguous, person (a natural person's name), empty",
        ),
        Column("confidence", "float64", "0 to 1"),
    ),
    ("ref",),
)

COMPANIES: Final = Table(
    "companies",
    "registry",
    "One row per company: the surviving values of its records.",
    (
        Column("company_id", "int64", "dense, append-only, below 2**32"),
        Column("uscc", "string", "统一社会信用代码; null is unknown"),
        Column("name", "string", "registered name, or the name it is mentioned by"),
        Column("name_norm", "string", "normalised name used for matching"),
        Column("short_name", "string", "brand or stock short name"),
        Column(
            "origin",
            "string",
            "registry: has a record of its own with a full name; mention: known only from others' records",
        ),
        Column("status", "string", "存续, 注销, 吊销 …; null is unknown"),
        Column("org_type", "string", "legal form"),
        Column("founded_on", "date", "date of establishment"),
        Column("capital_cny", "float64", "registered capital in yuan"),
        Column("legal_representative", "string", "name", SENSITIVE),
        Column("region_code", "string", "six-digit division code"),
        Column(
            "region_basis", "string", "where the region is known from: declared, address, name (the weakest)"
        ),
        Column("address", "string", "registered address"),
        Column("industry_code", "string", "GB/T 4754"),
        Column("industry_name", "string", "trade in words"),
        Column("scope", "string", "business scope"),
        Column("description", "string", "free text"),
        Column("phone", "string", "telephone", SENSITIVE),
        Column("email", "string", "e-mail", SENSITIVE),
        Column("website", "string", "web site"),
        Column("employees", "int64", "insured employees"),
        Column("revenue_cny", "float64", "yearly revenue in yuan"),
        Column("listed_board", "string", "board; null is not listed"),
        Column("stock_code", "string", "six digits"),
        Column("listed_on", "date", "date of listing"),
        Column("lon", "float64", "degrees east"),
        Column("lat", "float64", "degrees north"),
        Column("observed_on", "date", "newest as-of date among its records"),
        Column("sources", "string", "codes of the sources, separated by `;`"),
        Column("conflicts", "string", "JSON: column to the values on which its sources disagree"),
    ),
    ("company_id",),
)

COMPANY_NAMES: Final = Table(
    "company_names",
    "registry",
    "Every name of every company.",
    (
        Column("company_id", "int64", "the company"),
        Column("name", "string", "as written"),
        Column("name_norm", "string", "normalised"),
        Column("kind", "string", "legal, former, short, mention"),
    ),
    ("company_id", "kind", "name_norm"),
)

PERSONS: Final = Table(
    "persons",
    "registry",
    "One row per person as far as identity is proven.",
    (
        Column("person_id", "int64", "dense, append-only"),
        Column("person_ref", "string", "reference in person_records"),
        Column("name", "string", "name", SENSITIVE),
        Column("gender", "string", "男, 女 or null"),
        Column("birth_year", "int64", "year of birth", SENSITIVE),
        Column("identified", "boolean", "identity stated by the source"),
        Column("source", "string", "code of the source"),
    ),
    ("person_id",),
)

RELATIONS: Final = Table(
    "relations",
    "registry",
    "Relations between companies and persons by number, suspected ones included and marked.",
    (
        Column("kind", "string", "a RelationKind"),
        Column("from_type", "string", "company or person"),
        Column("from_id", "int64", "company_id or person_id"),
        Column("to_type", "string", "company or person"),
        Column("to_id", "int64", "company_id or person_id"),
        Column("role", "string", "office or manner"),
        Column("ratio", "float64", "share held, 0 to 1"),
        Column("amount_cny", "float64", "yuan"),
        Column("count", "int64", "facts behind the row"),
        Column("since", "date", "valid from"),
        Column("until", "date", "valid until"),
        Column("observed_on", "date", "as-of date"),
        Column("proven", "boolean", "false for suspected kinds and for unproven identity"),
        Column("confidence", "float64", "0 to 1"),
        Column("evidence", "string", "in words, shown to staff"),
        Column("source", "string", "code of the source"),
        Column("record_key", "string", "row of the source"),
    ),
    ("kind", "from_type", "from_id", "to_type", "to_id", "source", "record_key"),
)

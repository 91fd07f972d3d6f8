"""The bank's own customers, dealings, cash flows, outcomes."""

from qiaomen.customers.book import (
    attach_cashflows,
    attach_dealings,
    attach_outcomes,
    build_customers,
    company_of_number,
)
from qiaomen.customers.tables import (
    CASHFLOW_RECORDS,
    CASHFLOWS,
    CUSTOMER_MATCHES,
    CUSTOMER_RECORDS,
    CUSTOMERS,
    DEALING_RECORDS,
    DEALINGS,
    OUTCOME_RECORDS,
    OUTCOMES,
)

__all__ = [
    "CASHFLOWS",
    "CASHFLOW_RECORDS",
    "CUSTOMERS",
    "CUSTOMER_MATCHES",
    "CUSTOMER_RECORDS",
    "DEALINGS",
    "DEALING_RECORDS",
    "OUTCOMES",
    "OUTCOME_RECORDS",
    "attach_cashflows",
    "attach_dealings",
    "attach_outcomes",
    "build_customers",
    "company_of_number",
]

"""The bank's own customers, dealings, cash flows, outcomes."""

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
]

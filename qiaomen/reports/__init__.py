"""The company profile (one record for command line, interface and page), search, exports, the one-page brief.

``find_company`` tells what a key means, ``company_profile`` builds the record, ``brief_of`` cuts it to a page;
``build_search_index`` runs in the run and ``search_companies`` answers; ``write_csv`` and ``write_xlsx`` write lists
without live formulas. Reads lower faces through ``ProfileReads``; writes no store.
"""

from qiaomen.reports.briefs import brief_of
from qiaomen.reports.contacts import contact_to_refuse
from qiaomen.reports.exports import safe_text, table_rows, write_csv, write_xlsx
from qiaomen.reports.hiding import (
    FROM_CUSTOMERS,
    IN_BANK,
    OWN_BOOKS,
    foreign_of,
    inside_kinds,
    inside_tags,
    seen_index,
)
from qiaomen.reports.model import (
    Brief,
    CompanyChoice,
    CompanyProfile,
    Contact,
    Coverage,
    CustomerHead,
    DataDate,
    Head,
    Line,
    ProductFit,
    Trade,
    Way,
)
from qiaomen.reports.profile import company_profile, find_company, subject_of
from qiaomen.reports.reads import FileReads, HeldReads, ProfileReads
from qiaomen.reports.redaction import persons_named
from qiaomen.reports.search import Hit, build_search_index, search_companies
from qiaomen.reports.words import Words, load_words, money

__all__ = [
    "FROM_CUSTOMERS",
    "IN_BANK",
    "OWN_BOOKS",
    "Brief",
    "CompanyChoice",
    "CompanyProfile",
    "Contact",
    "Coverage",
    "CustomerHead",
    "DataDate",
    "FileReads",
    "Head",
    "HeldReads",
    "Hit",
    "Line",
    "ProductFit",
    "ProfileReads",
    "Trade",
    "Way",
    "Words",
    "brief_of",
    "build_search_index",
    "company_profile",
    "contact_to_refuse",
    "find_company",
    "foreign_of",
    "inside_kinds",
    "inside_tags",
    "load_words",
    "money",
    "persons_named",
    "safe_text",
    "search_companies",
    "seen_index",
    "subject_of",
    "table_rows",
    "write_csv",
    "write_xlsx",
]

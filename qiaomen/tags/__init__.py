"""Profile tags as declared rules."""

from qiaomen.tags.apply import apply_tags, coverage, missing_tables, tag_memberships, tagged_rows
from qiaomen.tags.catalogue import GROUPS, SizeStandard, Tag, load_size_standards, load_tags, needed_tags
from qiaomen.tags.conditions import Condition, check_columns, compile_condition, describe, holds
from qiaomen.tags.examples import EXAMPLES_AS_OF, check_examples
from qiaomen.tags.explain import Explanation, Trial, why
from qiaomen.tags.relational import size_rank
from qiaomen.tags.tables import COMPANY_TAGS, LIST_TAG_RECORDS

__all__ = [
    "COMPANY_TAGS",
    "EXAMPLES_AS_OF",
    "GROUPS",
    "LIST_TAG_RECORDS",
    "Condition",
    "Explanation",
    "SizeStandard",
    "Tag",
    "Trial",
    "apply_tags",
    "check_columns",
    "check_examples",
    "compile_condition",
    "coverage",
    "describe",
    "holds",
    "load_size_standards",
    "load_tags",
    "missing_tables",
    "needed_tags",
    "size_rank",
    "tag_memberships",
    "tagged_rows",
    "why",
]

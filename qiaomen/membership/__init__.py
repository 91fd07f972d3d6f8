"""The one membership shape, the bitmap index, the screening language; knows no owner."""

from qiaomen.membership.tables import MEMBERSHIPS

__all__ = ["MEMBERSHIPS"]

"""The one error tree.

Each error has a stable ``code`` and a message that says what is wrong and what to do::

    QiaomenError
    ├── InputRejected     a file, row or argument cannot be accepted
    ├── NotAllowed        the viewer may know of the thing but may not do this
    ├── NotFound          it does not exist, or the viewer may not know that it does
    ├── Conflict          somebody else changed it first, or the state forbids it
    ├── Unavailable       a part of the system or of the machine is missing or full
    └── CatalogInvalid    a declared rule is wrong; names file and line
"""

from __future__ import annotations


class QiaomenError(Exception):
    """Root of all errors that a user may see.

    ``where`` names the file and line if there is one, ``remedy`` says what to do next (both in Chinese).
    """

    code = "error"

    def __init__(self, message: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        place = f"{self.where}：" if self.where else ""
        advice = f"。处理办法：{self.remedy}" if self.remedy else ""
        return f"{place}{self.message}{advice}"


class InputRejected(QiaomenError):
    """A file, row or argument cannot be accepted."""

    code = "input_rejected"


class NotAllowed(QiaomenError):
    """The viewer may not do this."""

    code = "not_allowed"


class NotFound(QiaomenError):
    """The thing does not exist, or the viewer may not know that it does."""

    code = "not_found"


class Conflict(QiaomenError):
    """Somebody else changed the thing first, or its state forbids the change."""

    code = "conflict"


class Unavailable(QiaomenError):
    """A part of the system or of the machine is missing, busy or full."""

    code = "unavailable"


class CatalogInvalid(QiaomenError):
    """A declared rule is wrong."""

    code = "catalog_invalid"

"""Qiaomen (敲门): whom to call on, why now, and who can open the door.

Folders are ranked; a folder imports any lower rank and only from another folder's face (its ``__init__``).
See ``docs/architecture.md``.
"""

__version__ = "0.1.0"

"""Notes in the audit log when settings or the bank's own rules changed: they are files that no transaction guards.

At the start of each run the hash of every overlay file and of the settings is compared with the last note.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

from qiaomen.bank import audit, newest_detail
from qiaomen.jobs.workspace import Workspace
from qiaomen.store import reading, writing

ACTION: Final = "change.rules"
_SECRET: Final = ("secret", "password", "key", "url")


def rules_state(workspace: Workspace) -> dict[str, str]:
    """Return a short hash of the settings, secrets left out, and of each overlay file by its path."""
    values = json.loads(workspace.settings.model_dump_json())
    plain = {name: value for name, value in values.items() if not any(word in name for word in _SECRET)}
    found = {"settings": _short(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode())}
    overlay = workspace.overlay
    if overlay is not None:
        for path in sorted(overlay.rglob("*")):
            if path.is_file():
                found[path.relative_to(overlay).as_posix()] = _short(path.read_bytes())
    return found


def note_rules(workspace: Workspace) -> bool:
    """Note the state of settings and rules where it differs from the last one noted, and say whether it did."""
    state = rules_state(workspace)
    with reading(workspace.sql) as connection:
        last = newest_detail(connection, ACTION)
    if last is not None and last.get("state") == state:
        return False
    before = (last or {}).get("state", {})
    changed = sorted(name for name in {*state, *before} if state.get(name) != before.get(name))
    with writing(workspace.sql) as connection:
        audit(connection, None, ACTION, "rules", {"state": state, "changed": changed}, now=workspace.now())
    return True


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]

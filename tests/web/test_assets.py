"""The third-party files: no registry's address is committed, every used icon is listed, the pages' files are there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import qiaomen.web

ROOT = Path(__file__).parents[2]
WEB = Path(qiaomen.web.__file__).parent


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((ROOT / "frontend" / "package-lock.json").read_text(encoding="utf-8"))
    assert all("resolved" not in entry for entry in lock["packages"].values())
    assert all(entry.get("integrity") for name, entry in lock["packages"].items() if name)


def test_every_icon_on_the_pages_is_listed() -> None:
    listed = set(json.loads((ROOT / "frontend" / "vendor.json").read_text(encoding="utf-8"))["icons"])
    used: set[str] = set()
    for template in (WEB / "templates").glob("*.html"):
        used |= set(re.findall(r'icon\("([a-z0-9-]+)"', template.read_text(encoding="utf-8")))
    code = (WEB / "navigation.py").read_text(encoding="utf-8")
    used |= set(re.findall(r'Entry\("\w+", "[^"]+", "([a-z0-9-]+)"', code))
    assert used <= listed, used - listed


def test_the_vendor_files_and_their_licences_are_there() -> None:
    vendor = WEB / "static" / "vendor"
    for name in ("tabler.min.css", "echarts.min.js", "htmx.min.js", "sortable.min.js", "icons.svg", ".stamp"):
        assert (vendor / name).stat().st_size
    licences = json.loads((vendor / "licences" / "licences.json").read_text(encoding="utf-8"))
    assert all(row["license"] for row in licences)


def test_styles_and_scripts_load_nothing_from_elsewhere() -> None:
    for path in [*(WEB / "static").glob("*.css"), *(WEB / "static" / "js").glob("*.js")]:
        assert not re.search(r"https?://", path.read_text(encoding="utf-8")), path.name

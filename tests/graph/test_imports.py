"""The faces load nothing slow: kernels and solvers are imported when they are first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

SLOW = ("numba", "scipy", "pandas", "ibis", "duckdb", "pyroaring", "rapidfuzz")


@pytest.mark.parametrize("face", ["qiaomen.graph", "qiaomen.reach", "qiaomen.membership"])
def test_faces_are_light(face):
    code = f"import sys, {face}; print([name for name in {SLOW} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_compiled_kernels_go_where_they_are_told(tmp_path):
    code = (
        "import sys; from pathlib import Path; from qiaomen.graph import use_cache; "
        "use_cache(Path(sys.argv[1])); import numpy as np; from qiaomen.graph import kernels; "
        "kernels._among(np.arange(3), 2)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert list(tmp_path.rglob("*.nbi"))

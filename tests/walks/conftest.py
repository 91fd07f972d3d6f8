"""One city for all walks: loaded, and run once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.walks.city import Demo, load_city, run_city


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The city loaded, not yet run; tests copy it before they change it."""
    return load_city(tmp_path_factory.mktemp("loaded") / "workspace")


@pytest.fixture(scope="session")
def city(loaded: Demo, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The city after one run; tests only read it."""
    demo = loaded.copy(tmp_path_factory.mktemp("city") / "workspace")
    run_city(demo)
    return demo


@pytest.fixture
def own_city(city: Demo, tmp_path: Path) -> Iterator[Demo]:
    """A copy of the city after its run, for a test that changes it."""
    yield city.copy(tmp_path / "workspace")

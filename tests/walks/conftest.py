"""One city for all walks: loaded, and run once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from soak.nursery import Nursery
from soak.stopping import Undisturbed, undisturbed
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


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Starts work in processes of its own that a test may kill."""
    with Nursery() as found:
        yield found


@pytest.fixture(scope="session")
def reference(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The bank of 500 companies after undisturbed work; tests only read it."""
    return undisturbed(nursery, tmp_path_factory.mktemp("undisturbed") / "bank")

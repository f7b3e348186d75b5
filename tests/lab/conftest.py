"""Tests of one file run in one worker, which compiles its kernels and runs its network once."""

import pytest

SHARING = {"test_cores", "test_sources_agree"}  # the same runs of the shipped cores


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "lab" in item.path.parts:
            name = "cores" if item.path.stem in SHARING else item.path.stem
            item.add_marker(pytest.mark.xdist_group(name))

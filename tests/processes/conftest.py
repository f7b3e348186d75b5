"""Tests that start processes run one after another, in one worker: they measure times, and share a
running network between files."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "processes" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("processes"))

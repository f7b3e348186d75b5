"""The client's door: what it exports, and that it loads nothing heavy before it is asked."""

import subprocess
import sys
from pathlib import Path

import client

FOLDER = Path(client.__file__).parent


def test_every_exported_name_is_there() -> None:
    for name in client.__all__:
        assert getattr(client, name) is not None


def test_no_export_is_shadowed_by_a_module_of_its_name() -> None:
    modules = {path.stem for path in FOLDER.glob("*.py")}
    assert not modules & set(client.__all__)


def test_importing_the_door_loads_no_library() -> None:
    code = "import sys, client; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "client" in loaded
    heavy = {"pydantic", "twisted", "apsw", "x3dh", "doubleratchet", "cryptography", "nacl"}
    assert not heavy & set(loaded)


def test_an_unknown_name_is_an_ordinary_attribute_error() -> None:
    assert not hasattr(client, "no_such_name")

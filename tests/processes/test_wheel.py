"""The wheel alone, in an empty folder: everything it needs is in it, and nothing it should not."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SECONDS = 700  # everything must be there within 600 of the last kill
SECRET = re.compile(rb"BEGIN [A-Z ]*PRIVATE KEY|passphrase\s*=\s*['\"]\w")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the wheel is installed, ahead of the checkout on the import path."""
    target = tmp_path_factory.mktemp("installed")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    options = ["--disable-pip-version-check", "--target", str(target)]
    subprocess.run([*install, *options, str(wheel)], check=True, capture_output=True)
    return target


def test_holds_the_packages_and_no_key(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
        packages = {"hushmill", "pki", "mixnode", "provider", "client", "experiments"}
        assert tops == packages
        assert [name for name in names if SECRET.search(archive.read(name))] == []
        assert [name for name in names if name.endswith((".key", ".pem", ".pass"))] == []


def test_the_demo_runs_from_the_wheel_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    """With a mix, a provider and a daemon killed in the middle; and it leaves nothing behind."""
    home, scratch, work = tmp_path / "home", tmp_path / "scratch", tmp_path / "work"
    for folder in (home, scratch, work):
        folder.mkdir()
    environment = {
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(installed),
    }
    where = subprocess.run(
        [sys.executable, "-P", "-c", "import client; print(client.__file__)"],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(installed))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "hushmill", "demo", "--json", "--kill", "--suite", "x25519"],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["v"] == 1
    assert record["ok"] is True
    assert all(message["delivered"] for message in record["messages"])
    assert record["file"]["delivered"]
    assert set(record["observer"]) == {
        *("sender_entropy_bits", "max_bits", "replicates", "interval", "quality"),
        *("packet", "corrupt"),
    }
    assert set(record["packets"]) >= {"payload", "loop", "drop"}
    # Kernels of the laboratory's loops are kept compiled where numba is installed, as it is here.
    kernels = home / ".cache" / "hushmill" / "kernels"
    if kernels.exists():
        shutil.rmtree(kernels)
        kernels.parent.rmdir()
        kernels.parent.parent.rmdir()
    left = [path for folder in (home, scratch, work) for path in folder.rglob("*")]
    assert left == []

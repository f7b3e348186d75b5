"""Where a run's figures come from: which code, which libraries, which machine, which seeds."""

import hashlib
import importlib.util
import platform
import shutil
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import msgspec

from experiments.lab.runs.code import code_hash, code_root
from experiments.lab.runs.plan import Plan, spawn_key_of
from hushmill import __version__

LOCK = "requirements-lab.lock"
LIBRARIES = ("numpy", "numba", "matplotlib", "distributed", "msgspec")


class Provenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`commit` and `is_dirty` are None outside a checkout, `lock_sha256` where no lock lies, and a
    library's version where it is not installed. `spawn_keys` has one entry a replicate: replicate
    r of every point draws from SeedSequence(seed, spawn_key=spawn_keys[r])."""

    version: str
    commit: str | None
    is_dirty: bool | None
    code_sha256: str
    lock_sha256: str | None
    installed_sha256: str
    seed: int
    spawn_keys: tuple[tuple[int, ...], ...]
    python: str
    libraries: dict[str, str | None]
    platform: str


def provenance_of(plan: Plan, module: str) -> Provenance:
    """What stands here and now for the experiment in `module`; nothing of it is a time or the name
    of a host or a person."""
    root = code_root()
    lock = root / LOCK
    return Provenance(
        version=__version__,
        commit=_git(root, "rev-parse", "HEAD"),
        is_dirty=_is_dirty(root),
        code_sha256=code_hash(module),
        lock_sha256=hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None,
        installed_sha256=_installed_hash(),
        seed=plan.sweep.seed,
        spawn_keys=tuple(spawn_key_of(replicate) for replicate in range(plan.sweep.replicates)),
        python=platform.python_version(),
        libraries={name: _version_of(name) for name in LIBRARIES},
        platform=f"{platform.system()} {platform.machine()} {platform.libc_ver()[1]}".strip(),
    )


def is_installed(module: str) -> bool:
    """Whether an optional library can be imported; it is not."""
    return importlib.util.find_spec(module) is not None


def _is_dirty(root: Path) -> bool | None:
    said = _git(root, "status", "--porcelain")
    return None if said is None else bool(said)


def _git(root: Path, *words: str) -> str | None:
    """What git says of the checkout at `root`, or None if there is no checkout or no git. A `.git`
    further up belongs to somebody else's project."""
    program = shutil.which("git")
    if program is None or not (root / ".git").exists():
        return None
    command = [program, "-C", str(root), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (git itself, our own words)
    return done.stdout.strip() if done.returncode == 0 else None


@lru_cache(maxsize=1)
def _installed_hash() -> str:
    """A hash over the names and versions of every installed distribution."""
    found = {f"{one.metadata['Name']}=={one.version}".lower() for one in distributions()}
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()


def _version_of(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

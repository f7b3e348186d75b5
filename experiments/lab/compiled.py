"""Kernels: loops over arrays that run compiled where numba is installed, and as they stand
elsewhere.

A person's demo reads some thousand events and needs no compiler; a million messages do. One text
serves both, so that the figures of the demo come from the code that the laboratory is tested by.
"""

import hashlib
import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from platformdirs import user_cache_path

from hushmill.errors import ExitCode, UserError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

numba: Any  # None where the extra `lab` is not installed
try:
    numba = importlib.import_module("numba")
except ModuleNotFoundError:
    numba = None

KEPT_FOLDERS = 4  # of compiled kernels: this text's, and those of a few other checkouts


def kernel(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """`function`, compiled at its first call if numba is there.

    It may use numbers, numpy arrays, loops and other kernels, and gives the same result either way.
    """
    if numba is None:
        return function
    compiled: Callable[Arguments, Result] = numba.njit(cache=True)(function)
    return compiled


def require_compiler() -> None:
    """Raises UserError(CONFIGURATION) without numba: a million messages would take hours."""
    if numba is None:
        raise UserError(
            "The laboratory needs the extra `lab` (numba, matplotlib). In a checkout: make lab. "
            "Elsewhere: pip install 'hushmill[lab]'.",
            ExitCode.CONFIGURATION,
        )


def _cache_folder() -> Path:
    """Where compiled kernels are kept: a folder of this very text of all kernels.

    numba looks at the date of a kernel's own file alone; a kernel that calls one of another file
    would go on running that one's old text.
    """
    text = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        data = path.read_bytes()
        if b"@kernel" in data:
            text.update(hashlib.sha256(data).digest())
    folders = user_cache_path("hushmill") / "kernels"
    ours = folders / text.hexdigest()[:16]
    if not ours.exists():
        _sweep(folders)
    return ours


def _sweep(folders: Path) -> None:
    """Removes the folders that were not made lately, so that edits do not fill the disk."""
    by_age = sorted(folders.glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in by_age[KEPT_FOLDERS - 1 :]:
        shutil.rmtree(old, ignore_errors=True)


if numba is not None:
    numba.config.CACHE_DIR = str(_cache_folder())

"""Which text of the program an experiment's figures depend on, as one hash.

Two runs of one configuration give the same figures if this text is the same (and the libraries
are), so it decides whether a run may go on and whether a cluster's worker may do its tasks. It is
the experiment's module, the engine, and whatever they import of ours, at any depth. Of the
product's packages, which load parts of themselves by name, the whole package counts.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

ENGINE = "experiments.lab.runs.engine"
WHOLE = ("hushmill", "pki", "mixnode", "provider", "client")
IMPORT = re.compile(r"^\s*(?:from|import) (\w+)", re.MULTILINE)
OURS = (*WHOLE, "experiments", "tests")


def code_root() -> Path:
    """The folder that holds the program's packages: a checkout, or where wheels are installed."""
    return Path(__file__).resolve().parents[3]


@lru_cache(maxsize=64)
def code_hash(module: str) -> str:
    """A hash over all files that the experiment in `module` depends on, as they are at the first
    call: the same on two machines exactly if these files are."""
    root = code_root()
    digest = hashlib.sha256()
    for path in sorted(code_files(module)):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def code_files(module: str) -> set[Path]:
    """The files themselves."""
    root = code_root()
    found: set[Path] = set()
    waiting = [module, ENGINE]
    while waiting:
        for path in _files_of(root, waiting.pop()):
            if path not in found:
                found.add(path)
                waiting += _imported(path)
    return found


def _files_of(root: Path, module: str) -> Iterator[Path]:
    """A module's file and those of the packages around it; nothing for what is not ours."""
    steps = module.split(".")
    if steps[0] not in OURS:
        return
    if steps[0] in WHOLE:
        yield from (root / steps[0]).rglob("*.py")
        return
    for depth in range(1, len(steps) + 1):
        path = root.joinpath(*steps[:depth])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                yield file


def _imported(path: Path) -> Iterator[str]:
    """Every module that a file may import, wherever in it. A name that is imported from a package
    may be a module of its own. Of a package that counts whole, only the first word matters."""
    if path.relative_to(code_root()).parts[0] in WHOLE:
        yield from IMPORT.findall(path.read_text(encoding="utf-8"))
        return
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)

"""Every arrow of docs/architecture.md and every outside library in its place, from the AST."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ARROWS = {
    "hushmill": set(),
    "pki": {"hushmill"},
    "mixnode": {"hushmill", "pki"},
    "provider": {"hushmill", "pki", "mixnode"},
    "client": {"hushmill", "pki"},
    "experiments": {"hushmill", "pki", "mixnode", "provider", "client"},
}
FLAT = {
    "codec",
    "core",
    "drops",
    "errors",
    "identifiers",
    "parameters",
    "randomness",
    "token_bucket",
}
INSIDE = {
    "crypto": FLAT,
    "packet": FLAT | {"crypto"},
    "traffic": FLAT | {"crypto"},
    "link": FLAT | {"crypto"},
    "runtime": FLAT | {"crypto", "link"},
}
# An outside library, and the only places (path prefixes) that may import it.
PLACES = {
    "nacl": ("hushmill/crypto/",),
    "cryptography": ("hushmill/crypto/",),
    "OpenSSL": ("hushmill/runtime/",),
    "x3dh": ("client/handshake.py",),
    "xeddsa": ("client/handshake.py", "client/bundle.py", "client/identity.py"),
    "doubleratchet": ("client/ratchet.py",),
    "numpy": ("experiments/",),
    "random": ("experiments/",),
    "time": ("hushmill/runtime/", "experiments/"),
    # A certificate's dates are constants; no clock is read for them.
    "datetime": ("hushmill/runtime/", "hushmill/crypto/certificate.py", "experiments/"),
    "pickle": (),
    "marshal": (),
    "prometheus_client": ("mixnode/metrics.py",),
    "sphinxmix": ("experiments/oracle/",),
    "petlib": ("experiments/oracle/",),
}
SERVICES = ("service", "commands", "pacer_process", "rpc_server")


def product_files() -> list[Path]:
    return [path for package in ARROWS for path in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Each absolute module name that a file imports, with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} relative import"
            yield str(node.module), node.lineno


def arrow_fault(path: Path, module: str) -> str | None:
    """What is wrong with `path` importing `module` of ours, or None."""
    here, there = path.relative_to(ROOT).parts, module.split(".")
    if there[0] not in ARROWS:
        return "tests are imported by nothing" if there[0] == "tests" else None
    if there[0] != here[0]:
        if there[0] not in ARROWS[here[0]]:
            return f"no arrow from {here[0]} to {there[0]}"
        depth = 2 if there[0] == "hushmill" else 1
        return f"past the door of {'.'.join(there[:depth])}" if len(there) > depth else None
    if here[0] != "hushmill" or len(here) < 3 or len(there) < 2 or there[1] == here[1]:
        return None
    if there[1] not in INSIDE[here[1]]:
        return f"no arrow from hushmill.{here[1]} to hushmill.{there[1]}"
    return f"past the door of hushmill.{there[1]}" if len(there) > 2 else None


@pytest.mark.parametrize("path", product_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_keeps_every_arrow_and_place(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    for module, line in imports(path):
        assert (fault := arrow_fault(path, module)) is None, f"{name}:{line} {module}: {fault}"
        top = module.split(".")[0]
        assert name.startswith(PLACES.get(top, ("",))), f"{name}:{line} {top} out of its place"
        if top == "twisted":
            at_home = name.startswith(("hushmill/runtime/", "experiments/"))
            assert at_home or path.stem.startswith(SERVICES), f"{name}:{line} Twisted in a core"
        if top == "apsw":
            stores = path.stem.startswith("store") or name.startswith("experiments/")
            assert stores, f"{name}:{line} SQL"


@pytest.mark.parametrize("path", product_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_stays_small_and_evaluates_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec"}, f"{path}:{node.lineno}"


def test_sees_a_broken_arrow() -> None:
    core = ROOT / "mixnode" / "core.py"
    assert arrow_fault(core, "client") == "no arrow from mixnode to client"
    assert arrow_fault(core, "pki.consensus") == "past the door of pki"
    assert arrow_fault(core, "hushmill.packet.wrap") == "past the door of hushmill.packet"
    assert arrow_fault(ROOT / "hushmill/link/commands.py", "hushmill.packet") is not None
    assert arrow_fault(core, "hushmill.packet") is None

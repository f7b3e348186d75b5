"""The oracle's own environment: `sphinxmix` cannot live beside the product's dependencies.

It and `petlib` are source-only, so a compiler and the headers of OpenSSL and Python must be there;
on Debian as root they are installed when missing.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parent.parent / ".oracle"
DEBIAN_PACKAGES = ("gcc", "libc6-dev", "libssl-dev", "libffi-dev")
PROBE = "#include <Python.h>\n#include <openssl/evp.h>\nint main(void) { return 0; }\n"


class NoCompilerError(Exception):
    """Nothing here can build the classical reference."""


def has_compiler() -> bool:
    """Whether a program with both headers compiles."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return False
    include = sysconfig.get_path("include")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.c"
        source.write_text(PROBE, encoding="ascii")
        command = [compiler, f"-I{include}", "-fsyntax-only", str(source)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own words


def install_compiler() -> None:
    """From Debian, when we may."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    packages = [*DEBIAN_PACKAGES]
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        packages.append("python3-dev")
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", *packages]):
        subprocess.run(command, env=quiet, check=False, stdout=subprocess.DEVNULL)  # noqa: S603 - our own words


def oracle_python() -> Path:
    """The interpreter of an environment that holds exactly what the locks name.

    Raises NoCompilerError when it cannot be built here.
    """
    python = FOLDER / "bin" / "python"
    locks = [HERE / "build.lock", HERE / "requirements.lock"]
    wanted = "".join(lock.read_text(encoding="utf-8") for lock in locks)
    built = FOLDER / "built"
    if built.exists() and built.read_text(encoding="utf-8") == wanted:
        return python
    if not has_compiler():
        install_compiler()
        if not has_compiler():
            raise NoCompilerError
    shutil.rmtree(FOLDER, ignore_errors=True)
    run = [sys.executable, "-m", "venv", str(FOLDER)]
    subprocess.run(run, check=True)  # noqa: S603 - our own words
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # The locks name everything. Left to look for dependencies, pip takes a newer release of one
    # that is asked for by an extra, and then refuses it for want of a hash.
    pip += ["--require-hashes", "--no-deps"]
    subprocess.run([*pip, "--only-binary", ":all:", "-r", str(locks[0])], check=True)  # noqa: S603 - our own words
    subprocess.run([*pip, "--no-build-isolation", "-r", str(locks[1])], check=True)  # noqa: S603 - our own words
    built.write_text(wanted, encoding="utf-8")
    return python

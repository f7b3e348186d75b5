"""Plants known bugs in a copy of the tree, one at a time, and shows that each turns tests red.

A suite that cannot catch these is not a suite. Run by `make plant`, and by one test on the first.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
COPIED = ("hushmill", "pki", "mixnode", "provider", "client", "experiments", "tests", "docs")
SECONDS = 600


@dataclass(frozen=True, slots=True)
class Bug:
    """`old`, which stands once in `file`, becomes `new`; one of `tests` must then fail. One that
    `takes_long` is planted by `make plant` and `make soak` alone."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    takes_long: bool = False


BUGS: tuple[Bug, ...] = (
    Bug(
        name="acknowledge-before-commit",
        file="client/reception.py",
        old="""        with self._store.transaction():
            try:
                return self._take(""",
        new="""        # Commits with the next mail: the provider has deleted this one by then.
        if self._store.connection.in_transaction:
            self._store.connection.execute("COMMIT")
        self._store.connection.execute("BEGIN")
        if item:
            try:
                return self._take(""",
        tests=("tests/client/test_convergence.py", "tests/simulation/test_delivery.py"),
    ),
    Bug(
        name="replay-log-not-synced",
        file="mixnode/replay_log.py",
        old="            os.fdatasync(self._descriptor)\n",
        new="",
        tests=("tests/mixnode/test_replay_log.py",),
    ),
    Bug(
        name="packet-leaves-before-the-sync",
        file="mixnode/strategies.py",
        old="        if batch is None:\n            self._free(None)\n",
        new="        self._free(batch)\n",
        tests=("tests/mixnode/test_mix_core.py",),
    ),
    Bug(
        name="replay-log-not-synced-at-a-power-loss",
        file="mixnode/replay_log.py",
        old="            os.fdatasync(self._descriptor)\n",
        new="",
        tests=("tests/mixnode/test_power_loss.py",),
        takes_long=True,
    ),
    Bug(
        name="tags-logged-after-the-packet-left",
        file="mixnode/disk_work.py",
        old="        self._waiting.append(job)\n",
        new="""        self._waiting.append(job)
        if isinstance(job, LogTags):
            self._on_synced(job.batch)
""",
        tests=("tests/mixnode/test_power_loss.py",),
    ),
    Bug(
        name="torn-tail-not-cut-off",
        file="mixnode/replay_log.py",
        old="        os.ftruncate(descriptor, length)\n",
        new="",
        tests=("tests/mixnode/test_power_loss.py",),
        takes_long=True,
    ),
    Bug(
        name="names-of-keys-not-synced",
        file="mixnode/node_keys.py",
        old="        os.rename(beside, path)\n        sync_directory(self._directory)\n",
        new="        os.rename(beside, path)\n",
        tests=("tests/mixnode/test_power_loss.py",),
        takes_long=True,
    ),
    Bug(
        name="retry-encrypts-again",
        file="client/outbox.py",
        old="                    return self._store.parcels.read(key)\n",
        new="""                    stored = self._store.sessions.load(contact)
                    if self._store.parcels.tries(key) and stored is not None:
                        stored.session.encrypt(b"the same words")
                        self._store.sessions.save(stored)
                    return self._store.parcels.read(key)
""",
        tests=("tests/client/test_outbox.py",),
    ),
    Bug(
        name="biased-retry-route",
        file="client/slots.py",
        old="        packet = self._wrap(slot, network, cargo.provider,",
        new="""        while cargo.fragment is not None and slot.mixes[0].node % 2:
            slot.mixes = choose_mixes(
                network.consensus, network.epoch, self._parameters, self._geometry.kem, self._rng
            )
        packet = self._wrap(slot, network, cargo.provider,""",
        tests=("tests/client/test_slots.py",),
    ),
    # The mix core's own tests send from a provider, and see nothing of it.
    Bug(
        name="packets-of-other-mixes-wait-half",
        file="mixnode/mix_core.py",
        old="                content, due = SendPacket(next_node, packet), came + delay_seconds\n",
        new="""                content = SendPacket(next_node, packet)
                known = None if self._consensus is None else self._consensus.node(event.source)
                is_of_mix = known is not None and known.role == "mix"
                due = came + delay_seconds / (2 if is_of_mix else 1)
""",
        tests=(
            "tests/lab/test_sources_agree.py::test_the_cores_agree_with_the_vectorised_simulator",
        ),
    ),
)


def plant(bug: Bug, tree: Path) -> None:
    """Writes the bug into a fresh copy of the project at `tree`."""
    for name in COPIED:
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    path = tree / bug.file
    text = path.read_text(encoding="utf-8")
    if text.count(bug.old) != 1:
        raise SystemExit(f"{bug.name}: the code to change stands {text.count(bug.old)} times")
    path.write_text(text.replace(bug.old, bug.new), encoding="utf-8")


def failure(bug: Bug, tree: Path) -> str:
    """The test that the planted bug turned red, and why; raises SystemExit where none did."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-rf", *bug.tests],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    red = [line for line in done.stdout.split("\n") if line.startswith("FAILED ")]
    if done.returncode != 1 or not red:
        raise SystemExit(f"{bug.name}: NOT caught\n{done.stdout[-2000:]}")
    return red[0].removeprefix("FAILED ")


def show(bug: Bug) -> str:
    """Plants one bug and says how the tests took it."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        tree.mkdir()
        plant(bug, tree)
        return failure(bug, tree)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="bugs to plant (all, if none is named)")
    chosen = parser.parse_args().names
    for bug in BUGS:
        if not chosen or bug.name in chosen:
            sys.stdout.write(f"{bug.name}: caught by {show(bug)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

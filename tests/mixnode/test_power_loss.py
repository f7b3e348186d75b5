"""Keys, logs and core of a node on a disk that loses what was not synced. Spec: docs/spec/mixing.md
(Replay log). Each seed is a node of four lives, which end by a power loss or a kill anywhere."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mixnode.life_on_disk import Machine

LIVES = 3  # before the last one, in which everything recorded is offered again
SEEDS = 24
SEEDS_OF_THE_SOAK = 2000


def _run(seed: int, folder: Path, syncs_are_lies: bool = False) -> Machine:
    with pytest.MonkeyPatch.context() as patch:
        machine = Machine(seed, folder / str(seed), patch)
        machine.disk.syncs_are_lies = syncs_are_lies
        machine.lives(LIVES)
    return machine


def _check(seeds: range, folder: Path) -> Counter[str]:
    """What the seeds exercised; every one of them has been found right."""
    facts: Counter[str] = Counter()
    for seed in seeds:
        machine = _run(seed, folder)
        assert set(machine.left.values()) <= {1}, f"seed {seed}: a packet left twice"
        assert machine.keys_lost == 0, f"seed {seed}: a power loss cost a key that was made"
        facts += machine.facts + machine.disk.facts
        facts["offered again"] += len(machine.recorded)
        facts["left"] += len(machine.left)
    assert facts["fresh left"] == facts["fresh"] > 0
    return facts


EXERCISED = (
    "images",
    "writes lost",
    "writes torn",
    "tails cut",
    "names lost",
    "renames lost",
    "erasures",
)


def test_nothing_leaves_twice_whatever_a_power_loss_leaves_of_the_disk(tmp_path: Path) -> None:
    facts = _check(range(SEEDS), tmp_path)
    assert all(facts[what] > 0 for what in EXERCISED), facts


def test_it_would_show_a_log_that_is_not_synced(tmp_path: Path) -> None:
    """Some of the same seeds on a disk whose fdatasync does nothing: packets leave twice."""
    machines = [_run(seed, tmp_path, syncs_are_lies=True) for seed in range(SEEDS // 2)]
    assert sum(max(machine.left.values(), default=0) > 1 for machine in machines) > 1


@pytest.mark.soak
def test_nothing_leaves_twice_on_2000_seeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = _check(range(SEEDS_OF_THE_SOAK), tmp_path)
    assert all(facts[what] > 10 for what in EXERCISED), facts
    with capsys.disabled():
        sys.stdout.write(
            "\npower loss: "
            + ", ".join(f"{what} {n:,}" for what, n in sorted(facts.items()))
            + "\n"
        )

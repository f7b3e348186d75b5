"""No bytes crash a decoder on a packet's way, make it grow, or go uncounted. See `fuzz.py`."""

import pytest

from tests.mixnode.fuzz import BLOCKS_ALLOWED, VALUE, Report, fuzz, targets

NAMES = (
    "frame",
    "packet-xwing",
    "packet-x25519",
    "bare-packet",
    "core-mix",
    "core-provider",
    "directory-frames",
    "replay-log",
    "node.toml",
    "status.json",
)
MILLION = 1_000_000


def _hold_to_account(report: Report) -> None:
    assert sum(report.outcomes.values()) == report.inputs
    assert report.outcomes[VALUE] > 0, "nothing valid came through: the seeds are of no use"
    assert len(report.outcomes) > 1, "nothing was refused"
    assert report.grown_blocks <= BLOCKS_ALLOWED, report


def test_every_decoder_takes_a_few_hundred_hostile_inputs() -> None:
    with targets() as found:
        assert [target.name for target in found] == list(NAMES)
        for target in found:
            _hold_to_account(fuzz(target, target.inputs // 250, seed=1))


def test_a_decoder_that_keeps_what_it_saw_is_found_out() -> None:
    """The measure of growth sees what it is for."""
    kept: list[bytes] = []
    with targets() as found:
        frame = found[0]

        def keeping(data: bytes) -> str:
            kept.append(bytes(bytearray(data)))
            return frame.action(data)

        leaking = type(frame)(frame.name, 4_000, frame.seeds, keeping)
        report = fuzz(leaking, 4_000, seed=1)
    assert report.grown_blocks > BLOCKS_ALLOWED


@pytest.mark.soak
def test_a_million_hostile_inputs() -> None:
    inputs = 0
    with targets() as found:
        for target in found:
            report = fuzz(target, target.inputs, seed=2)
            _hold_to_account(report)
            inputs += report.inputs
    assert inputs >= MILLION

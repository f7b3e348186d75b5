"""Ticks depend on rates and randomness alone."""

import pytest

from client import FillSlot, LinkDown, LinkUp, PacerCore, SendFrame, SlotTaken, Stream
from client.pacer import SLOTS_KEPT
from experiments.simnet.seeded import SeededRandomness
from hushmill.parameters import Parameters

RATES = Parameters(payload_rate=1.0, loop_rate=0.2, drop_rate=0.2)
START = 1_000.0


def pacer(seed: int = 1) -> PacerCore:
    return PacerCore(RATES, SeededRandomness(seed, "pacer"))


def fill(number: int, revision: int = 0, stream: Stream = Stream.PAYLOAD) -> FillSlot:
    return FillSlot(stream, number, revision, b"\x11" + bytes(4) + b"%d.%d" % (number, revision))


def ticks(core: PacerCore, until: float) -> list[tuple[float, SendFrame, SlotTaken]]:
    """What leaves, and when."""
    left: list[tuple[float, SendFrame, SlotTaken]] = []
    while (deadline := core.next_deadline()) is not None and deadline <= until:
        effects = core.advance(deadline)
        assert len(effects) in (0, 2)
        if effects:
            sent, taken = effects
            assert isinstance(sent, SendFrame)
            assert isinstance(taken, SlotTaken)
            left.append((deadline, sent, taken))
    return left


def test_the_times_do_not_depend_on_what_is_filled_or_when() -> None:
    early, late = pacer(), pacer()
    for core in (early, late):
        core.receive(LinkUp(), START)
    for number in range(SLOTS_KEPT):
        early.receive(fill(number), START)
        late.receive(fill(number, 3), START)
    late.receive(fill(SLOTS_KEPT - 1, 9), START + 0.001)
    times = [[when for when, _, _ in ticks(core, START + 60)] for core in (early, late)]
    assert times[0] == times[1]
    assert len(times[0]) > 30


def test_ticks_come_at_the_published_rates() -> None:
    core = pacer(7)
    core.receive(LinkUp(), START)
    ticks(core, START + 20_000)
    per_second = {stream: core.missed[stream] / 20_000 for stream in Stream}
    assert per_second[Stream.PAYLOAD] == pytest.approx(1.0, rel=0.05)
    assert per_second[Stream.LOOP] == pytest.approx(0.2, rel=0.1)
    assert per_second[Stream.DROP] == pytest.approx(0.2, rel=0.1)


def test_a_higher_revision_replaces_and_a_lower_does_not() -> None:
    core = pacer()
    core.receive(LinkUp(), START)
    for revision in (0, 2, 1):
        core.receive(fill(0, revision), START)
    (_, sent, taken), *rest = ticks(core, START + 30)
    assert sent.frame.endswith(b"0.2")
    assert taken == SlotTaken(Stream.PAYLOAD, 0, 2)
    assert rest == []


def test_a_taken_slot_is_never_filled_again() -> None:
    core = pacer()
    core.receive(LinkUp(), START)
    core.receive(fill(5), START)
    assert len(ticks(core, START + 30)) == 1
    core.receive(fill(5, 1), START + 30)
    core.receive(fill(4), START + 30)
    assert ticks(core, START + 60) == []
    core.receive(fill(6), START + 60)
    assert [taken.number for _, _, taken in ticks(core, START + 90)] == [6]


def test_a_tick_with_the_link_down_passes_and_the_frame_stays() -> None:
    core = pacer()
    core.receive(LinkUp(), START)
    core.receive(fill(0), START)
    core.receive(LinkDown(), START)
    assert ticks(core, START + 30) == []
    assert core.passed[Stream.PAYLOAD] > 10
    assert sum(core.missed.values()) == 0
    core.receive(LinkUp(), START + 30)
    assert [taken.number for _, _, taken in ticks(core, START + 60)] == [0]


def test_an_empty_slot_counts_a_miss() -> None:
    core = pacer()
    core.receive(LinkUp(), START)
    core.receive(fill(0), START)
    ticks(core, START + 30)
    assert core.missed[Stream.PAYLOAD] > 10


def test_frames_are_numbered_from_one_on_each_link_session() -> None:
    core = pacer()
    core.receive(LinkUp(), START)
    for number in range(4):
        core.receive(fill(number), START)
        core.receive(fill(number, stream=Stream.DROP), START)
    first = [sent.frame[1:5] for _, sent, _ in ticks(core, START + 60)]
    assert first == [number.to_bytes(4, "big") for number in range(1, 9)]
    core.receive(LinkDown(), START + 60)
    core.receive(LinkUp(), START + 60)
    core.receive(fill(4), START + 60)
    assert [sent.frame[1:5] for _, sent, _ in ticks(core, START + 90)] == [b"\0\0\0\1"]


def test_keeps_64_frames_a_stream_and_not_one_more() -> None:
    core = pacer()
    for number in range(SLOTS_KEPT):
        core.receive(fill(number), START)
    assert core.refused == 0
    core.receive(fill(SLOTS_KEPT), START)
    assert core.refused == 1
    core.receive(fill(0, 1), START)
    core.receive(fill(0, stream=Stream.LOOP), START)
    assert core.refused == 1


def test_no_burst_after_a_standstill() -> None:
    core = pacer()
    core.receive(LinkUp(), START)
    for number in range(SLOTS_KEPT):
        core.receive(fill(number), START)
    assert core.advance(START + 3_600) == []
    after = ticks(core, START + 3_660)
    assert 30 < len(after) < 64
    assert after[0][0] > START + 3_600

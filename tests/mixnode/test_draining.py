"""The end of a mix: what is due soon leaves, the rest is counted. Spec: docs/spec/mixing.md."""

import math

import pytest
from msgspec.structs import replace

from hushmill.drops import Drop
from mixnode import ConsensusChanged, Drain, LogTags, SendPacket, TagsSynced
from tests.mixnode.network import EPOCH, LAYERS, PARAMETERS, PROVIDERS, START, Network, run

MIX = LAYERS[0][0]
ENTRY = PROVIDERS[0]
LOOPING = replace(PARAMETERS, mix_loop_rate=1.0)
SLOW = replace(PARAMETERS, delay_mean_seconds=10.0)
UNTIL = START + 30.0


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


def test_what_is_due_by_then_leaves_and_the_rest_is_counted(network: Network) -> None:
    """A packet due at the last moment leaves; one due a millisecond later does not, whether it
    was held before or comes afterwards."""
    core = network.core(MIX, SLOW)
    for delay in (0.0, 30.0, 30.001, 90.0):
        core.receive(network.arrived(MIX, delay, ENTRY), START)
    core.receive(Drain(UNTIL), START)
    for delay in (30.0, 30.001):
        core.receive(network.arrived(MIX, delay, ENTRY), START)
    assert core.counters.drops[Drop.SHUTDOWN] == 3
    sent = [at for at, effect in run(core, START + 200) if isinstance(effect, SendPacket)]
    assert [round(at - START, 1) for at in sent] == [0.0, 30.0, 30.0]
    assert core.is_spent


def test_what_is_left_at_the_end_is_counted(network: Network) -> None:
    """A disk that never answers holds packets back: they are not forgotten without a word."""
    core = network.core(MIX)
    for _ in range(7):
        core.receive(network.arrived(MIX, 0.1, ENTRY), START)
    core.receive(Drain(UNTIL), START)
    deadline = core.next_deadline()
    assert deadline is not None
    assert [type(effect) for effect in core.advance(deadline)] == [LogTags]
    core.receive(Drain(-math.inf), UNTIL)
    assert core.counters.drops[Drop.SHUTDOWN] == 7
    assert core.is_spent
    core.receive(TagsSynced(1), UNTIL)
    assert core.advance(UNTIL + 1) == []


def test_sends_no_loops_any_more(network: Network) -> None:
    core = network.core(MIX, LOOPING)
    assert [e for _, e in run(core, START + 20) if isinstance(e, SendPacket)] != []
    core.receive(Drain(START + 50), START + 20)
    core.receive(ConsensusChanged(network.consensus, EPOCH), START + 21)
    assert [e for _, e in run(core, START + 60) if isinstance(e, SendPacket)] == []

"""A node's keys, disk thread and core on a recorded disk, through lives that end by power losses
and kills. What left in any life must never leave again."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from experiments.simnet.fast_kem import FastKem
from experiments.simnet.seeded import SeededRandomness
from hushmill.identifiers import Epoch, ReplayTag
from hushmill.packet import Forward, Packet, Unwrapped
from hushmill.randomness import below, choose, unit
from hushmill.runtime import Reactor
from mixnode import (
    Arrived,
    ConsensusChanged,
    EraseKeys,
    KeySchedule,
    LogTags,
    MixCore,
    MixEffect,
    MixLimits,
    NodeKeys,
    SendPacket,
    TagsSynced,
)
from mixnode.disk_work import DiskWork, MakeKeys
from tests.mixnode.network import EPOCH, LAYERS, PARAMETERS, PROVIDERS, Network
from tests.mixnode.recorded_disk import PowerLossError, RecordedDisk

MIX, NEXT = LAYERS[0][0], LAYERS[1][0]
SCHEDULE = KeySchedule(PARAMETERS)
LIMITS = MixLimits(tags_per_key=20_000)
STEPS = 150
CHANGES = 100  # of the disk in a life at most: a start makes half of them, a batch of tags two
BURSTS = (1, 1, 2, 40)  # packets of one read; 32 tags are a sector
NETWORK = Network("power loss")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A packet that somebody has kept; `public` is of the key that opens it."""

    unwrapped: Unwrapped
    public: bytes


class _Answers:
    """Of the disk's thread, until the test hands them on: as much of a reactor as it needs."""

    def __init__(self, disk: RecordedDisk) -> None:
        self.waiting: list[tuple[Callable[..., None], tuple[object, ...]]] = []
        self._disk = disk

    def callFromThread(self, function: Callable[..., None], *arguments: object) -> None:  # noqa: N802
        self.waiting.append((function, arguments))
        self._disk.wake()

    def hand_on(self) -> None:
        while self.waiting:
            function, arguments = self.waiting.pop(0)
            function(*arguments)


class Machine:
    """What outlives every life: the disk, what has left, and what an attacker has recorded."""

    def __init__(self, seed: int, folder: Path, patch: pytest.MonkeyPatch) -> None:
        folder.mkdir(parents=True)
        self.rng = SeededRandomness(seed, "power loss")
        self.disk = RecordedDisk(folder, patch)
        # About the time at which a key is erased, when two are open.
        self.now = SCHEDULE.erased_at(EPOCH) - 2 * unit(self.rng)
        self.left: Counter[bytes] = Counter()
        self.recorded: list[Recorded] = []
        self.made: dict[Epoch, bytes] = {}
        self.first_kept = Epoch(0)
        self.keys_lost = 0
        self.facts: Counter[str] = Counter()

    def lives(self, count: int) -> None:
        """The last one ends by itself, when everything recorded has been offered again."""
        for _ in range(count):
            self.disk.changes_left = below(self.rng, CHANGES)
            self._live(_Life.live)
            if below(self.rng, 4):
                self.disk.lose_power(self.rng)
            else:
                self.disk.restart()
            if below(self.rng, 3) == 0:
                self.now -= 5 * unit(self.rng)  # the clock that lives on a battery is a little late
        self.disk.changes_left = 10**9
        self._live(_Life.offer_everything)

    def _live(self, live: "Callable[[_Life], None]") -> None:
        life = None
        try:
            life = _Life(self)
            live(life)
        except PowerLossError:
            pass
        finally:
            self.disk.switch_off()
            if life is not None:
                life.end()


class _Life:
    """From a start to the end of the power."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        rng = machine.rng
        self._keys = NodeKeys(machine.disk.folder, FastKem(rng), MIX)
        machine.facts["keys destroyed"] += len(self._keys.destroyed)
        for epoch, public in machine.made.items():
            is_there = self._keys.public_keys([epoch]) == ((epoch, public),)
            machine.keys_lost += epoch >= machine.first_kept and not is_there
        machine.first_kept = max(machine.first_kept, SCHEDULE.first_kept(machine.now))
        self._keys.erase_before(SCHEDULE.first_kept(machine.now))
        self._make(SCHEDULE.published(machine.now)[:3])
        self._core = MixCore(
            MIX,
            "mix",
            PARAMETERS,
            NETWORK.format,
            rng,
            LIMITS,
            known_tags=self._keys.take_restored(),
            silent_epochs=self._keys.destroyed,
        )
        self._answers = _Answers(machine.disk)
        reactor: Reactor = self._answers  # type: ignore[assignment]
        self._work = DiskWork(reactor, self._keys, self._synced, _fail)
        self._core.receive(ConsensusChanged(NETWORK.consensus, EPOCH), machine.now)

    def live(self) -> None:
        machine = self._machine
        for _ in range(STEPS):
            if machine.disk.is_off:
                return
            what = below(machine.rng, 20)
            if what < 8:
                for _ in range(choose(machine.rng, BURSTS)):
                    self._offer(self._fresh() if below(machine.rng, 3) else self._old())
            elif what < 15:
                self._advance(machine.now + 0.01 * unit(machine.rng))
            elif what < 19:
                self._step_disk()
            else:
                self._work.submit(MakeKeys(SCHEDULE.published(machine.now)[1:5]))

    def offer_everything(self) -> None:
        """Everything recorded, and then fresh packets, which must leave."""
        for recorded in self._machine.recorded:
            self._offer(recorded)
        fresh = [self._fresh() for _ in range(20)]
        for recorded in fresh:
            self._offer(recorded)
        for _ in range(100):
            self._advance(self._machine.now + 0.02)
            while self._work._is_busy:
                self._step_disk()
        left = self._machine.left
        self._machine.facts["fresh"] += len(fresh)
        self._machine.facts["fresh left"] += sum(left[one.unwrapped.tag] for one in fresh)

    def end(self) -> None:
        """The process is gone. (Files are closed, which changes nothing on the disk.)"""
        self._work.stop()

    def _make(self, epochs: tuple[Epoch, ...]) -> None:
        self._keys.make(epochs)
        self._machine.made.update(self._keys.public_keys(epochs))

    def _fresh(self) -> Recorded:
        """A packet under one of the keys that are open."""
        machine = self._machine
        first, now = machine.first_kept, machine.now
        keys = [key for key in machine.made.items() if key[0] >= first]
        epoch, public = choose(
            machine.rng, [key for key in keys if SCHEDULE.accepts(key[0], now)] or keys
        )
        tag = ReplayTag(machine.rng.take(16))
        instruction = Forward(NEXT, 0.05 * unit(machine.rng), Packet(tag))
        recorded = Recorded(Unwrapped(tag, epoch, instruction), public)
        machine.recorded.append(recorded)
        return recorded

    def _old(self) -> Recorded:
        recorded = self._machine.recorded
        return choose(self._machine.rng, recorded) if recorded else self._fresh()

    def _offer(self, recorded: Recorded) -> None:
        """The node can read it when it has the key that it was made for."""
        epoch = recorded.unwrapped.epoch
        if self._keys.public_keys([epoch]) == ((epoch, recorded.public),):
            source = choose(self._machine.rng, PROVIDERS)
            self._core.receive(Arrived(source, recorded.unwrapped), self._machine.now)

    def _advance(self, now: float) -> None:
        machine = self._machine
        machine.now = now
        for effect in self._core.advance(now):
            self._perform(effect)

    def _perform(self, effect: MixEffect) -> None:
        machine = self._machine
        match effect:
            case SendPacket(_, packet):
                machine.left[packet.raw] += 1
            case LogTags() | EraseKeys():
                if isinstance(effect, EraseKeys):
                    machine.first_kept = max(machine.first_kept, effect.before)
                    machine.facts["erasures"] += 1
                self._work.submit(effect)
            case _:
                raise AssertionError("a mix delivers nothing")

    def _step_disk(self) -> None:
        """One change of the disk's thread; its answers are handed on now and then."""
        if self._work._is_busy:
            self._machine.disk.step(lambda: bool(self._answers.waiting))
        if self._machine.disk.is_off:
            raise PowerLossError
        self._answers.hand_on()

    def _synced(self, batch: int) -> None:
        self._core.receive(TagsSynced(batch), self._machine.now)


def _fail(error: OSError) -> None:
    raise error

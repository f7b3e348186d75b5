"""Traces written by hand, event by event, a second apart."""

import numpy as np

from experiments.lab.trace import NOBODY, Event, Genre, Trace

# An event, the mix, the message, and the person.
Step = tuple[Event, int, int, int]


def send(message: int, mix: int, person: int = 0) -> list[Step]:
    """From a person straight into a mix."""
    return [(Event.SEND, NOBODY, message, person), (Event.ARRIVE, mix, message, NOBODY)]


def move(message: int, mix: int, onto: int) -> list[Step]:
    """From one mix straight into the next."""
    return [(Event.DEPART, mix, message, NOBODY), (Event.ARRIVE, onto, message, NOBODY)]


def deliver(message: int, mix: int, person: int = 0) -> list[Step]:
    """From a mix straight to a person."""
    return [(Event.DEPART, mix, message, NOBODY), (Event.DELIVER, NOBODY, message, person)]


def trace_by_hand(*parts: list[Step], mixes: int = 2, people: int = 3) -> Trace:
    """Mixes are numbered by their layers, one mix a layer."""
    steps = [step for part in parts for step in part]
    kind, mix, message, label = (np.array(column) for column in zip(*steps, strict=True))
    return Trace(
        time=np.arange(len(steps), dtype=np.float64),
        kind=kind.astype(np.uint8),
        mix=mix.astype(np.int32),
        layer=mix.astype(np.int32),
        message=message.astype(np.int32),
        label=label.astype(np.int32),
        genre=np.full(int(message.max()) + 1, Genre.PAYLOAD, dtype=np.uint8),
        mixes=mixes,
        people=people,
    )

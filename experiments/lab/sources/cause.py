"""The order of cause: what has to stand before what in a trace. Every source keeps it.

Spec: docs/spec/laboratory.md (Trace).
"""

from dataclasses import dataclass

from experiments.lab.trace import NOBODY, Event, Trace

_PUTS_ON = (Event.SEND, Event.LOOP_SEND, Event.DEPART)
_PERSONS = (Event.SEND, Event.DELIVER)  # which have no mix, and alone may have a label
_ON_WIRE, _ENDED = -2, -3  # where a message is, if not at a mix


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the event of that place, in which column."""

    event: int
    column: str
    text: str


def cause_fault(trace: Trace) -> Fault | None:
    """The first event that cannot stand where it does; None for a trace in order.

    A message may begin with any event but a second SEND: its packet was under way, or held, before
    the trace began. It then is where that event needs it to be.
    """
    where: dict[int, int] = {}  # message → the mix that holds it, _ON_WIRE or _ENDED
    held: dict[int, set[int]] = {}
    before = float("-inf")
    columns = (trace.time, trace.kind, trace.mix, trace.layer, trace.message, trace.label)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for event, (time, number, mix, layer, message, label) in enumerate(rows):
        kind = Event(number)
        if time < before:
            return Fault(event, "time", f"{time:g} comes after {before:g}")
        before = time
        shape = _shape_fault(kind, mix, layer, message, label)
        if shape is not None:
            return Fault(event, *shape)
        if kind is Event.RESTART:
            for lost in held.pop(mix, set()):
                where[lost] = _ENDED
            continue
        place = _place_fault(kind, mix, message, where)
        if place is not None:
            return Fault(event, "kind", place)
        if where.get(message, NOBODY) >= 0:
            held.get(where[message], set()).discard(message)
        where[message] = _ON_WIRE if kind in _PUTS_ON else _ENDED
        if kind is Event.ARRIVE:
            where[message] = mix
            held.setdefault(mix, set()).add(message)
    return None


def _shape_fault(
    kind: Event, mix: int, layer: int, message: int, label: int
) -> tuple[str, str] | None:
    """Which columns an event of that kind has."""
    name = kind.name.lower()
    if kind in _PERSONS:
        if mix != NOBODY:
            return "mix", f"a {name} is at no mix, so it is -1"
        if layer != NOBODY:
            return "layer", f"a {name} is in no layer, so it is -1"
    else:
        if mix == NOBODY:
            return "mix", f"a {name} is at a mix"
        if layer == NOBODY:
            return "layer", f"a {name} is in a layer"
        if label != NOBODY:
            return "label", f"a {name} is nobody's, so it is -1"
    if (message == NOBODY) != (kind is Event.RESTART):
        return "message", "every event but a restart is a message's"
    return None


def _place_fault(kind: Event, mix: int, message: int, where: dict[int, int]) -> str | None:
    """Why a message cannot do that where it is now."""
    place = where.get(message)
    if place is None:
        return None
    name = kind.name.lower()
    if kind in (Event.SEND, Event.LOOP_SEND):
        return f"message {message} is sent, and was in the network before"
    if place == _ENDED:
        return f"{name} of message {message}, which had ended"
    if kind is Event.DEPART and place != mix:
        return f"message {message} leaves mix {mix}, which does not hold it"
    if kind is not Event.DEPART and place != _ON_WIRE:
        return f"{name} of message {message}, which mix {place} holds"
    return None

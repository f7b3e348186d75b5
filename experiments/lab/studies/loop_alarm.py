"""Experiment `loop_alarm`: how soon lost loops betray one who drops packets, and how often the
alarm is false.

Each trial is a network of its own, first left alone and then attacked: at mix 0, where a share of
all that comes in is dropped, or at one person's link, where a share of what they send is. Everybody
watches their own loops. Spec: docs/spec/laboratory.md (The alarm on lost loops).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import numpy as np

from experiments.lab.metrics.loop_alarm import Loops, alarms, watched
from experiments.lab.model import Share, described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from experiments.lab.room import require_room
from experiments.lab.sources.event import Blockade, Silencing, Simulation, simulate
from experiments.lab.sources.event_model import EventParameters, Span
from experiments.lab.sources.vector import mix_count
from experiments.lab.trace import Event, Genre
from hushmill.errors import ExitCode, UserError
from pki import (
    ALARM_ERROR,
    expected_loops_to_notice,
    false_alarm_probability,
    fewest_allowed,
)

GRACE_SECONDS = 30.0  # beyond the longest delay of a loop's route: docs/spec/mixing.md (Own loops)
LONGEST_DELAYS = 10.0  # mean delays at a hop; longer ones are redrawn there
VICTIM = 0  # the mix, or the person
SENT_MAX = 100_000_000  # packets of all trials: an hour or so
WATCHERS_MAX = 1_000_000  # people of all trials
SEARCHED_MAX = 1e10  # people times people's loops, of all trials


class Aim(StrEnum):
    MIX = "mix"  # drops a share of all that comes to one mix
    PERSON = "person"  # drops a share of all that one person sends


class LoopAlarmParameters(EventParameters, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The defaults are hushmill's: 1.4 packets a second of each user, a seventh of them loops."""

    users: Annotated[int, described("People who send.", ge=1, le=10_000_000)] = 20
    width: Annotated[
        int, described("Mixes a layer; with cascades, how many there are.", ge=1, le=10_000)
    ] = 2
    rate_per_second: Annotated[
        float, described("Packets a second that all users send together.", gt=0)
    ] = 28.0
    payload_share: Annotated[Share, described("Share of users' packets that carry payload.")] = (
        5.0 / 7.0
    )
    loop_share: Annotated[Share, described("Share that are loops back to their sender.")] = (
        1.0 / 7.0
    )
    drop_share: Annotated[Share, described("Share that are drop cover to anybody.")] = 1.0 / 7.0
    mix_loop_rate_per_second: Annotated[
        float, described("Own loops that each mix sends a second.", ge=0)
    ] = 0.2
    loss: Annotated[Share, described("Share of packets that each link loses.")] = 0.01
    published_loss: Annotated[
        Share, described("Loss of a link by which the alarm is set; `loss` is the true one.")
    ] = 0.01
    window_loops: Annotated[
        int, described("Loops that the alarm looks back on.", ge=1, le=1000)
    ] = 20
    aim: Annotated[Aim, described("Whose packets are dropped.")] = Aim.MIX
    dropped_share: Annotated[Share, described("Share of them that is dropped.")] = 1.0
    calm_seconds: Annotated[
        float, described("Before the attack; false alarms are counted in it.", gt=0)
    ] = 300.0
    attack_seconds: Annotated[float, described("How long the attack goes on.", gt=0)] = 300.0
    trials: Annotated[
        int, described("Attacks, each on a network of its own.", ge=1, le=100_000)
    ] = 20


@dataclass(frozen=True, slots=True)
class Notice:
    """What a watcher noticed.

    loops    loops that it sent in the attack up to the alarm; None if it never noticed
    seconds  from the attack to the alarm; None likewise
    false    windows in the calm that raised the alarm
    calm     all windows in the calm
    """

    loops: int | None
    seconds: float | None
    false: int
    calm: int


def run(parameters: LoopAlarmParameters, seed: np.random.SeedSequence) -> Outcome:
    _require_room(parameters)
    window = parameters.window_loops
    comes_back = return_probability(parameters, parameters.aim)
    fewest = fewest_allowed(window, comes_back)
    if fewest == 0:
        raise UserError(
            f"window_loops = {window} is too short at this published_loss: that none returns "
            f"happens by chance more often than {ALARM_ERROR:g}.",
            ExitCode.USAGE,
        )
    victims: list[Notice] = []
    others: list[Notice] = []
    for number in range(parameters.trials):
        below = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, number))
        victim, rest = notices_of(parameters, below)
        victims.append(victim)
        others += rest
    by_chance = false_alarm_probability(window, fewest, comes_back)
    mean_loops = expected_loops_to_notice(window, fewest, comes_back)
    measures = {
        "fewest_allowed": Measure(float(fewest), "loops", Quality.EXACT),
        "false_alarm_probability": Measure(by_chance, "probability", Quality.EXACT),
        "expected_loops_if_all_lost": Measure(mean_loops, "loops", Quality.EXACT),
    }
    # Other watchers of one trial see one network: no independent trials.
    measures |= _noticed("victim", victims, len(victims))
    measures |= _noticed("others", others, None)
    return Outcome(measures)


def _require_room(parameters: LoopAlarmParameters) -> None:
    trials, people = float(parameters.trials), float(parameters.users)
    span = parameters.calm_seconds + parameters.attack_seconds
    span += _timeout_seconds(parameters)
    rate = parameters.rate_per_second
    own = parameters.mix_loop_rate_per_second * mix_count(parameters)
    times = "trials, calm_seconds, attack_seconds"
    sent = trials * span * (rate + own)
    require_room(f"{times}, rate_per_second", "packets in all trials", sent, SENT_MAX)
    require_room("trials, users", "people in all trials", trials * people, WATCHERS_MAX)
    loops = people * span * trials * rate * parameters.loop_share
    require_room(f"{times}, users, loop_share", "loops looked through", loops, SEARCHED_MAX)


def return_probability(parameters: LoopAlarmParameters, aim: Aim) -> float:
    """How often a loop of a mix or of a person comes back at the published loss: a mix's own loop
    has one link fewer."""
    links = parameters.layers + (1 if aim is Aim.PERSON else 0)
    return (1.0 - parameters.published_loss) ** links


def notices_of(
    parameters: LoopAlarmParameters, seed: np.random.SeedSequence
) -> tuple[Notice, list[Notice]]:
    """What the victim of one attack noticed, and what every other person did."""
    start = parameters.calm_seconds
    timeout = _timeout_seconds(parameters)
    span = Span(start, parameters.attack_seconds, timeout)
    end, share = span.end_seconds, parameters.dropped_share
    attack: Blockade | Silencing
    match parameters.aim:
        case Aim.MIX:
            attack = Blockade(VICTIM, start, end, share)
        case Aim.PERSON:
            attack = Silencing(VICTIM, start, end, share)
    simulation = simulate(parameters, span, seed, attack=attack)
    people = _loops(simulation, Event.SEND, Genre.LOOP, timeout)
    allowed = fewest_allowed(parameters.window_loops, return_probability(parameters, Aim.PERSON))
    seen = [
        _notice(parameters, people.get(person, _NO_LOOPS), allowed)
        for person in range(parameters.users)
    ]
    if parameters.aim is Aim.PERSON:
        return seen[VICTIM], seen[:VICTIM] + seen[VICTIM + 1 :]
    own = _loops(simulation, Event.LOOP_SEND, Genre.MIX_LOOP, timeout).get(VICTIM, _NO_LOOPS)
    allowed = fewest_allowed(parameters.window_loops, return_probability(parameters, Aim.MIX))
    return _notice(parameters, own, allowed), seen


_NO_LOOPS = Loops(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.bool_))


def _loops(
    simulation: Simulation, kind: Event, genre: Genre, timeout_seconds: float
) -> dict[int, Loops]:
    """What each person or mix, by its place, learns of the loops that it put on a link."""
    trace = simulation.trace
    begins = (trace.kind == kind) & (trace.genre[trace.message] == genre)
    message = trace.message[begins]
    owner = (trace.label if kind is Event.SEND else trace.mix)[begins]
    begun, ended = trace.time[begins], simulation.ended[message]
    return {
        int(place): watched(begun[owner == place], ended[owner == place], timeout_seconds)
        for place in np.unique(owner)
    }


def _notice(parameters: LoopAlarmParameters, loops: Loops, fewest: int) -> Notice:
    """The alarm of one watcher, before the attack and in it."""
    start = parameters.calm_seconds
    end = start + parameters.attack_seconds
    raised = alarms(loops, parameters.window_loops, fewest)
    is_calm = loops.known < start
    windows = max(int(np.count_nonzero(is_calm)) - parameters.window_loops + 1, 0)
    false = int(np.count_nonzero(raised & is_calm))
    first = np.flatnonzero(raised & ~is_calm & (loops.known < end))
    if len(first) == 0:
        return Notice(None, None, false, windows)
    sent = int(np.count_nonzero(loops.begun[: first[0] + 1] >= start))
    return Notice(sent, float(loops.known[first[0]] - start), false, windows)


def _noticed(who: str, notices: list[Notice], trials: int | None) -> dict[str, Measure]:
    """Means are over those who noticed within the attack."""
    sampled = Quality.SAMPLED
    if not notices:
        return {}
    seconds = [notice.seconds for notice in notices if notice.seconds is not None]
    loops = [notice.loops for notice in notices if notice.loops is not None]
    share = len(seconds) / len(notices)
    measures = {f"{who}_noticed_share": Measure(share, "probability", sampled, trials)}
    if seconds:
        measures[f"{who}_loops_to_notice"] = Measure(float(np.mean(loops)), "loops", sampled)
        measures[f"{who}_seconds_to_notice"] = Measure(float(np.mean(seconds)), "s", sampled)
        late = float(np.percentile(seconds, 90))
        measures[f"{who}_seconds_to_notice_p90"] = Measure(late, "s", sampled)
    windows = sum(notice.calm for notice in notices)
    if windows:
        false = sum(notice.false for notice in notices) / windows
        measures[f"{who}_false_alarm_share"] = Measure(false, "share", sampled)
    return measures


def _timeout_seconds(parameters: LoopAlarmParameters) -> float:
    """When a loop is given up."""
    held = LONGEST_DELAYS * parameters.layers * parameters.mean_delay_seconds
    return held + (parameters.layers + 1) * parameters.link_seconds + GRACE_SECONDS


EXPERIMENT = Experiment(
    name="loop_alarm",
    summary="How soon lost loops betray one who drops packets, and how often the alarm is false.",
    parameters=LoopAlarmParameters,
    run=run,
)

"""Wall time that nobody can turn back."""

from hushmill.runtime import AnchoredClock, monotonic, now, wall_clock_error


class Machine:
    """A machine's two clocks, moved by hand."""

    def __init__(self) -> None:
        self.wall, self.elapsed = 1_700_000_000.0, 500.0

    def clock(self) -> AnchoredClock:
        return AnchoredClock(lambda: self.wall, lambda: self.elapsed)

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.elapsed += seconds


def test_goes_with_the_wall_while_nobody_touches_it() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.pass_time(90)
    assert clock.now() == 1_700_000_090
    assert clock.error() == 0


def test_does_not_follow_a_step_and_says_how_far_it_went() -> None:
    for step in (-7200.0, 7200.0):
        machine = Machine()
        clock = machine.clock()
        machine.wall += step
        machine.pass_time(1)
        assert clock.now() == 1_700_000_001
        assert clock.error() == step


def test_catches_up_forward_and_never_back() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += 50
    clock.catch_up()
    assert clock.now() == 1_700_000_050
    machine.wall -= 100
    clock.catch_up()
    assert clock.now() == 1_700_000_050
    assert clock.error() == -100


def test_reads_this_machine() -> None:
    first, second = (now(), monotonic()), (now(), monotonic())
    assert second >= first
    assert abs(wall_clock_error()) < 3600

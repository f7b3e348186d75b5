"""The n-1 alarm of one node: it watches which of its own loops return.

Whoever drops what others send to a mix, so as to be alone with its target, drops the mix's loops
with it. Spec: docs/spec/mixing.md (The n-1 alarm). On the alarm a node says so, and changes nothing
that it sends.
"""

from collections import deque

from hushmill.parameters import Parameters
from pki import fewest_allowed


class LoopAlarm:
    """Over the last `alarm_window_loops` loops that are known as returned or lost."""

    __slots__ = ("_fewest", "_known", "_returned", "raised_times")

    def __init__(self, parameters: Parameters) -> None:
        window = parameters.alarm_window_loops
        self._known: deque[bool] = deque(maxlen=window)
        self._returned = 0
        self._fewest = fewest_allowed(window, parameters.loop_return_probability)
        self.raised_times = 0

    @property
    def is_raised(self) -> bool:
        """Whether fewer returned than the loss that the genesis publishes allows by chance. Never
        before a whole window is known."""
        return len(self._known) == self._known.maxlen and self._returned < self._fewest

    def learn(self, *, is_returned: bool) -> None:
        """One more loop came back, or is given up."""
        before = self.is_raised
        if len(self._known) == self._known.maxlen:
            self._returned -= self._known[0]
        self._known.append(is_returned)
        self._returned += is_returned
        self.raised_times += self.is_raised and not before

"""How many files and sockets the process may have open, against what its listeners may hold.

A process that has no descriptor left can neither take a link nor write a log, and whoever opens
connections would decide when. So what a listener may hold is set aside when it is opened, and it is
not opened where there is no room for it.
"""

import resource

from hushmill.errors import ExitCode, UserError

SPARE_DESCRIPTORS = 256  # files, links to others, and connections on their way out


class DescriptorBudget:
    """What the process may have open, `SPARE_DESCRIPTORS` set aside from the start."""

    __slots__ = ("_reserved",)

    def __init__(self) -> None:
        self._reserved = SPARE_DESCRIPTORS

    def reserve(self, count: int) -> None:
        """Sets `count` more aside, until `release`, with the process's limit as high as it goes.

        Raises UserError(CONFIGURATION), and then nothing is set aside, when that is not enough.
        """
        limit = _raised_limit()
        needed = self._reserved + count
        if limit < needed:
            raise UserError(
                f"This process may open {limit} files and needs {needed} for its links. Raise its "
                "hard limit (LimitNOFILE= in a unit of systemd, ulimit -Hn in a shell).",
                ExitCode.CONFIGURATION,
            )
        self._reserved = needed

    def release(self, count: int) -> None:
        """Gives back what `reserve` set aside."""
        self._reserved -= count


def _raised_limit() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


# The limit is the process's, and so is this.
descriptor_budget = DescriptorBudget()


def require_descriptors(count: int) -> None:
    """Raises UserError(CONFIGURATION) unless `count` more could be set aside."""
    descriptor_budget.reserve(count)
    descriptor_budget.release(count)

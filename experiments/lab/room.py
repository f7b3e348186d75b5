"""What one replicate may take: settings that ask for more are refused before anything is drawn.

The limits are of memory, some 2 GiB, and of minutes on one core. Spec: docs/spec/laboratory.md
(Limits).
"""

from hushmill.errors import ExitCode, UserError

HOPS_MAX = 8_000_000  # messages times links of each: 16 million events
PACKETS_MAX = 8_000_000  # packets of one replicate where one mix stands for the network
CELLS_MAX = 50_000_000  # cells of a table of numbers, of people by people or by windows
WORK_MAX = 1e11  # additions and multiplications


def require_room(keys: str, what: str, wanted: float, most: float) -> None:
    """Raises UserError(USAGE), which names `keys`, where `wanted` of `what` is above `most` or is
    no number."""
    if not wanted <= most:
        raise UserError(f"{keys}: {wanted:.3g} {what}; at most {most:.3g} fit.", ExitCode.USAGE)

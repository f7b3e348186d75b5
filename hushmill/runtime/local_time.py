"""Moments as a person reads them."""

import time


def local_time(seconds: float) -> str:
    """`2026-11-23 03:30` in the machine's time zone; a moment outside the calendar is `?`.

    `seconds` is Unix time and may be a peer's word.
    """
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (OverflowError, OSError, ValueError):
        return "?"

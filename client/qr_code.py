"""An invitation as a QR code of block characters, for a terminal and a telephone's camera."""

import io

import segno

ERROR_CORRECTION = "l"  # a screen is clean, and a smaller code fits a terminal


def invitation_qr(text: str) -> str:
    """Lines of half-block characters, with the quiet zone that readers need."""
    out = io.StringIO()
    segno.make_qr(text, error=ERROR_CORRECTION, boost_error=False).terminal(out, compact=True)
    return out.getvalue()

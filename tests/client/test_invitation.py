import base64
import io

import pytest
import segno
from hypothesis import example, given
from hypothesis import strategies as st

from client import Invitation, invitation_qr, parse_invitation
from client.invitation import INVITATION_CHARACTERS, INVITATION_SECONDS, _checksum
from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import NetworkId, NodeNumber
from tests.client.e2ee_people import ALICE, BOB, NOW, Stream

NETWORK = NetworkId(bytes(range(100, 132)))
INVITATION = Invitation.create(NETWORK, NodeNumber(300), ALICE.public, NOW, Stream("invitation"))
TEXT = INVITATION.text()


def exit_of(text: str) -> ExitCode:
    with pytest.raises(UserError) as caught:
        parse_invitation(text)
    assert str(caught.value).endswith(".")
    return caught.value.exit_code


def test_is_one_short_line_of_capitals_and_digits() -> None:
    assert len(TEXT) == INVITATION_CHARACTERS == 136
    assert len(INVITATION.link()) == 145
    assert set(TEXT) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


@pytest.mark.parametrize(
    "shown",
    [
        TEXT,
        TEXT.lower(),
        INVITATION.link(),
        INVITATION.link().upper(),
        f"  {TEXT}\n",
        "\n".join(TEXT[start : start + 8] for start in range(0, 136, 8)),
        "-".join(TEXT[start : start + 4] for start in range(0, 136, 4)),
    ],
)
def test_is_read_however_a_person_pastes_it(shown: str) -> None:
    assert parse_invitation(shown) == INVITATION


def test_refuses_a_change_of_any_character() -> None:
    for index, character in enumerate(TEXT):
        other = "A" if character != "A" else "B"
        assert exit_of(TEXT[:index] + other + TEXT[index + 1 :]) is ExitCode.USAGE


def test_refuses_two_swapped_characters() -> None:
    for index in range(len(TEXT) - 1):
        if TEXT[index] != TEXT[index + 1]:
            swapped = TEXT[:index] + TEXT[index + 1] + TEXT[index] + TEXT[index + 2 :]
            assert exit_of(swapped) is ExitCode.USAGE


@given(st.text(max_size=200))
@example("")
@example("hushmill:")
@example("HUSHMILL:" + TEXT[:-1])
@example(TEXT + "A")
@example(TEXT[:-1] + "1")
@example(TEXT[:-8] + "=" * 8)
@example("ſ" * 136)
@example("ﬃ" * 136)
def test_any_text_is_refused_with_a_sentence(text: str) -> None:
    assert exit_of(text) is ExitCode.USAGE


def test_refuses_another_version() -> None:
    body = b"\2" + INVITATION._body()[1:]
    assert exit_of(base64.b32encode(body + _checksum(body)).decode()) is ExitCode.USAGE


def test_lasts_seven_days() -> None:
    INVITATION.require_usable(NETWORK, NOW)
    INVITATION.require_usable(NETWORK, NOW + INVITATION_SECONDS)
    with pytest.raises(UserError, match="expired") as caught:
        INVITATION.require_usable(NETWORK, NOW + INVITATION_SECONDS + 3600)
    assert caught.value.exit_code is ExitCode.SECURITY_STOP
    assert INVITATION.is_expired(INVITATION.expires * 3600)
    assert not INVITATION.is_expired(INVITATION.expires * 3600 - 1)


def test_refuses_another_network() -> None:
    with pytest.raises(UserError, match="another network") as caught:
        INVITATION.require_usable(NetworkId(bytes(32)), NOW)
    assert caught.value.exit_code is ExitCode.CONFIGURATION


def test_names_its_inviter_and_nobody_else() -> None:
    assert INVITATION.names(ALICE.public)
    assert not INVITATION.names(BOB.public)
    assert base64.b32decode(TEXT).find(ALICE.public) == -1


def test_derives_the_same_on_both_sides_and_all_apart() -> None:
    read = parse_invitation(TEXT)
    derived = (read.inbox, read.to_inviter_secret, read.to_invited_secret)
    own = (INVITATION.inbox, INVITATION.to_inviter_secret, INVITATION.to_invited_secret)
    assert derived == own
    assert len({*derived, read.secret}) == 4
    assert all(len(value) == 32 for value in derived)


def test_two_invitations_share_neither_secret_nor_inbox() -> None:
    stream = Stream("two")
    one, two = (
        Invitation.create(NETWORK, NodeNumber(300), ALICE.public, NOW, stream) for _ in range(2)
    )
    assert one.secret != two.secret
    assert one.inbox != two.inbox
    windows = {one.inbox[start : start + 4] for start in range(29)}
    assert not any(two.inbox[start : start + 4] in windows for start in range(29))


def test_never_prints_its_secret() -> None:
    assert INVITATION.secret.hex() not in repr(INVITATION)
    assert repr(INVITATION.secret)[2:-1] not in repr(INVITATION)


def modules(drawn: str) -> list[list[bool]]:
    """The dark and light squares of half-block characters."""
    rows: list[list[bool]] = []
    halves = {"█": (False, False), "▀": (False, True), "▄": (True, False), " ": (True, True)}
    for line in drawn.splitlines():
        pairs = [halves[character] for character in line]
        rows.append([top for top, _ in pairs])
        rows.append([bottom for _, bottom in pairs])
    return rows


@pytest.mark.parametrize("text", [TEXT, INVITATION.link()])
def test_draws_exactly_the_code_of_the_text(text: str) -> None:
    expected = segno.make_qr(text, error="l", boost_error=False)
    quiet = [[bool(module) for module in row] for row in expected.matrix_iter(border=4)]
    drawn = modules(invitation_qr(text))
    assert drawn[: len(quiet)] == quiet
    assert all(len(row) == len(quiet[0]) for row in drawn)


def test_fits_a_terminal_of_eighty_by_twenty_four_and_a_bit() -> None:
    lines = invitation_qr(TEXT).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 29


def test_a_change_of_the_text_changes_the_drawing() -> None:
    other = Invitation.create(NETWORK, NodeNumber(300), BOB.public, NOW, Stream("other"))
    assert invitation_qr(other.text()) != invitation_qr(TEXT)


def test_the_drawing_needs_no_colour() -> None:
    out = io.StringIO(invitation_qr(TEXT))
    assert "\x1b" not in out.getvalue()

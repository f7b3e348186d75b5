"""What a person reads: nothing a peer sends can act on the terminal or pass for our own words."""

from client.rpc import JsonObject
from client.views import anonymity_line, contact_rows, message_text, sent_text, status_lines

MESSAGE: JsonObject = {
    "id": 4,
    "order": 2,
    "contact": "Ben\x1b[0m",
    "kind": "text",
    "text": "one\n2026-01-01 00:00\rBank: pay\x07",
    "file_name": None,
    "size": 3,
    "sent_at": 0,
    "gap": False,
    "late": False,
}


def test_indents_every_line_of_a_message_and_escapes_it() -> None:
    text = message_text(MESSAGE, "2026-01-01 00:00")
    assert text.split("\n") == [
        "Ben\\u{1b}[0m  2026-01-01 00:00",
        "  one",
        "  2026-01-01 00:00\\u{d}Bank: pay\\u{7}",
    ]


def test_marks_gaps_and_late_messages() -> None:
    text = message_text(MESSAGE | {"gap": True, "late": True}, "now")
    assert "[an earlier message is still missing]  [came late]" in text.split("\n")[0]


def test_says_where_a_file_is_or_how_to_get_it() -> None:
    file = MESSAGE | {"kind": "file", "file_name": "a\u202eb.png", "size": 65536}
    assert "file a\\u{202e}b.png, 66 kB; get it with" in message_text(file, "now")
    assert "saved as /tmp/x" in message_text(file | {"saved": "/tmp/x"}, "now")


def test_lists_contacts_with_what_they_call_themselves() -> None:
    rows = contact_rows(
        [{"name": "Ben", "their_name": "B\x9ben", "state": "active", "verified": True}]
    )
    assert rows == [("Ben (calls themselves B\\u{9b}en)", "active", "yes")]


def test_says_how_the_client_is() -> None:
    status: JsonObject = {
        "name": "Anna",
        "network": "local",
        "provider_name": "provider1",
        "link_refused": False,
        "link_up": True,
        "document_epoch": 7,
        "document_stale": False,
        "anonymity": None,
        "messages": {"queued": 2, "sent": 0},
        "contacts": 1,
        "loops_returned": 3,
        "loops_sent": 4,
        "bytes_a_day": 1_020_000_000,
    }
    lines = list(status_lines(status))
    assert lines[:3] == [
        "Anna in local, at provider1",
        "Connected.",
        "Your messages: 2 queued.",
    ]
    assert "1.02 GB" in lines[-1]
    older = {key: value for key, value in status.items() if key != "anonymity"}
    assert list(status_lines(older)) == lines  # a daemon that was started before an update
    for change, says in (
        ({"link_refused": True}, "refused your account"),
        ({"link_up": False}, "Not connected"),
        ({"document_epoch": None}, "on its way"),
        ({"document_stale": True}, "held back"),
    ):
        assert says in list(status_lines(status | change))[1]


def test_says_honestly_how_busy_the_network_is() -> None:
    def figures(bits: float, clients: int) -> JsonObject:
        return {
            "packet_bits": bits + 2,
            "sender_bits": bits,
            "clients_estimated": clients,
            "load_packets_per_second": 2 * clients,
        }

    assert "count on being seen" in anonymity_line(None)
    assert "0 packets/s, hardly anybody on" in anonymity_line(figures(0.0, 0))
    assert "2 packets/s, about 1 person on" in anonymity_line(figures(0.0, 1))
    for bits, clients in ((0.5, 2), (2.99, 9)):
        line = anonymity_line(figures(bits, clients))
        assert f"The network is quiet: {2 * clients} packets/s, about {clients} people" in line
        assert line.endswith("an observer who sees every link can often tell who you write to.")
    busy = anonymity_line(figures(6.5, 200))
    assert "quiet" not in busy
    assert "any of about 90 people (6.5 bits)" in busy
    assert "weeks learns more" in busy


def test_says_how_far_an_own_message_is() -> None:
    message: JsonObject = {
        "id": 7,
        "contact": "B\x1bob",
        "state": "delivered",
        "kind": "text",
        "text": "two\nlines",
        "file_name": None,
        "size": 9,
    }
    lines = sent_text(message, "today").split("\n")
    assert lines == ["to B\\u{1b}ob  today  delivered (7)", "  two", "  lines"]

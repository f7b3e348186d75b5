"""What `status` says of the network's anonymity comes from the document's loads and the closed
forms, and falls with the traffic."""

import msgspec
import pytest

from client.service_methods import anonymity_record
from client.views import anonymity_line
from pki import (
    NetworkAnonymity,
    packet_entropy_bits,
    sender_entropy_bits,
)
from tests.client.street import House, Street
from tests.client.street_network import PARAMETERS, PROVIDERS


def figures_at(load: int) -> NetworkAnonymity | None:
    """What Alice's client says in a network whose two mixes, one layer, relay `load` each."""
    street = Street(load=load)
    alice = House(street, "alice", PROVIDERS[0])
    assert alice.messenger.status(street.now).anonymity is None  # no document yet
    assert street.run_until(alice.is_ready, 120)
    return alice.messenger.status(street.now).anonymity


def test_there_are_no_figures_until_a_mix_has_said_a_load() -> None:
    assert figures_at(0) is None
    assert anonymity_record(None) is None


def test_figures_are_the_closed_forms_of_the_documents_load() -> None:
    """2 × 256 packets a second, less 2 × 0.2 of loops, at 6 a client: 85 clients."""
    figures = figures_at(256)
    assert figures == NetworkAnonymity(
        load_packets_per_second=512,
        clients_estimated=85,
        packet_bits=packet_entropy_bits(84 * 6.0, PARAMETERS.delay_mean_seconds, 1, 2),
        sender_bits=sender_entropy_bits(85, 85 * 6.0, PARAMETERS.delay_mean_seconds, 1, 2),
    )
    assert figures is not None
    record = anonymity_record(figures)
    assert record is not None
    assert record["sender_bits"] == pytest.approx(figures.sender_bits, abs=1e-3)
    assert set(record) == set(NetworkAnonymity.__dataclass_fields__)


def test_figures_fall_to_nothing_as_people_leave_or_stop_cover() -> None:
    figures = [figures_at(load) for load in (4096, 256, 16, 4)]
    bits = [(found.packet_bits, found.sender_bits) for found in figures if found is not None]
    assert bits == sorted(bits, reverse=True)
    assert bits[0][1] > 8
    assert bits[-1] == (0.0, 0.0)
    lines = [anonymity_line(anonymity_record(found)) for found in figures]
    assert ["quiet" in line for line in lines] == [False, False, True, True]


def test_figures_are_withheld_while_the_document_is_out_of_date() -> None:
    street = Street(parameters=msgspec.structs.replace(PARAMETERS, epoch_seconds=60), load=256)
    alice = House(street, "alice", PROVIDERS[0])
    assert street.run_until(alice.is_ready, 120)
    street.publishes = False
    # A document that still serves, but tells of people who may have left.
    assert street.run_until(lambda: alice.messenger.status(street.now).anonymity is None, 5 * 60.0)
    assert not alice.messenger.status(street.now).document_stale
    street.run_for(5 * 60.0)
    status = alice.messenger.status(street.now)
    assert (status.document_stale, status.anonymity) == (True, None)

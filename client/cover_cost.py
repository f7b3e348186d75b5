"""What a client's constant traffic costs, said to the person before they join and in `status`."""

from hushmill.link import LinkClass, frame_bytes
from hushmill.packet import packet_format
from hushmill.parameters import Parameters

RECORD_BYTES = 22  # RFC 8446, section 5.2: header 5, content type 1, tag 16
DAY_SECONDS = 86400


def cover_bytes_a_day(parameters: Parameters) -> float:
    """Bytes each way on the client's link: every upstream frame is answered by one mail frame of
    the same size, whether anybody writes or not. TCP and IP add about 3 %."""
    packet_bytes = packet_format(parameters).geometry.packet_bytes
    frame = frame_bytes(LinkClass.CLIENT, packet_bytes) + RECORD_BYTES
    return parameters.client_rate * frame * DAY_SECONDS

"""What a packet costs in memory while a mix holds it, for `hushmill bench node`.

Packets with delays close to the cap are sent in two seconds, so that none leaves before all are
there. The growth of the node's memory is set against how many there are, by a straight line; the
first part is left out, in which the node takes memory that has nothing to do with them.
"""

import time
from pathlib import Path

import numpy as np

from experiments.bench_node_network import BenchNetwork
from experiments.bench_node_packets import HELD_DELAY_SECONDS, Load
from experiments.bench_node_trial import Cores, stage
from hushmill.packet import packet_format

HELD_PACKETS = 3000
FILLING_SECONDS = 2.0
LOOK_SECONDS = 0.1
LEFT_OUT = 0.25  # of the packets


def held_row(network: BenchNetwork, load: Load, folder: Path, cores: Cores) -> dict[str, object]:
    """Bytes a held packet, beside the packet's own: its tag, its places in lists, and what the
    allocator rounds up to are in the difference."""
    held: list[int] = []
    memory: list[int] = []
    with stage(network, load, folder, cores, load.count, load.count / FILLING_SECONDS) as built:
        built.generator.tell("go")
        end = time.monotonic() + HELD_DELAY_SECONDS[0] - LOOK_SECONDS
        while time.monotonic() < end and (not held or held[-1] < load.count):
            time.sleep(LOOK_SECONDS)
            held.append(int(np.count_nonzero(built.sent)))
            memory.append(built.node.memory_bytes)
        built.require_running()
    counts, taken = np.array(held, np.float64), np.array(memory, np.float64)
    chosen = counts >= LEFT_OUT * load.count
    slope = float(np.polyfit(counts[chosen], taken[chosen], 1)[0])
    packet_bytes = packet_format(network.parameters).geometry.packet_bytes
    return {
        "what": "held",
        "suite": network.parameters.suite,
        "held_packets": max(held),
        "packet_bytes": packet_bytes,
        "bytes_per_held_packet": round(slope),
        "overhead_bytes": round(slope) - packet_bytes,
    }

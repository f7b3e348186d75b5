"""What Prometheus sees of a node, and what it cannot tell. Spec: docs/spec/mixing.md (Metrics)."""

import json
import re
import sys
from pathlib import Path

import msgspec
import pytest

from hushmill.drops import Drop
from hushmill.errors import ExitCode, UserError
from mixnode import Counters, MixCore, NodeSettings
from mixnode.metrics import STEP_SECONDS, MetricValues, SteppedMetrics
from tests.mixnode.network import LAYERS, PROVIDERS, START, Network, run

MIX = LAYERS[0][0]
BOUNDARY = (START // STEP_SECONDS + 1) * STEP_SECONDS
DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana-mix.json"


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


def _values(core: MixCore) -> MetricValues:
    return MetricValues(
        counters=core.counters.rounded(),
        links_up=2,
        links_wanted=2,
        epoch=7,
        held_tenths=int(10 * core.held_share),
        replay_tenths=int(10 * core.replay_share),
        is_alarmed=core.is_alarmed,
    )


def _scrapes(network: Network, packets: int, seconds: float) -> list[bytes]:
    """A node's pages, one every 3 s over two steps, with `packets` that come within `seconds` of
    the beginning and twenty more in the second step."""
    core = network.core(MIX)
    metrics = SteppedMetrics(START)
    pages = []
    for n in range(packets):
        core.receive(network.arrived(MIX, 0.1, PROVIDERS[0]), START + seconds * n / packets)
    now = START
    while now < BOUNDARY + STEP_SECONDS:
        run(core, now)
        if BOUNDARY + 30 <= now < BOUNDARY + 33:
            for _ in range(20):
                core.receive(network.arrived(MIX, 0.1, PROVIDERS[0]), now)
        metrics.look(now, lambda: _values(core))
        pages.append(metrics.page())
        now += 3
    return pages


def test_two_traces_in_one_bucket_give_the_same_bytes(network: Network) -> None:
    """60 packets in a minute, or 95 in ten seconds: every scrape of one is that of the other."""
    few = _scrapes(network, 60, 60.0)
    many = _scrapes(network, 95, 10.0)
    assert few == many
    assert b"hushmill_mix_packets_relayed_total 50.0\n" in few[-1]
    assert _scrapes(network, 101, 10.0)[-1] != few[-1]


def test_a_step_is_one_page_and_the_first_says_that_it_is_up_alone(network: Network) -> None:
    pages = _scrapes(network, 60, 60.0)
    changes = [at for at in range(1, len(pages)) if pages[at] != pages[at - 1]]
    assert changes == [-int(-(BOUNDARY - START) // 3)]
    first = [line for line in pages[0].decode().splitlines() if not line.startswith("#")]
    assert first == ["hushmill_mix_up 1.0"]


def test_nothing_but_what_is_listed_is_shown(network: Network) -> None:
    """No process, platform or collector of garbage, no time at which anything was made."""
    text = _scrapes(network, 60, 60.0)[-1].decode()
    assert _names(text) == {
        "hushmill_mix_up",
        "hushmill_mix_packets_relayed_total",
        "hushmill_mix_packets_delivered_total",
        "hushmill_mix_loops_total",
        "hushmill_mix_loop_alarms_total",
        "hushmill_mix_alarm",
        "hushmill_mix_drops_total",
        "hushmill_mix_links",
        "hushmill_mix_held_ratio",
        "hushmill_mix_replay_ratio",
        "hushmill_mix_document_epoch",
    }
    for line in text.splitlines():
        assert line.startswith("#") or len(line.split(" ")) == 2  # a third would be a timestamp
    reasons = set(re.findall(r'reason="(\w+)"', text))
    assert reasons == {reason.value for reason in Drop}


def test_counters_are_rounded_down_to_steps_of_fifty() -> None:
    counters = Counters()
    for exact, shown in ((0, 0), (49, 0), (50, 50), (99, 50), (100, 100)):
        counters.relayed = exact
        counters.drops[Drop.REPLAY] = exact
        rounded = counters.rounded()
        assert (rounded["relayed"], rounded["drop_replay"]) == (shown, shown)


def test_the_dashboard_asks_for_what_there_is(network: Network) -> None:
    shown = _names(_scrapes(network, 60, 60.0)[-1].decode())
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [one["query"] for one in dashboard["templating"]["list"]]
    asked = [set(re.findall(r"hushmill_\w+", query)) for query in queries if "hushmill" in query]
    assert len(asked) >= len(dashboard["panels"])
    assert set().union(*asked) == shown
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_without_the_library_an_operator_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(UserError, match=r"hushmill\[metrics\]") as refused:
        SteppedMetrics(START)
    assert refused.value.exit_code is ExitCode.CONFIGURATION


@pytest.mark.parametrize("listen", ["", "127.0.0.1:9100", "127.9.255.199:1", "[::1]:65535"])
def test_listens_on_this_machine(listen: str) -> None:
    settings = {"listen": "::", "metrics_listen": listen}
    assert msgspec.convert(settings, NodeSettings).metrics_listen == listen


@pytest.mark.parametrize(
    "listen",
    [
        *("0.0.0.0:9100", "[::]:9100", "192.0.2.1:1", "127.0.0.1", "on"),
        *("127.0.0.256:1", "127.0.0.01:1", "127.0.0.1:0", "127.0.0.1:65536", "[::1]:99999"),
    ],
)
def test_refuses_to_show_metrics_to_others_or_where_nothing_can_be(listen: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"listen": "::", "metrics_listen": listen}, NodeSettings)


def _names(text: str) -> set[str]:
    return set(re.findall(r"^(\w+)[ {]", text, re.MULTILINE))

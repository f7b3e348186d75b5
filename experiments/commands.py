"""`demo`, `testnet` and `bench`: the commands of `experiments`."""

import importlib
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from experiments.demo.run import Demo, DemoOptions
from experiments.demo.table import show
from experiments.long_work import interrupt_on_terminate, progress_bar
from experiments.testnet.build import LocalNetwork
from experiments.testnet.plan import Topology
from hushmill.errors import ExitCode, UserError
from hushmill.parameters import MixingName, SuiteName
from hushmill.runtime import HushmillCommand, HushmillGroup, Output, pass_output

PLAIN_WIDTH = 110  # of the demo's table where there is no terminal to ask
BENCHES = {
    "packet": "experiments.bench_packet",
    "commands": "experiments.bench_commands",
    "lab": "experiments.bench_lab",
    "node": "experiments.bench_node",
}

TOPOLOGY_HELP = "Two mixes a layer (stratified, the default), or one (cascade)."
SUITE_HELP = "The packets' key encapsulation (xwing, the default, or x25519)."
MIXING_HELP = "How mixes delay: by each sender's draw (poisson, the default), or in a timed-pool."
MIXINGS: dict[str, MixingName] = {"poisson": "poisson", "timed-pool": "timed_pool"}
topology_option = click.option(
    "--topology",
    type=click.Choice(["stratified", "cascade"]),
    default="stratified",
    help=TOPOLOGY_HELP,
)
suite_option = click.option(
    "--suite",
    type=click.Choice(["xwing", "x25519"]),
    default="xwing",
    help=SUITE_HELP,
)
mixing_option = click.option(
    "--mixing", type=click.Choice(list(MIXINGS)), default="poisson", help=MIXING_HELP
)


@click.command(cls=HushmillCommand)
@topology_option
@suite_option
@mixing_option
@click.option("--kill", "kills", is_flag=True, help="Kill a mix, a provider and a daemon midway.")
@click.option("--keep", is_flag=True, help="Leave the network up, and say how to use it.")
@click.option("--no-cover", "cover", flag_value=False, default=True, hidden=True)
@pass_output
def demo(
    output: Output,
    topology: Topology,
    suite: SuiteName,
    mixing: str,
    kills: bool,
    keep: bool,
    cover: bool,
) -> None:
    """Start a local network, send messages both ways, show what leaks."""
    console = Console(stderr=output.is_json)
    if not console.is_terminal:
        console = Console(stderr=output.is_json, width=PLAIN_WIDTH)
    folder = Path(tempfile.mkdtemp(prefix="hushmill-"))
    network: LocalNetwork | None = None
    kept = False
    with interrupt_on_terminate():
        try:
            with progress_bar(console) as report_progress:
                network = LocalNetwork.build(folder, topology, suite, MIXINGS[mixing])
                run = Demo(network, DemoOptions(kills, cover), report_progress)
                outcome = run.run()
            show(outcome, console)
            kept = keep and outcome.ok
            if kept:
                _say_how_to_use(network, run, console)
        finally:
            if network is not None and not kept:
                network.fleet.end()
            if not kept:
                shutil.rmtree(folder, ignore_errors=True)
    if output.is_json:
        output.result(outcome.record(), human="")
    if not outcome.ok:
        raise UserError("The demo did not deliver everything once and in order.", ExitCode.BUG)


def _say_how_to_use(network: LocalNetwork, run: Demo, console: Console) -> None:
    """The two people's commands, as they can be typed from here."""
    beside = Path(sys.executable).parent / "hushmill"
    command = "hushmill" if shutil.which("hushmill") else str(beside)
    say = partial(console.print, soft_wrap=True, markup=False, highlight=False)
    say(f"The network stays up in {network.folder}. The two people's commands:")
    for name, person in run.people.items():
        other = next(other for other in run.people if other != name)
        say(f"  {command} send --profile {person.profile} {other} TEXT")
        say(f"  {command} inbox --profile {person.profile}")
    say(f"Their passphrases lie beside their profiles, in {person.passphrase_file.parent}.")
    say(f"End it with: {command} testnet down {network.folder} && rm -r {network.folder}")


@click.group(cls=HushmillGroup)
def testnet() -> None:
    """Keep a local network: up, status, down."""


@testnet.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--topology", type=click.Choice(["stratified", "cascade"]), help=TOPOLOGY_HELP)
@click.option("--suite", type=click.Choice(["xwing", "x25519"]), help=SUITE_HELP)
@click.option("--mixing", type=click.Choice(list(MIXINGS)), help=MIXING_HELP)
@click.option("--trace", is_flag=True, help="Record what an observer of every link would see.")
@pass_output
def up(
    output: Output,
    folder: Path,
    topology: Topology | None,
    suite: SuiteName | None,
    mixing: str | None,
    trace: bool,
) -> None:
    """Start a local network in FOLDER, which is made; a stopped one is started again."""
    folder = folder.absolute()
    network = _network_in(folder, topology, suite, None if mixing is None else MIXINGS[mixing])
    network.require_stopped()
    with interrupt_on_terminate(), progress_bar(Console(stderr=True)) as report_progress:
        try:
            network.start(
                lambda done, of: report_progress("Starting the network", done, of), trace=trace
            )
        except BaseException:
            network.fleet.end()
            raise
    file = folder / "network.toml"
    output.result(
        {"folder": str(folder), "network": str(file), "processes": len(network.fleet.names())},
        human=f"The network is up. Its file, for `hushmill init --network`: {file}",
    )


def _network_in(
    folder: Path,
    topology: Topology | None,
    suite: SuiteName | None,
    mixing: MixingName | None,
) -> LocalNetwork:
    """The network that FOLDER holds, or a new one. Raises UserError(2) if it holds another kind
    than was asked for."""
    if not (folder / "network.toml").exists():
        return LocalNetwork.build(
            folder, topology or "stratified", suite or "xwing", mixing or "poisson"
        )
    network = LocalNetwork.open(folder)
    asked = zip(
        (topology, suite, mixing), (network.topology, network.suite, network.mixing), strict=True
    )
    if any(want not in (None, has) for want, has in asked):
        mixing_word = next(word for word, name in MIXINGS.items() if name == network.mixing)
        raise UserError(
            f"{folder} holds a {network.topology} network with {network.suite} and {mixing_word} "
            "mixing. Choose another folder for another one.",
            ExitCode.USAGE,
        )
    return network


@testnet.command()
@click.argument("folder", type=click.Path(path_type=Path))
@pass_output
def status(output: Output, folder: Path) -> None:
    """Say which processes of the network in FOLDER run."""
    network = LocalNetwork.open(folder.absolute())
    alive = {name: network.fleet.is_alive(name) for name in network.fleet.names()}
    lines = [f"{name}: {'runs' if runs else 'ended'}" for name, runs in alive.items()]
    output.result({"processes": alive}, human="\n".join(lines) or "Nothing runs.")


@testnet.command()
@click.argument("folder", type=click.Path(path_type=Path))
@pass_output
def down(output: Output, folder: Path) -> None:
    """End every process of the network in FOLDER; its files stay."""
    network = LocalNetwork.open(folder.absolute())
    count = len(network.fleet.names())
    network.fleet.end()
    output.result({"ended": count}, human=f"{count} processes ended.")


class _Benches(HushmillGroup):
    """Loads a bench only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(BENCHES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in BENCHES:
            return None
        command = getattr(importlib.import_module(BENCHES[cmd_name]), cmd_name)
        return command if isinstance(command, click.Command) else None


@click.group(cls=_Benches)
def bench() -> None:
    """Print figures beside the limit they are measured against."""

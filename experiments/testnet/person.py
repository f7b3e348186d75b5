"""A person on a local network: a profile, a daemon in the fleet, and the commands they type."""

import json
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.testnet.fleet import Fleet
from hushmill.errors import ExitCode, UserError

COMMAND_SECONDS = 120.0
PASSPHRASE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Person:
    """`folder` is the network's; the profile and its passphrase file lie in it. Contacts are told
    `full_name`."""

    name: str
    full_name: str
    folder: Path

    @property
    def profile(self) -> Path:
        return self.folder / "people" / self.name

    @property
    def passphrase_file(self) -> Path:
        return self.folder / "people" / f"{self.name}.pass"

    @property
    def daemon_name(self) -> str:
        return f"daemon-{self.name}"

    def create(self, provider: str) -> None:
        """A profile at `provider`, under a passphrase made for this network alone."""
        self.profile.parent.mkdir(mode=0o700, exist_ok=True)
        self.passphrase_file.touch(mode=0o600)
        self.passphrase_file.write_text(secrets.token_hex(PASSPHRASE_BYTES), encoding="ascii")
        self.command(
            "init",
            *("--network", str(self.folder / "network.toml")),
            *("--name", self.full_name),
            *("--provider", provider),
            *("--passphrase-file", str(self.passphrase_file)),
        )

    def start(self, fleet: Fleet, *options: str) -> None:
        fleet.start(
            self.daemon_name,
            [
                "daemon",
                *("--profile", str(self.profile)),
                *("--passphrase-file", str(self.passphrase_file)),
                *options,
            ],
        )

    def command(self, name: str, *arguments: str, standard_input: str = "") -> dict[str, Any]:
        """What `hushmill NAME --json` printed. Raises UserError with what it said if it failed."""
        done = subprocess.run(  # noqa: S603 (our own command)
            [sys.executable, "-P", "-m", "hushmill", name, *self._common(), *arguments],
            input=standard_input,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            code = done.returncode if done.returncode in list(ExitCode) else ExitCode.BUG
            said = done.stderr.strip() or done.stdout.strip()
            raise UserError(f"hushmill {name} of {self.name}: {said}", ExitCode(code))
        answer = json.loads(done.stdout)
        if not isinstance(answer, dict):
            raise UserError(f"hushmill {name} --json printed no object", ExitCode.BUG)
        return answer

    def _common(self) -> list[str]:
        return ["--profile", str(self.profile), "--json"]

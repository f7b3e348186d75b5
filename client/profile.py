"""Where one person's files lie: the profile folder and its runtime folder.

Light on purpose: every command imports it, and `send` has 300 ms in all.
"""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hushmill.errors import ExitCode, UserError

PROFILE_VARIABLE = "HUSHMILL_PROFILE"
PRIVATE_UMASK = 0o077


@dataclass(frozen=True, slots=True)
class Profile:
    """One person's folder. `runtime` holds what does not outlive a boot: socket and lock. `option`
    is what a command that we recommend needs to mean this profile too (with its leading blank)."""

    folder: Path
    runtime: Path
    option: str = ""

    @property
    def vault(self) -> Path:
        """The encrypted store."""
        return self.folder / "vault.db"

    @property
    def network(self) -> Path:
        """The network's signed genesis, as it was when the profile was made."""
        return self.folder / "network.toml"

    @property
    def lock(self) -> Path:
        """Held by the one daemon of this profile. It lies beside the vault, not in the runtime
        folder, so that two daemons with different environments still meet at it."""
        return self.folder / "daemon.lock"

    @property
    def socket(self) -> Path:
        return self.runtime / "daemon.sock"

    def make_folders(self) -> None:
        """Both folders, 0700 where they are made. Raises UserError (10) where that fails."""
        try:
            for folder in (self.folder, self.runtime):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"The profile folder {self.folder} cannot be made ({error.strerror}). "
                "Choose another with --profile.",
                ExitCode.PERMISSION,
            ) from error
        self.check_private()

    def check_private(self) -> None:
        """Refuses folders that others can enter or that belong to somebody else (exit 10)."""
        for folder in (self.folder, self.runtime):
            try:
                status = folder.stat()
            except FileNotFoundError:
                continue  # no daemon has run yet
            except OSError as error:
                raise UserError(
                    f"The folder {folder} cannot be read ({error.strerror}).", ExitCode.PERMISSION
                ) from error
            if status.st_uid != os.getuid():
                raise UserError(
                    f"The folder {folder} belongs to another user. Choose your own with --profile.",
                    ExitCode.PERMISSION,
                )
            if status.st_mode & 0o077:
                raise UserError(
                    f"Other users can look into {folder}. Close it: chmod 700 '{folder}'",
                    ExitCode.PERMISSION,
                )

    def require(self) -> None:
        """Refuses a profile that `hushmill init` has not finished (exit 3)."""
        if not (self.vault.exists() and self.network.exists()):
            raise UserError(
                f"There is no profile in {self.folder}. Make one: "
                f"hushmill init --network FILE{self.option}",
                ExitCode.CONFIGURATION,
            )


def find_profile(option: Path | None, environ: Mapping[str, str]) -> Profile:
    """The profile that a command means: `--profile`, else HUSHMILL_PROFILE, else the XDG folder.

    A chosen folder holds everything, its runtime folder too. The default one puts its socket into
    XDG_RUNTIME_DIR where there is one.
    """
    chosen = option if option is not None else environ.get(PROFILE_VARIABLE)
    if chosen:
        folder = Path(chosen).expanduser().absolute()
        words = f" --profile {shlex.quote(str(option))}" if option is not None else ""
        return Profile(folder, folder / "run", words)
    import platformdirs

    folder = platformdirs.user_data_path("hushmill", appauthor=False)
    if environ.get("XDG_RUNTIME_DIR"):
        return Profile(folder, platformdirs.user_runtime_path("hushmill", appauthor=False))
    return Profile(folder, folder / "run")

"""The systemd unit of a mix: its sandbox, and limits that fit the node's own settings."""

import re
import subprocess
from pathlib import Path

from hushmill.errors import ExitCode
from hushmill.runtime import ListenerLimits
from hushmill.runtime.descriptors import SPARE_DESCRIPTORS
from mixnode import NodeSettings
from mixnode.service import DRAIN_SECONDS, DRAIN_SPARE_SECONDS

UNIT = Path(__file__).parents[2] / "deploy" / "hushmill-mix@.service"
MOST_EXPOSURE = 2.0
PROCESS_MIB, WORKER_MIB, WORKERS = 100, 60, 4


def setting(name: str) -> str:
    """The one value of a setting that stands once."""
    values = re.findall(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(values) == 1, name
    return str(values[0])


def test_its_sandbox_is_tight() -> None:
    """Not skipped where there is no systemd-analyze: .ci/run installs it."""
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert exposure is not None, done.stdout + done.stderr
    assert float(exposure.group(1)) <= MOST_EXPOSURE


def test_it_has_no_account_and_writes_its_own_directory_alone() -> None:
    assert setting("DynamicUser") == "yes"
    assert setting("ProtectSystem") == "strict"
    assert setting("StateDirectory") == "hushmill/%i"
    assert setting("ExecStart").endswith("mix run /var/lib/hushmill/%i")
    text = UNIT.read_text(encoding="utf-8")
    assert "ReadWritePaths" not in text
    assert "\nExecReload" not in text


def test_a_stop_leaves_time_to_drain() -> None:
    assert int(setting("TimeoutStopSec").removesuffix("s")) > DRAIN_SECONDS + DRAIN_SPARE_SECONDS
    assert setting("KillMode") == "mixed"  # its workers go on until it has drained


def test_what_a_person_must_mend_is_not_started_again() -> None:
    stops = {
        ExitCode.USAGE,
        ExitCode.NOT_FOUND,
        ExitCode.CONFIGURATION,
        ExitCode.SECURITY_STOP,
        ExitCode.LOCKED,
        ExitCode.PERMISSION,
    }
    assert {int(code) for code in setting("RestartPreventExitStatus").split()} == stops


def test_its_limits_hold_what_the_node_allows_itself() -> None:
    memory_mib = int(setting("MemoryMax").removesuffix("G")) * 1024
    budget = NodeSettings(listen="::").budget_mib
    assert memory_mib >= budget + PROCESS_MIB + WORKERS * WORKER_MIB
    assert int(setting("LimitNOFILE")) >= ListenerLimits().connections + SPARE_DESCRIPTORS

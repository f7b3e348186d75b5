"""Runs a command under what a systemd unit allows it of the kernel:

    python -m tests.processes.unit_sandbox UNIT COMMAND…

No new privileges, no capabilities, the unit's system calls, and MemoryDenyWriteExecute= where it is
set. The sets of calls are systemd's own (`systemd-analyze syscall-filter`), their numbers those of
the kernel's header; the filter is classic BPF (seccomp(2)), on x86-64 alone.
"""

import ctypes
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
AUDIT_ARCH_X86_64 = 0xC000003E
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_MDWE = 38, 22, 24, 65
SECCOMP_MODE_FILTER = 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # ld abs 32, jeq k, ret k
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | 1  # the last with EPERM


def _has_filter() -> bool:
    return os.uname().machine == "x86_64" and HEADER.exists()


def allowed_calls(unit: str) -> set[str]:
    """By the lines of SystemCallFilter= in their order: the first lists what is allowed."""
    allowed: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit, re.MULTILINE):
        calls = set().union(*(_expanded(name) for name in line.removeprefix("~").split()))
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


def _expanded(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    command = ["systemd-analyze", "--no-pager", "syscall-filter", name]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line.strip() for line in text.splitlines()[1:]]
    names = [line for line in lines if line and not line.startswith("#")]
    return set().union(*(_expanded(each) for each in names))


def _numbers() -> dict[str, int]:
    found = re.findall(r"#define __NR_(\w+) (\d+)", HEADER.read_text(encoding="ascii"))
    return {name: int(number) for name, number in found}


def _program(calls: set[str]) -> bytes:
    def step(code: int, on_true: int, on_false: int, value: int) -> bytes:
        return struct.pack("HBBI", code, on_true, on_false, value)

    numbers = _numbers()
    steps = [step(LOAD, 0, 0, 4), step(EQUAL, 1, 0, AUDIT_ARCH_X86_64), step(RETURN, 0, 0, KILL)]
    steps.append(step(LOAD, 0, 0, 0))
    for number in sorted(numbers[call] for call in calls if call in numbers):
        steps += [step(EQUAL, 0, 1, number), step(RETURN, 0, 0, ALLOW)]
    steps.append(step(RETURN, 0, 0, REFUSE))
    return b"".join(steps)


def _control(option: int, *values: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, *values, *[0] * (4 - len(values))) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def main(unit: Path, command: list[str]) -> None:
    text = unit.read_text(encoding="utf-8")
    if "\nMemoryDenyWriteExecute=yes\n" in text:
        _control(PR_SET_MDWE, 1)
    if os.geteuid() == 0:
        for capability in range(41):
            _control(PR_CAPBSET_DROP, capability)
    _control(PR_SET_NO_NEW_PRIVS, 1)
    if _has_filter():
        _filter(_program(allowed_calls(text)))
    os.execvp(command[0], command)  # noqa: S606


def _filter(program: bytes) -> None:
    steps = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(steps))
    _control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(head, len(head)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

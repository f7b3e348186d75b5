"""Where a profile lies, and who may not look into it."""

import os
import stat
from pathlib import Path

import pytest

from client.profile import Profile, find_profile
from client.views import grouped, shown, shown_lines, size_text, span_text, table
from hushmill.errors import ExitCode, UserError


def test_prefers_the_option_then_the_variable_then_xdg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = {"HUSHMILL_PROFILE": str(tmp_path / "b")}
    assert find_profile(tmp_path / "a", variable).folder == tmp_path / "a"
    assert find_profile(None, variable).folder == tmp_path / "b"
    assert find_profile(None, variable).runtime == tmp_path / "b" / "run"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert find_profile(None, {}).folder == tmp_path / "data" / "hushmill"
    assert find_profile(None, {}).socket == tmp_path / "data" / "hushmill" / "run" / "daemon.sock"
    in_runtime = find_profile(None, {"XDG_RUNTIME_DIR": str(tmp_path)})
    assert in_runtime.socket == tmp_path / "hushmill" / "daemon.sock"


def test_makes_folders_for_the_owner_alone(tmp_path: Path) -> None:
    profile = find_profile(tmp_path / "person", {})
    profile.make_folders()
    for folder in (profile.folder, profile.runtime):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_refuses_a_folder_that_others_can_enter(tmp_path: Path) -> None:
    profile = find_profile(tmp_path / "person", {})
    profile.make_folders()
    profile.folder.chmod(0o755)
    with pytest.raises(UserError, match="chmod 700") as caught:
        profile.check_private()
    assert caught.value.exit_code is ExitCode.PERMISSION


def test_refuses_a_folder_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = find_profile(tmp_path / "person", {})
    profile.make_folders()
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(UserError) as caught:
        profile.check_private()
    assert caught.value.exit_code is ExitCode.PERMISSION


def test_says_how_to_make_a_missing_profile(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="hushmill init") as caught:
        Profile(tmp_path, tmp_path).require()
    assert caught.value.exit_code is ExitCode.CONFIGURATION


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain ü 漢 👩\u200d🚀", "plain ü 漢 👩\u200d🚀"),
        ("\x1b[2J", "\\u{1b}[2J"),
        ("a\rb\nc\0", "a\\u{d}b\\u{a}c\\u{0}"),
        ("invoice\u202efdp.exe", "invoice\\u{202e}fdp.exe"),
        ("\u2066\u200f\ufeff\u2028\u200b\x7f\x9b", None),
        ("\U000e0041\ud800", None),
    ],
)
def test_makes_visible_what_would_act_on_a_terminal(text: str, line: str | None) -> None:
    expected = "".join(f"\\u{{{ord(c):x}}}" for c in text) if line is None else line
    assert shown(text) == expected


def test_breaks_lines_at_newlines_alone() -> None:
    assert shown_lines("a\nb\u2028c\td") == ["a", "b\\u{2028}c    d"]


def test_lays_out_tables_sizes_spans_and_numbers() -> None:
    assert list(table(("A", "B"), [("long", "x")])) == ["A     B", "long  x"]
    assert [size_text(n) for n in (7, 1500, 65_536, 1.02e9)] == [
        "7 B",
        "1.5 kB",
        "66 kB",
        "1.02 GB",
    ]
    assert [span_text(s) for s in (0, 61, 3600 * 25)] == ["0 s", "1 min 1 s", "1 d 1 h"]
    assert grouped("01234" * 12) == ["01234 01234 01234 01234"] * 3

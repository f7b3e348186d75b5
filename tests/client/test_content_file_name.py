import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from client import safe_file_name
from client.file_name import FILE_NAME_BYTES, LOOKED_AT_CHARACTERS

# kind of attack: claimed name, safe name
HOSTILE = {
    "relative traversal": ("../../etc/passwd", "passwd"),
    "absolute path": ("/etc/shadow", "shadow"),
    "windows traversal": ("..\\..\\windows\\system32\\evil.dll", "evil.dll"),
    "drive letter": ("C:\\autoexec.bat", "autoexec.bat"),
    "drive without slash": ("C:evil.txt", "C_evil.txt"),
    "network share": ("\\\\server\\share\\x.txt", "x.txt"),
    "NUL in the middle": ("photo.jpg\0.exe", "photo.jpg.exe"),
    "line break": ("a\nrm -rf.txt", "arm -rf.txt"),
    "carriage return": ("safe.txt\r\x1b[2K", "safe.txt[2K"),
    "terminal escape": ("\x1b]0;owned\x07.txt", "]0_owned.txt"),
    "delete and C1 controls": ("a\x7f\x9b31mb.txt", "a31mb.txt"),
    "right-to-left override": ("invoice\u202egpj.exe", "invoicegpj.exe"),
    "directional isolates": ("a\u2066b\u2069\u200f.txt", "ab.txt"),
    "zero-width characters": ("pass\u200b\u200d\ufeffword.txt", "password.txt"),
    "line separator": ("a\u2028b\u2029.txt", "ab.txt"),
    "too long": ("x" * 300 + ".txt", "x" * 196 + ".txt"),
    "too long in UTF-8": ("ä" * 200 + ".pdf", "ä" * 98 + ".pdf"),
    "too long without an extension": ("y" * 256, "y" * 200),
    "only dots": ("..", "file"),
    "one dot": (".", "file"),
    "empty": ("", "file"),
    "only separators": ("///\\\\", "file"),
    "hidden file": (".bashrc", "bashrc"),
    "trailing dots and spaces": ("evil.exe. . .", "evil.exe"),
    "reserved device": ("CON", "_CON"),
    "reserved device with extension": ("nul.tar.gz", "_nul.tar.gz"),
    "reserved device with a superscript": ("COM¹.txt", "_COM1.txt"),
    "looks like an option": ("-rf", "rf"),
    "home folder": ("~root", "root"),
    "full-width slash": ("..／..／passwd", "passwd"),
    "look-alike slash": ("a\u2215b\u2044c", "a_b_c"),
    "alternate data stream": ("file.txt:evil.exe", "file.txt_evil.exe"),
    "wild cards and pipes": ("a*b?c|d<e>.txt", "a_b_c_d_e_.txt"),
    "script": ("<script>alert(1)</script>.png", "script_.png"),
    "command substitution": ("$(reboot)`id`.txt", "_(reboot)_id_.txt"),
    "percent-coded slash": ("..%2f..%2fpasswd", "_2f._2fpasswd"),
    "lone surrogate": ("a\ud800b.txt", "ab.txt"),
    "private use": ("a\ue000b.txt", "ab.txt"),
    "blank letters": ("\u3164\u115f.txt", "txt"),
    "strange spaces": ("a\u00a0\u2003b.txt", "a b.txt"),
    "two forms of one name": ("e\u0301.txt", "é.txt"),
    "hidden long extension": ("a." + "b" * 300, "a." + "b" * 198),
}


def test_covers_twenty_eight_kinds_and_more() -> None:
    assert len(HOSTILE) >= 28


@pytest.mark.parametrize("kind", HOSTILE)
def test_makes_a_hostile_name_safe(kind: str) -> None:
    claimed, safe = HOSTILE[kind]
    assert safe_file_name(claimed) == safe


@pytest.mark.parametrize(
    "name", ["report.pdf", "Übersicht 2026.ods", "日本語.txt", "a (2).tar.gz", "it's.txt", "README"]
)
def test_leaves_an_ordinary_name_alone(name: str) -> None:
    assert safe_file_name(name) == name


@given(st.text(max_size=400))
@example("a." + "\u0344" * 200)
@example("\u1e9b\u0323" * 90 + ".txt")
@example("_con")
@example("-.-.~.")
@example("x" * 199 + " .txt")
@example("con" + " " * 300 + ".txt")
@example("x" * 195 + ".con .txt")
@example("ﷺ" * 30)
@example(("a" * 179 + " .") + "b" * 30)
def test_any_name_becomes_one_safe_component(claimed: str) -> None:
    name = safe_file_name(claimed)
    assert 1 <= len(name.encode()) <= FILE_NAME_BYTES
    assert not set(name) & set('/\\\0<>:"|?*')
    assert name not in {".", ".."}
    assert name[0] not in " .-~"
    assert name[-1] not in " ."
    assert not any(unicodedata.category(character)[0] == "C" for character in name)
    assert name.split(".")[0].strip().lower() not in {"con", "nul", "aux", "prn", "com1", "lpt9"}
    assert unicodedata.normalize("NFC", name) == name
    assert safe_file_name(name) == name


@pytest.mark.parametrize(
    "claimed", ["a" + "\u0301" * 75_000 + "\u0316" * 75_000, "\ufdfa" * 100_000, "x" * 300_000]
)
def test_a_boundless_name_is_cut_before_the_work(
    claimed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Putting combining marks in order takes time with the square of their number."""
    normalised: list[int] = []
    normalize = unicodedata.normalize

    def counting(form: str, text: str) -> str:
        normalised.append(len(text))
        return normalize(form, text)  # type: ignore[arg-type]

    monkeypatch.setattr(unicodedata, "normalize", counting)
    name = safe_file_name(claimed)
    assert 1 <= len(name.encode()) <= FILE_NAME_BYTES
    assert normalised[0] == LOOKED_AT_CHARACTERS
    assert max(normalised) == LOOKED_AT_CHARACTERS
    assert len(normalised) < 10


def test_a_long_path_is_not_mistaken_for_a_long_name() -> None:
    assert safe_file_name("folder/" * 1000 + "a.txt") == "a.txt"
    assert safe_file_name("folder\\" * 1000 + "a.txt") == "a.txt"

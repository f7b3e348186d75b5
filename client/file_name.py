"""A file's name as a contact claims it, made into one that is safe to write and to show.

Never a path, never hidden, never a device, never longer than a file system takes; no character
that a terminal obeys or that turns the text around. Spec: docs/spec/e2ee.md (Content).
"""

import unicodedata

FILE_NAME_BYTES = 200  # below the 255 of file systems, so that " (2)" still fits
# Of the last component; no file system has longer ones. To normalise a boundless name takes time
# with the square of its length.
LOOKED_AT_CHARACTERS = 1024
_FALLBACK = "file"
_EXTENSION_BYTES = 20
_ROUNDS = 10  # two are enough for every name we know
# Not for file systems, shells or pages; U+2044, U+2215 and U+29F8 look like a slash.
_REPLACED = frozenset('<>:"|?*%$`&;\u2044\u2215\u29f8\u29f5\ufe68')
_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u2800")  # letters by category, blank to the eye
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{device}{digit}" for device in ("com", "lpt") for digit in "0123456789"]
)


def safe_file_name(claimed: str) -> str:
    """One path component of 1–200 bytes in UTF-8; applied to its own result it changes nothing."""
    name = claimed.replace("\\", "/").rsplit("/", 1)[-1][:LOOKED_AT_CHARACTERS]
    for _ in range(_ROUNDS):
        cleaned = _cleaned(name)
        if cleaned == name:
            return name
        name = cleaned
    return _FALLBACK


def _cleaned(name: str) -> str:
    """One round: a cut can bare a space or a device's name, which the next one sees."""
    # Compatibility forms first: a full-width slash becomes the slash that is then cut at.
    text = unicodedata.normalize("NFKC", name).replace("\\", "/").rsplit("/", 1)[-1]
    text = _trimmed("".join(_shown(character) for character in text))
    stem, dot, extension = text.rpartition(".")
    if dot and len(extension.encode()) <= _EXTENSION_BYTES:
        room = FILE_NAME_BYTES - len(extension.encode()) - 1
        text = f"{_trimmed(_cut(stem, room))}.{extension}"
    text = _trimmed(_cut(text, FILE_NAME_BYTES))
    if text.split(".", 1)[0].rstrip().lower() in _DEVICES:
        text = _cut(f"_{text}", FILE_NAME_BYTES)
    return text or _FALLBACK


def _shown(character: str) -> str:
    """The character, a stand-in, or nothing for what controls or cannot be seen."""
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category[0] == "C" or category in {"Zl", "Zp"} or character in _INVISIBLE:
        return ""
    if character in _REPLACED:
        return "_"
    return character


def _trimmed(text: str) -> str:
    """Without what hides a file, looks like an option or a home, or is dropped by some systems."""
    return " ".join(text.split()).lstrip(" .-~").rstrip(" .")


def _cut(text: str, limit: int) -> str:
    """At most `limit` bytes, never half a character."""
    return text.encode()[:limit].decode(errors="ignore")

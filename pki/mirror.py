"""A static mirror of the directory: plain files, which anybody may serve, since they are signed.

`latest` holds the newest document; `EPOCH` (decimal) each one by its epoch. A mirror can be late
or gone, and can do no worse. Spec: docs/spec/directory.md (Mirrors).
"""

import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import Epoch
from hushmill.runtime import atomic_write
from pki.consensus import DOCUMENT_BYTES_LIMIT

LATEST_FILE = "latest"
DOCUMENTS_FOLDER = "documents"
_TIMEOUT_SECONDS = 20.0


def write_mirror(folder: Path, documents: dict[Epoch, bytes]) -> Path:
    """Adds the documents to `folder`; `latest` is written last. Returns the path of `latest`."""
    by_epoch = folder / DOCUMENTS_FOLDER
    by_epoch.mkdir(mode=0o755, parents=True, exist_ok=True)
    for epoch, data in documents.items():
        atomic_write(by_epoch / str(epoch), data, 0o644)
    latest = folder / LATEST_FILE
    if documents:
        atomic_write(latest, documents[max(documents)], 0o644)
    return latest


def read_mirror(address: str, epoch: Epoch | None) -> bytes:
    """The bytes that a mirror at `address` (file:, http:, https: URL of its folder) gives for
    `epoch`, or for the newest. They are not verified here.

    Raises UserError(NO_CONSENSUS) when it gives none, USAGE for another kind of address.
    """
    if urlsplit(address).scheme not in ("file", "http", "https"):
        raise UserError("A mirror's address begins with file:, http: or https:.", ExitCode.USAGE)
    name = LATEST_FILE if epoch is None else f"{DOCUMENTS_FOLDER}/{epoch}"
    url = f"{address.rstrip('/')}/{name}"
    try:
        # The scheme was checked; what comes back is bounded, and verified by the caller.
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            data: bytes = answer.read(DOCUMENT_BYTES_LIMIT + 1)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise UserError(
            f"The mirror {address} gave no document. Try another, or ask the authorities.",
            ExitCode.NO_CONSENSUS,
        ) from error
    return data

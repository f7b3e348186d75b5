"""Root's commands in another user's directory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def acting_as_owner(path: Path) -> Iterator[None]:
    """Within, root is the owner of the directory `path`: what is made there is its owner's, and no
    link or name that the owner has put there leads to what the owner may not touch. A service that
    was broken into must not reach further through an operator who looks after it.

    Nothing changes for anybody but root, for root's own directory, and where there is none yet.
    """
    owner = path.stat() if path.exists() else None
    if os.geteuid() != 0 or owner is None or owner.st_uid == 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(os.getgid())
        os.setgroups(groups)

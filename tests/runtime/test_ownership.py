"""What root may do in another user's directory."""

import os
from pathlib import Path

import pytest

from hushmill.runtime import acting_as_owner

NOBODY = 65534


def test_nothing_changes_in_ones_own_directory_or_where_there_is_none(tmp_path: Path) -> None:
    before = os.geteuid(), os.getegid(), os.getgroups()
    for path in (tmp_path, tmp_path / "nothing"):
        with acting_as_owner(path):
            assert (os.geteuid(), os.getegid(), os.getgroups()) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for others")
def test_root_reaches_no_further_than_the_directorys_owner(tmp_path: Path) -> None:
    """A node that was broken into leaves a link where an operator's command will write."""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_mode & 0o005 != 0o005 and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o005)
    theirs, victim = tmp_path / "theirs", tmp_path / "victim"
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    victim.write_text("root's")
    victim.chmod(0o600)
    (theirs / "link").symlink_to(victim)
    with acting_as_owner(theirs):
        with pytest.raises(PermissionError):
            (theirs / "link").write_text("theirs")
        (theirs / "made").write_text("here")
    assert victim.read_text() == "root's"
    assert (theirs / "made").stat().st_uid == NOBODY
    assert os.geteuid() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for others")
def test_root_is_root_again_after_an_error(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    before = os.getgroups()
    with pytest.raises(RuntimeError), acting_as_owner(tmp_path):
        raise RuntimeError
    assert (os.geteuid(), os.getegid(), os.getgroups()) == (0, os.getgid(), before)

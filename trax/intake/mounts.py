"""Which file system a folder lies on, and whether what happens there can be heard of."""

from __future__ import annotations

import re
from pathlib import Path

#: Network and shared file systems: what other machines change there sends no events here. All of FUSE but `fuseblk` counts too.
_EVENTLESS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "vboxsf", "virtiofs"})
_MOUNTS = Path("/proc/self/mounts")


def is_eventless(file_system: str) -> bool:
    """Whether changes to such a file system may go unseen by inotify."""
    return file_system in _EVENTLESS or file_system.startswith("fuse.")


def file_system_of(folder: Path, mounts: Path = _MOUNTS) -> str:
    """The type of the file system that holds `folder`, such as `ext4` or `nfs4`; empty when it cannot be told."""
    try:
        rows = [line.split() for line in mounts.read_text(errors="surrogateescape").splitlines()]
    except OSError:
        return ""
    resolved = folder.resolve()
    # Blanks in a mount point are written in octal. The last of equally long ones lies on top of the others.
    points = [(Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), row[1])), row[2]) for row in rows]
    holding = [(len(point.parts), number, kind) for number, (point, kind) in enumerate(points) if resolved.is_relative_to(point)]
    return max(holding)[2] if holding else ""

"""The file that a run is written into until it is finished (docs/format.md)."""
from __future__ import annotations

import os
import struct

from .errors import RecordError

try:
    import fcntl
except ImportError:  # elsewhere than on Unix nobody else writes it
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".part"
_COPIED_AT = 1 << 62  # the byte that is locked while the file is copied, to be looked at
_LOCK = "hhqqi4x"  # struct flock of Linux, 64 bits


def is_begun(target: str) -> bool:
    """Whether there is anything to go on with."""
    return os.path.exists(target + SUFFIX) or os.path.exists(target)


class Draft:
    """A run that is being written beside its target, which it becomes as a whole. Nobody else can write it meanwhile."""

    def __init__(self, target: str, resume: bool = False):
        """Creates it, or, with resume, takes up the one that is there, or what an earlier version left at the target itself."""
        self._target = target
        self.path = target if resume and not os.path.exists(target + SUFFIX) else target + SUFFIX
        self._file = os.open(self.path, os.O_RDWR | (0 if resume else os.O_CREAT | os.O_EXCL), 0o666)
        try:
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise RecordError(f"{self.path} is being written by another program: wait until it is done") from None

    def is_copied(self) -> bool:
        """Whether somebody copies it just now, to look at it, and would rather have it stand still."""
        if fcntl is None or not hasattr(fcntl, "F_OFD_GETLK"):
            return False
        try:
            lock = fcntl.fcntl(self._file, fcntl.F_OFD_GETLK, struct.pack(_LOCK, fcntl.F_WRLCK, os.SEEK_SET, _COPIED_AT, 1, 0))
        except OSError:
            return False
        return bool(struct.unpack(_LOCK, lock)[0] != fcntl.F_UNLCK)

    def publish(self) -> None:
        """What is whole, and closed, gets its name, unless something else has it; nobody writes it any more."""
        os.chmod(self.path, os.stat(self.path).st_mode & 0o555)
        os.fsync(self._file)
        if self.path == self._target:
            return
        try:
            os.link(self.path, self._target)
        except FileExistsError:
            raise RecordError(f"{self._target} was made by somebody else meanwhile: move it away, and give {self.path} its name") from None
        except OSError:  # a disk without such links
            if os.path.exists(self._target):
                raise
            os.rename(self.path, self._target)
        else:
            os.remove(self.path)
        try:
            folder = os.open(os.path.dirname(os.path.abspath(self._target)), os.O_RDONLY)
        except OSError:
            return  # where folders cannot be opened, there is nothing to do about it
        try:
            os.fsync(folder)
        except OSError:
            pass
        finally:
            os.close(folder)

    def remove(self) -> None:
        """Nothing of it is worth to be kept."""
        for path in (self.path + "-journal", self.path):
            if os.path.exists(path):
                os.remove(path)

    def end(self) -> None:
        """Lets go of it."""
        os.close(self._file)

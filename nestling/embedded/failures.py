"""What can go wrong with an embedded server, in words that say how to mend it."""

import errno
import os
import shutil
from pathlib import Path


class EmbeddedFailed(Exception):
    """An embedded server cannot run here. The text is for the person at the terminal: what is wrong, how to mend it."""


class NotInstalled(EmbeddedFailed):
    """The extra that brings the server is not installed."""


def explain(error: OSError, folder: Path) -> EmbeddedFailed:
    """The same failure in words."""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return EmbeddedFailed(
            f"No permission to write in {folder}. Run it in a folder of your own, or set DATA_DIR to a folder you may "
            "write to."
        )
    copied_halfway = isinstance(error, shutil.Error) and os.strerror(errno.ENOSPC) in str(error)  # it has no errno
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or copied_halfway:
        return disk_full(folder)
    return EmbeddedFailed(f"{folder}: {error.strerror or error}")


def disk_full(folder: Path) -> EmbeddedFailed:
    return EmbeddedFailed(
        f"The disk that holds {folder} is full. Free some space there (the demo needs about 2 GB) and run the same "
        "command again: it goes on where it stopped."
    )

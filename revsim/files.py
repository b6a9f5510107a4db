"""Writing a file whole or not at all."""

import os
import tempfile
from pathlib import Path

from revsim.errors import InputError


def write_whole(path: str | Path, content: bytes) -> None:
    """Write `content` to a temporary file beside `path` and move it there.

    Raises InputError where that cannot be done; nothing half-written is left behind.
    """
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.absolute().parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            mask = os.umask(0)  # a temporary file is private; give it the mode of any other file
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error

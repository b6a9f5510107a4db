"""One hypothesis profile (kernels compile on first use: no deadline) and the public test data."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("revsim", deadline=None, derandomize=True)
settings.load_profile("revsim")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real models and circuits: REVSIM_SHARED_DATA, else `shared/data` beside the
    repository or beside the folder that holds it; the test skips without it."""
    given = os.environ.get("REVSIM_SHARED_DATA")
    if given:
        return Path(given)
    for folder in Path(__file__).resolve().parents[2:4]:
        if (folder / "shared" / "data").is_dir():
            return folder / "shared" / "data"
    pytest.skip("no public test data: set REVSIM_SHARED_DATA to its folder")

"""One hypothesis profile (kernels compile on first use: no deadline) and the public test data."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("revsim", deadline=None, derandomize=True)
settings.load_profile("revsim")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real models and circuits beside the repository; the test skips without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the public test data is not beside this checkout")
    return folder

"""revsim gives the same numbers where numba cannot be imported."""

import json
import subprocess
import sys

from revsim.pipeline import verify

PROGRAM = """
import sys
sys.modules["numba"] = None  # importing it now fails
from revsim.pipeline import verify
print(verify("toy").to_json())
"""


def test_the_plain_path_reports_the_same_numbers() -> None:
    plain = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert plain.returncode == 0, plain.stderr
    found, expected = json.loads(plain.stdout), json.loads(verify("toy").to_json())
    assert found.pop("provenance")["sha256"] == expected.pop("provenance")["sha256"]
    assert found == expected

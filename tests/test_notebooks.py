"""Every notebook runs from top to bottom, its own assertions included, and is stored bare."""

import json
import sys
import warnings
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SECONDS = 120


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_stored_without_outputs(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_outside_the_clone_says_what_to_do(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    lines = [line for c in cells if c["cell_type"] == "code" for line in c["source"]]
    if not any("CIRCUITS" in line for line in lines):
        pytest.skip("reads no file of the clone")
    start = next(k for k, line in enumerate(lines) if "cwd()" in line)
    search = "".join(lines[start : start + 4])
    assert search.endswith("CIRCUITS = FOLDERS[0]\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="open this notebook in a clone of revsim"):
        exec(search, {"Path": Path})
    monkeypatch.chdir(FOLDER)
    found: dict[str, object] = {"Path": Path}
    exec(search, found)
    assert found["CIRCUITS"] == FOLDER.parent / "circuits"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("nbclient", "nbformat", "ipykernel"):
        pytest.importorskip(package)
    with warnings.catch_warnings():  # of the messaging between kernel and client, not of revsim
        warnings.simplefilter("ignore")
        import nbformat
        from nbclient import NotebookClient

        monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        notebook = nbformat.read(path, as_version=4)
        where = {"metadata": {"path": str(FOLDER)}}
        client = NotebookClient(notebook, kernel_name="python3", timeout=SECONDS, resources=where)
        manager = client.create_kernel_manager()
        manager.kernel_spec.argv[0] = sys.executable  # this environment, whatever is registered
        client.execute()  # raises CellExecutionError where a cell fails
    assert all(c["execution_count"] for c in notebook.cells if c["cell_type"] == "code")

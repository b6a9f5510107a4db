"""`--calibrate DATA`: a float model quantised on the way in, for every verb that takes a model."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.frontends.floats.calibrate import Calibrated, calibrate
from revsim.network.files import read_npy, read_npz
from revsim.network.graph import Graph
from revsim.network.network import Network
from revsim.pipeline import load


def calibrated(
    model: str | Path,
    data: str | Path,
    *,
    percentile: float = 100.0,
    power_of_two: bool = False,
) -> Calibrated:
    """A float .onnx file, quantised on real rows from a .npy, or an .npz with rows and labels."""
    if Path(model).suffix != ".onnx":
        raise InputError(
            f"{model}: --calibrate quantises float .onnx models; export it with torch.onnx.export, "
            "or call rs.calibrate(module, data) in Python"
        )
    rows, labels = real_rows(data)
    try:
        return calibrate(model, rows, labels, percentile=percentile, power_of_two=power_of_two)
    except InputError as error:
        named = str(data) in str(error) or "data" not in str(error)
        raise error if named else InputError(f"{data}: {error}") from error


def real_rows(path: str | Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """Rows and labels: a .npy of rows, or an .npz of `rows` (or `x`) and perhaps `labels` (`y`)."""
    if Path(path).suffix != ".npz":
        return read_npy(path), None
    arrays = read_npz(path)
    for rows in ("rows", "x"):
        if rows in arrays:
            return arrays[rows], arrays.get("labels", arrays.get("y"))
    raise InputError(f"{path}: has no array 'rows'; it holds {', '.join(arrays) or 'nothing'}")


def load_as_asked(options: Namespace) -> tuple[Network | Graph, dict[str, Any]]:
    """The model of a command line, and what a report's provenance says of its calibration.

    With `--calibrate` and no data, the rows are those of the calibration: `options.data` is set.
    """
    if getattr(options, "calibrate", None) is None:
        for option, given in (
            ("--percentile", getattr(options, "percentile", 100) != 100),
            ("--power-of-two", getattr(options, "power_of_two", False)),
        ):
            if given:
                raise InputError(f"{option} goes with --calibrate DATA")
        return load(options.model), {}
    found = calibrated(
        options.model,
        options.calibrate,
        percentile=options.percentile,
        power_of_two=options.power_of_two,
    )
    if getattr(options, "data", "") is None and options.ensemble in (None, "data"):  # of verify
        options.data = options.calibrate
    return found.graph, {"calibration": as_dict(found)}


def as_dict(found: Calibrated) -> dict[str, Any]:
    """Plain values of a calibration."""
    return {
        "rows": found.rows,
        "input_scale": float(np.float64(found.quantiser.scale)),
        "input_zero": found.quantiser.zero,
        "error": found.error,
        "accuracy_before": found.accuracy_before,
        "accuracy_after": found.accuracy_after,
        "notes": list(found.notes),
    }


def summary(calibration: dict[str, Any]) -> str:
    """One line for the terminal."""
    found = calibration["calibration"]
    text = f"quantised to int8 on {found['rows']:,} rows; outputs differ by {found['error']:.2%}"
    if found["accuracy_before"] is not None:
        before, after = found["accuracy_before"], found["accuracy_after"]
        text += f"; accuracy on them {before:.2%} in floats, {after:.2%} in int8"
    return "; ".join([text, *found["notes"]])

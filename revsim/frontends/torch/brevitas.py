"""Brevitas modules: exported as QONNX by Brevitas itself, then read as any other QONNX model."""

import tempfile
import warnings
from pathlib import Path
from typing import Any

from revsim.errors import InputError, missing
from revsim.frontends.onnx.builder import Array
from revsim.network.graph import Graph


def is_brevitas(module: Any) -> bool:
    """Whether any part of a module is a layer of Brevitas."""
    return any(type(part).__module__.split(".")[0] == "brevitas" for part in module.modules())


def read_brevitas(module: Any, rows: Array, name: str) -> Graph:
    """A Brevitas module as a `Graph`; the first row shows the shape of its input."""
    import torch

    from revsim.frontends.onnx.reader import from_onnx

    try:
        from brevitas.export import export_qonnx
    except ImportError as error:
        raise missing("a Brevitas module", "brevitas", "torch") from error
    training = [part for part in module.modules() if part.training]
    module.eval()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "exported.onnx"
        example = torch.as_tensor(rows[:1], dtype=torch.float32)
        try:
            export_qonnx(module, args=example, export_path=str(path), dynamo=False)
        except Exception as error:  # whatever a user's module does on the way
            line = str(error).strip().splitlines()[0][:160] if str(error).strip() else ""
            raise InputError(
                f"{name}: Brevitas cannot export it ({type(error).__name__}: {line})"
            ) from None
        finally:
            for part in training:
                part.training = True
        return from_onnx(path.read_bytes(), name=name)

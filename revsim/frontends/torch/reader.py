"""`from_torch`: PyTorch modules as graphs of integers.

A module is traced with torch.fx, so that its own forward method says what happens in which order,
and run once, so that every shape is known. A module that torch.ao.quantization has converted is
taken as it is (quantised.py); a float module is quantised by revsim on data (floats/calibrate.py).
"""

from typing import Any

from revsim.errors import InputError
from revsim.frontends.floats.calibrate import calibrate
from revsim.frontends.torch.brevitas import is_brevitas, read_brevitas
from revsim.frontends.torch.operations import read_floats
from revsim.frontends.torch.quantised import is_quantised, read_quantised
from revsim.frontends.torch.trace import rows_of, trace
from revsim.network.graph import Graph


def from_torch(
    module: Any, data: Any = None, labels: Any = None, *, name: str | None = None, **options: Any
) -> Graph:
    """A torch.nn.Module as a `Graph`; needs the package torch.

    Quantised modules (torch.ao.quantization, eager mode, converted; Brevitas, which exports itself
    as QONNX) keep their own integers; data is then one or more rows that show the input's shape. A
    float module is quantised to int8 on `data`, real rows [rows, ...] (see revsim.calibrate, which
    takes the same options and says how accurate the result is). Raises InputError, naming every
    layer that cannot be read.
    """
    if data is None:
        raise InputError(
            "from_torch(module, data): data are rows of the module's input; they show its shape "
            "and, for a float module, the ranges to quantise by"
        )
    rows = rows_of(data)
    if hasattr(module, "modules") and is_brevitas(module):
        return read_brevitas(module, rows, name or type(module).__name__)
    traced = trace(module, rows, name)
    if is_quantised(traced):
        return read_quantised(traced)
    return calibrate(read_floats(traced), rows, labels, **options).graph

"""What a PyTorch module does, in order: traced with torch.fx and run once on a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from revsim.errors import InputError, missing
from revsim.frontends.onnx.builder import Array


@dataclass(frozen=True, eq=False)
class Traced:
    """A module's operations in order, and what each gave for the first row of the data.

    operations: nodes of torch.fx; results: what each node made, by its name.
    """

    name: str
    module: Any
    operations: tuple[Any, ...]
    results: Mapping[str, Any]
    parts: Mapping[str, Any]

    def is_size(self, operation: Any) -> bool:
        """Whether a node gave a number or a shape, which the run has already used."""
        found = self.results[operation.name]
        return isinstance(found, int | float | tuple) and not any(
            hasattr(v, "dtype") for v in (found if isinstance(found, tuple) else ())
        )

    def shape(self, operation: Any) -> tuple[int, ...]:
        """The shape of what a node made."""
        return tuple(int(n) for n in self.results[operation.name].shape)

    def called(self, operation: Any) -> str:
        """The layer, function or method of a node, in the user's words."""
        if operation.op == "call_module":
            return type(self.parts[operation.target]).__name__
        return str(getattr(operation.target, "__name__", operation.target))

    @property
    def last(self) -> Any:
        """The node whose value forward returns, None where it returns several."""
        (end,) = (o for o in self.operations if o.op == "output")
        return end.args[0] if hasattr(end.args[0], "op") else None


def rows_of(data: Any) -> Array:
    """Data given as a tensor or array, as an array of at least one row."""
    rows = np.asarray(data.detach().cpu().numpy() if hasattr(data, "detach") else data)
    if rows.ndim < 2 or len(rows) == 0 or rows.dtype.kind not in "fiub":
        raise InputError(f"data: numbers [rows, ...], not {rows.dtype} of shape {list(rows.shape)}")
    return rows


def trace(module: Any, rows: Array, name: str | None = None) -> Traced:
    """The operations of a module in evaluation mode."""
    try:
        import torch
        from torch import fx
    except ImportError:
        raise missing("a PyTorch module", "torch", "torch") from None
    called = name or type(module).__name__
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"from_torch takes a torch.nn.Module, not {type(module).__name__}")
    training = [part for part in module.modules() if part.training]
    module.eval()
    results: dict[str, Any] = {}

    try:
        traced = fx.symbolic_trace(module)
        with torch.no_grad():
            interpreter = fx.Interpreter(traced)
            run_node = interpreter.run_node

            def recorded(operation: Any) -> Any:
                results[operation.name] = run_node(operation)
                return results[operation.name]

            interpreter.run_node = recorded
            interpreter.run(torch.as_tensor(rows[:1], dtype=torch.float32))
    except Exception as error:  # whatever a user's forward method does
        line = str(error).strip().splitlines()[0][:160] if str(error).strip() else ""
        raise InputError(
            f"{called}: cannot be traced ({type(error).__name__}: {line}); its forward method must "
            f"take one tensor shaped like a row of the data, {list(rows.shape[1:])}, without "
            "branches on values"
        ) from None
    finally:
        for part in training:
            part.training = True
    parts = dict(traced.named_modules())
    return Traced(called, module, tuple(traced.graph.nodes), results, parts)

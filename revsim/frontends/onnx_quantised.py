"""Quantised operators of ONNX, and float operators between DequantizeLinear and QuantizeLinear."""

from typing import Any

from revsim.errors import InputError
from revsim.frontends.onnx_builder import Builder, Held


def outside(name: str, shape: tuple[int, ...]) -> Any:
    """A float input of the model."""
    raise InputError(f"input {name!r} {list(shape)}: float inputs are not read yet")


def output(builder: Builder, value: Any, name: str) -> Held:
    """A float output of the model."""
    raise InputError(f"output {name!r}: float outputs are not read yet")

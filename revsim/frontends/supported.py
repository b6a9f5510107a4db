"""The operators of all front ends, from the tables by which they read: `revsim supported`."""

from typing import Any

from revsim.frontends.floats.onnx import SOFTMAX
from revsim.frontends.floats.onnx_layers import CALIBRATED
from revsim.frontends.onnx import builder as onnx_builder
from revsim.frontends.onnx.operators import WORDS
from revsim.frontends.packages import added
from revsim.frontends.tflite.operators import SUPPORTED
from revsim.frontends.torch import layers as torch


def supported() -> dict[str, Any]:
    """Plain tables: `tflite`, `onnx`, `torch`, and `packages`, what installed packages add.

    tflite: operator, what is made of it, what is not. onnx: domain, operator, and whether it is
    read on integers, between DequantizeLinear and QuantizeLinear, and in float models that are
    calibrated. torch: layers and functions of float modules; of quantised modules, what
    torch/quantised.py reads.
    """
    whole = set(onnx_builder.MAKERS) | {("", name) for name in WORDS}
    floats = set(onnx_builder.FLOAT_MAKERS)
    calibrated = {("", name) for name in (*CALIBRATED, *SOFTMAX)}
    return {
        "tflite": [
            {"operator": kind, "made": made, "not": refused}
            for kind, (made, refused) in sorted(SUPPORTED.items())
        ],
        "onnx": [
            {
                "domain": domain,
                "operator": operator,
                "integers": (domain, operator) in whole,
                "folded": (domain, operator) in floats,
                "calibrated": (domain, operator) in calibrated,
            }
            for domain, operator in sorted(whole | floats | calibrated)
        ],
        "torch": sorted({*torch.MAKERS, *torch.LAST}),
        "packages": [
            {"name": entry.name, "package": entry.dist.name if entry.dist else ""}
            for entry in added()
        ],
    }


def render() -> str:
    """The tables as text of at most 80 columns."""
    tables = supported()
    lines = ["TensorFlow Lite (.tflite)", ""]
    for row in tables["tflite"]:
        said = row["made"] if row["made"] else f"not read: {row['not']}"
        lines += _wrapped(row["operator"], said, 31)
    lines += ["", "ONNX (.onnx): i on integers, f between DequantizeLinear and QuantizeLinear,"]
    lines += ["c with --calibrate"]
    domains: dict[str, list[str]] = {}
    for row in tables["onnx"]:
        marks = "".join(
            mark
            for mark, key in (("i", "integers"), ("f", "folded"), ("c", "calibrated"))
            if row[key]
        )
        domains.setdefault(row["domain"] or "ai.onnx", []).append(f"{row['operator']}[{marks}]")
    for domain, names in domains.items():
        lines += ["", *_wrapped(domain, ", ".join(names), 29)]
    lines += ["", "PyTorch (rs.from_torch, rs.calibrate): layers and functions of their names", ""]
    lines += _wrapped("torch.nn", ", ".join(tables["torch"]), 29)
    lines += ["", "Added by installed packages (entry points revsim.operators)", ""]
    for row in tables["packages"]:
        lines += _wrapped(row["name"], row["package"], 29)
    return "\n".join(lines if tables["packages"] else lines[:-3]) + "\n"


def _wrapped(name: str, text: str, width: int) -> list[str]:
    from textwrap import wrap

    first, *rest = wrap(text, 80 - width) or [""]
    return [f"  {name:<{width - 2}}{first}", *(" " * width + line for line in rest)]

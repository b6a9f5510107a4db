"""Small ONNX models for tests: made, run by the reference and at gates, held against formulas."""

import numpy as np
import pytest

from revsim.frontends.onnx.reader import from_onnx
from revsim.network.graph_reference import run_graph
from revsim.network.reals import quantise

pytest.importorskip("onnx")
from onnx import helper, numpy_helper

MICROSOFT = "com.microsoft"
f32 = np.float32


def model(nodes, inputs, outputs, constants=(), opset=13):
    """A ModelProto; inputs: name -> (type, shape); constants: name -> array."""
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info(n, t, shape) for n, (t, shape) in inputs.items()],
        [helper.make_tensor_value_info(n, t, None) for n, t in outputs.items()],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in dict(constants).items()],
    )
    imports = [(MICROSOFT, 1), ("", opset), ("onnx.brevitas", 1)]
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid(*i) for i in imports], ir_version=9
    )


def node(operator, inputs, outputs=("y",), domain="", **attributes):
    return helper.make_node(operator, inputs, list(outputs), domain=domain, **attributes)


def run(graph, **given):
    """Outputs of a graph as the model gives them: floats where it has floats."""
    rows = {
        n: quantise(graph.tensors[n], x) if x.dtype.kind == "f" else x for n, x in given.items()
    }
    values = run_graph(graph, rows)
    out = []
    for name in graph.outputs:
        tensor, value = graph.tensors[name], values[name]
        out.append(value.reshape(len(value), *tensor.shape))
    return out


def runtime(proto, **given):
    """Rows of onnxruntime's first output, or None where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    count = len(next(iter(given.values())))
    rows = [session.run(None, {n: x[r] for n, x in given.items()})[0] for r in range(count)]
    return np.stack(rows)


def check(proto, expected, **given):
    """The graph equals a formula, and both equal onnxruntime."""
    (made,) = run(from_onnx(proto), **given)
    np.testing.assert_array_equal(made.ravel(), np.asarray(expected).ravel())
    theirs = runtime(proto, **given)
    if theirs is not None and theirs.dtype.kind in "iu":
        np.testing.assert_array_equal(made.ravel(), theirs.ravel())


def saturated(x, zero, dtype=np.uint8):
    ends = np.iinfo(dtype)
    return np.clip(np.rint(x).astype(np.int64) + int(zero), ends.min, ends.max)

"""One node on known numbers, by the reference evaluator of the package onnx."""

from collections.abc import Mapping

import numpy as np

from revsim.frontends.onnx.builder import Array, Refusal, Step, checked_size

LARGE = ("ConstantOfShape", "Expand", "Tile", "Range", "Resize", "Pad", "Upsample", "OneHot")
"""Operators whose output can be far larger than their inputs."""


def evaluated(step: Step, given: Mapping[str, Array]) -> list[Array]:
    """The outputs of a node for arrays of all its inputs, by their names.

    Outputs of a size that does not fit are refused before they are made.
    """
    import onnx
    from onnx.reference import ReferenceEvaluator

    if step.operator in ("If", "Loop", "Scan"):
        raise Refusal("control flow is not read", "export the model with its loops unrolled")
    if step.operator in LARGE:
        _check_large(step, given)
    graph = onnx.GraphProto(name="folded", node=[step.proto])
    for name, array in given.items():
        element = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        graph.input.append(onnx.helper.make_tensor_value_info(name, element, array.shape))
    for out in step.outputs:
        if out:
            graph.output.append(onnx.ValueInfoProto(name=out))
    imports = [onnx.helper.make_opsetid(step.domain, step.version)]
    model = onnx.helper.make_model(graph, opset_imports=imports)
    try:
        with np.errstate(all="ignore"):
            made = ReferenceEvaluator(model).run(None, dict(given))
    except Exception as error:
        line = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise Refusal(f"its constants cannot be computed ({line})") from error
    return [np.asarray(array) for array in made]


def _check_large(step: Step, given: Mapping[str, Array]) -> None:
    arrays = [given[name] for name in step.inputs if name]
    if step.operator == "Range":
        start, limit, delta = (float(a.ravel()[0]) for a in arrays)
        checked_size([0 if delta == 0 else max(0, int(min((limit - start) / delta, 1e18)))])
        return
    # The first input is data, but for ConstantOfShape: its numbers are no lengths.
    for array in arrays[step.operator != "ConstantOfShape" :]:
        if array.dtype == np.int64 and array.size <= 64:
            checked_size([max(1, abs(int(v))) for v in array.ravel()])

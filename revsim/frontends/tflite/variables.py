"""Variables of TensorFlow Lite: the state of a streaming model.

A handle names a variable; READ_VARIABLE gives its value, ASSIGN_VARIABLE changes it; a subgraph
that CALL_ONCE names sets the first values. The first read of an inference becomes an input of the
graph's state, the last value assigned its output.
"""

from revsim.frontends.shapes import places
from revsim.frontends.tflite.draft import Draft
from revsim.frontends.tflite.file import FileOperator
from revsim.network.graph import State


def call_once(draft: Draft, operator: FileOperator) -> None:
    """CALL_ONCE: a subgraph of handles and assignments of constants."""
    index = operator.options["InitSubgraphIndex"]
    if not 0 < index < len(draft.file.subgraphs):
        raise draft.fail(operator, f"names subgraph {index} of {len(draft.file.subgraphs)}")
    first = draft.file.subgraphs[index]
    handles: dict[int, str] = {}
    for step in first.operators:
        if step.kind == "VAR_HANDLE" and len(step.outputs) == 1:
            handles[step.outputs[0]] = _name(step)
        elif step.kind == "ASSIGN_VARIABLE" and len(step.inputs) == 2:
            handle, value = step.inputs
            if handle not in handles or value < 0:
                raise draft.fail(operator, f"its subgraph assigns to tensor {handle}, no handle")
            draft.started[handles[handle]] = first.tensors[value]
        else:
            raise draft.fail(
                operator, f"its subgraph computes {step.kind}; constants may be assigned there"
            )


def var_handle(draft: Draft, operator: FileOperator) -> None:
    """VAR_HANDLE: its output stands for a variable from here on."""
    if len(operator.outputs) != 1:
        raise draft.fail(operator, "makes one handle")
    draft.handles[operator.outputs[0]] = _name(operator)


def read_variable(draft: Draft, operator: FileOperator) -> None:
    """READ_VARIABLE: the value now; that of the step before, if it is not yet assigned."""
    variable = _variable(draft, operator)
    number = operator.outputs[0]
    if variable in draft.values:
        draft.wire(operator, places((draft.tensor(number).size,)), [draft.values[variable]])
        return
    tensor = draft.tensor(number)
    name = draft.declare(number)
    draft.values[variable] = number
    if variable not in draft.started:
        raise draft.fail(
            operator, f"variable {variable!r} has no first value; initialise it through CALL_ONCE"
        )
    first = draft.started[variable]
    if first.size != tensor.size or first.type != tensor.type:
        raise draft.fail(operator, f"variable {variable!r} starts with another shape or type")
    draft.state[variable] = State(name, name, first.constant.reshape(-1))


def assign_variable(draft: Draft, operator: FileOperator) -> None:
    """ASSIGN_VARIABLE: the value from here on, and of the next step if it is the last one."""
    variable = _variable(draft, operator)
    number = draft.input(operator, 1).number
    name = draft.given(number)
    draft.values[variable] = number
    if variable not in draft.state:
        return  # never read before it is assigned: no state of the stream
    state, tensor = draft.state[variable], draft.tensors[name]
    held = draft.tensors[state.input]
    if tensor.size != held.size:
        raise draft.fail(operator, f"variable {variable!r} changes its shape")
    draft.widen(name, held.low, held.high)
    draft.state[variable] = State(state.input, name, state.initial)


def _variable(draft: Draft, operator: FileOperator) -> str:
    handle = draft.input(operator, 0).number
    if handle not in draft.handles:
        raise draft.fail(operator, f"tensor {handle} is no handle of a variable")
    return draft.handles[handle]


def _name(operator: FileOperator) -> str:
    parts = [operator.options[k] or b"" for k in ("Container", "SharedName")]
    return "/".join(p.decode("utf-8", "replace") for p in parts if p)

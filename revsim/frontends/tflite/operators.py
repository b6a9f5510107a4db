"""Operators of TensorFlow Lite: which are made, from what, and why others are not.

`SUPPORTED` is the table that `revsim supported` prints. The rules also say what the checker
(tflite/check.py) looks at before anything is made.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from revsim.frontends.tflite import cells as cells
from revsim.frontends.tflite import moves as moves
from revsim.frontends.tflite import sums as sums
from revsim.frontends.tflite import variables as variables
from revsim.frontends.tflite.draft import Draft
from revsim.frontends.tflite.file import RANGES, FileOperator

Make = Callable[[Draft, FileOperator], None]

BYTES: Final = ("int8", "uint8")
QUANTISED: Final = ("int8", "uint8", "int16")
ANY: Final = tuple(RANGES)


@dataclass(frozen=True)
class Rule:
    """How an operator is made: by `make`, of which inputs, in which types.

    `data` are the places of the inputs whose values flow (None: all of them), `constants` those
    that must be constants of the file. `types` are those of data and outputs; `alike` says that
    all of them must have one type. `least` is how many inputs there must be. `note` is what users
    read.
    """

    make: Make
    types: tuple[str, ...]
    note: str
    data: tuple[int, ...] | None = (0,)
    constants: tuple[int, ...] = ()
    alike: bool = True
    least: int = 1


_SUMS = "int8, uint8; int16 with int8 weights; scales per tensor or channel; fused clamps"
_SCALED = "int8, uint8, int16; broadcasting; fused clamps"
_MOVED = "any integer type; no gate"

RULES: Final[Mapping[str, Rule]] = {
    "CONV_2D": Rule(sums.conv_2d, QUANTISED, _SUMS, constants=(1, 2), least=2),
    "DEPTHWISE_CONV_2D": Rule(sums.depthwise_conv_2d, QUANTISED, _SUMS, constants=(1, 2), least=2),
    "FULLY_CONNECTED": Rule(sums.fully_connected, QUANTISED, _SUMS, constants=(1, 2), least=2),
    "TRANSPOSE_CONV": Rule(
        sums.transpose_conv, QUANTISED, _SUMS, data=(2,), constants=(1, 3), least=3
    ),
    "ADD": Rule(cells.add, QUANTISED, _SCALED, data=None, least=2),
    "SUB": Rule(cells.add, QUANTISED, _SCALED, data=None, least=2),
    "MUL": Rule(cells.mul, QUANTISED, _SCALED, data=None, least=2),
    "MAXIMUM": Rule(cells.maximum, QUANTISED, "inputs of one scale", data=None, least=2),
    "MINIMUM": Rule(cells.maximum, QUANTISED, "inputs of one scale", data=None, least=2),
    "AVERAGE_POOL_2D": Rule(cells.pool, QUANTISED, "int8, uint8, int16; padding not counted"),
    "MAX_POOL_2D": Rule(cells.pool, QUANTISED, "int8, uint8, int16"),
    "MEAN": Rule(cells.mean, ("int8", "int16"), "int8, int16; any axes", constants=(1,), least=2),
    "SOFTMAX": Rule(cells.softmax, BYTES, "int8, uint8, along the last axis"),
    "LOGISTIC": Rule(cells.logistic, ("int8",), "int8, as a table"),
    "TANH": Rule(cells.tanh, ("int8",), "int8, as a table"),
    "RELU": Rule(cells.relu, QUANTISED, "int8, uint8, int16"),
    "RELU6": Rule(cells.relu, QUANTISED, "int8, uint8, int16; one scale"),
    "RELU_N1_TO_1": Rule(cells.relu, QUANTISED, "int8, uint8, int16; one scale"),
    "LEAKY_RELU": Rule(cells.leaky_relu, QUANTISED, "int8, uint8, int16; slopes above 0"),
    "ABS": Rule(cells.absolute, ("int8", "int16"), "int8, int16"),
    "NEG": Rule(cells.negative, ("int32",), "int32, modulo 2^32"),
    "QUANTIZE": Rule(
        cells.quantize, (*QUANTISED, "int32"), "between integer types; of the input", alike=False
    ),
    "ARG_MAX": Rule(
        cells.arg_max, (*QUANTISED, "int32", "int64"), "first place", (0,), (1,), False, 2
    ),
    "ARG_MIN": Rule(
        cells.arg_max, (*QUANTISED, "int32", "int64"), "first place", (0,), (1,), False, 2
    ),
    "RESHAPE": Rule(moves.reshape, ANY, _MOVED),
    "SQUEEZE": Rule(moves.reshape, ANY, _MOVED),
    "EXPAND_DIMS": Rule(moves.reshape, ANY, _MOVED),
    "TRANSPOSE": Rule(moves.transpose, ANY, _MOVED, constants=(1,), least=2),
    "PAD": Rule(moves.pad, ANY, _MOVED, constants=(1,), least=2),
    "PADV2": Rule(moves.pad, ANY, _MOVED, constants=(1, 2), least=3),
    "CONCATENATION": Rule(moves.concatenation, ANY, f"{_MOVED}; inputs of one scale", data=None),
    "PACK": Rule(moves.pack, ANY, f"{_MOVED}; inputs of one scale", data=None),
    "UNPACK": Rule(moves.unpack, ANY, _MOVED),
    "SPLIT": Rule(moves.split, ANY, _MOVED, data=(1,), constants=(0,), least=2),
    "SPLIT_V": Rule(moves.split_v, ANY, _MOVED, constants=(1, 2), least=3),
    "SLICE": Rule(moves.slice_, ANY, _MOVED, constants=(1, 2), least=3),
    "STRIDED_SLICE": Rule(moves.strided_slice, ANY, _MOVED, constants=(1, 2, 3), least=4),
    "GATHER": Rule(moves.gather, ANY, f"{_MOVED}; constant indices", constants=(1,), least=2),
    "CALL_ONCE": Rule(variables.call_once, ANY, "constant first values", data=(), least=0),
    "VAR_HANDLE": Rule(variables.var_handle, ("resource",), "state of a stream", data=(), least=0),
    "READ_VARIABLE": Rule(variables.read_variable, ANY, "state of a stream", data=()),
    "ASSIGN_VARIABLE": Rule(
        variables.assign_variable, ANY, "state of a stream", data=(1,), least=2
    ),
}
_RECURRENT = (
    "TensorFlow Lite's own runtimes disagree about its results, so none is right bit for bit"
)
_UNROLL = "unroll it into FULLY_CONNECTED, LOGISTIC, TANH and MUL, with variables for the state"
REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "LSTM": (_RECURRENT, _UNROLL),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (_RECURRENT, _UNROLL),
    "BIDIRECTIONAL_SEQUENCE_LSTM": (_RECURRENT, _UNROLL),
    "RNN": (_RECURRENT, _UNROLL),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (_RECURRENT, _UNROLL),
    "SVDF": (_RECURRENT, "write it as DEPTHWISE_CONV_2D with variables for the state"),
    "DEQUANTIZE": (
        "its result is real",
        "leave it out, or keep it at the end, where it is dropped",
    ),
    "WHILE": ("its number of rounds depends on the data", "unroll it in the model"),
    "IF": ("which subgraph runs depends on the data", "export the branch that is needed"),
}
"""Operators that are known and not made: the reason, and what to do about it."""
UNKNOWN: Final = ("revsim has no circuit for it", "replace it in the model; see revsim supported")

SUPPORTED: Final[Mapping[str, tuple[str, str]]] = {
    **{kind: (rule.note, "") for kind, rule in RULES.items()},
    "DEQUANTIZE": ("at the end of a model, where it is dropped", "elsewhere its result is real"),
    **{kind: ("", reason) for kind, (reason, _) in REFUSED.items() if kind != "DEQUANTIZE"},
}
"""Operator: what is supported, and why the rest is not."""


def rule_of(kind: str) -> Rule | None:
    """The rule of an operator; of one that revsim does not know, what a package gives for it."""
    if kind in RULES or kind in REFUSED:
        return RULES.get(kind)
    from revsim.frontends.packages import tflite_rule

    return tflite_rule(kind)

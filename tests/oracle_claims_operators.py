"""Known answers of operators beyond the dense chain, from compiled and simulated networks."""

from oracle_circuits import Reading, compiled, loss_of

from revsim.network.handmade import layer_norm, residual
from revsim.network.network import Network
from revsim.network.operators import table
from revsim.schedule.policy import POLICIES


def loss(net: Network) -> Reading:
    """given_kept with the input destroyed: the same under every policy."""

    def read() -> float:
        found = [compiled(net, policy).total.given_kept for policy in POLICIES]
        assert max(found) - min(found) < 1e-9
        return found[0]

    return read


READINGS: dict[int, Reading] = {
    # leaky relu in units of an eighth, so that z / 8 is exact
    63: loss_of([(-128, 127)], table(lambda z: 8 * z if z >= 0 else z)),
    85: loss(layer_norm()),
    204: loss(residual()),
}

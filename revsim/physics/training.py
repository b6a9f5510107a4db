"""The training bound of the paper's third version, as a calculator."""

from revsim.physics.landauer import BOLTZMANN, check_temperature
from revsim.physics.quantities import positive


def training_bound_j(parameters: float, data: float, temperature_k: float = 300.0) -> float:
    """Least energy in J to train quasi-statically: 2 N D k_B T, a LOWER bound.

    Tkachenko, arXiv 2503.09980 v3: E of order 2 N D k_B T or more, for N parameters and D data.
    (The listing's abstract prints "<"; the paper's own has "greater or of order".)

    >>> round(training_bound_j(7e9, 2e12), 3)
    115.975
    """
    positive(parameters, "number of parameters")
    positive(data, "number of data")
    return 2 * parameters * data * BOLTZMANN * check_temperature(temperature_k)

"""Known answers of constants, cooling, the brain, adiabatic switching and the training bound."""

from collections.abc import Callable

from revsim.circuit.registers import Encoding
from revsim.physics.adiabatic import abrupt_energy, leakage_optimum, ramp_energy
from revsim.physics.brain import POWER_W, brain_bits
from revsim.physics.cooling import specific_power, wall_energy
from revsim.physics.landauer import ELEMENTARY_CHARGE, energy_j, negentropy_j_per_k
from revsim.physics.measured import measured_vs_bound
from revsim.physics.reference import reference
from revsim.physics.training import training_bound_j

NODE = (1e4, 1e-15, 1.0)

READINGS: dict[int, Callable[[], float]] = {
    1: lambda: energy_j(1.0, 300.0),
    2: lambda: energy_j(1.0, 300.0) / ELEMENTARY_CHARGE * 1e3,
    3: lambda: energy_j(1.0, 310.0),
    4: lambda: energy_j(1.0, 77.0),
    5: lambda: energy_j(1.0, 4.2),
    6: lambda: negentropy_j_per_k(1.0),
    7: lambda: measured_vs_bound(1.0),
    8: lambda: specific_power(4.2),
    9: lambda: wall_energy(energy_j(1.0, 4.2), 4.2),
    10: lambda: wall_energy(energy_j(1.0, 4.2), 4.2, 0.1),
    11: lambda: measured_vs_bound(reference("int8 multiply").value_j),
    12: lambda: measured_vs_bound(reference("float32 multiply").value_j),
    13: lambda: energy_j(1e12, 310.0),
    14: lambda: measured_vs_bound(POWER_W, 1e12, 310.0),
    15: lambda: float(brain_bits(1e11, 10.0, "reset")),
    16: lambda: float(brain_bits(8.6e10, 1.0, "entropy")),
    241: lambda: abrupt_energy(1e-15, 1.0),
    242: lambda: ramp_energy(*NODE, 1e-10),
    243: lambda: ramp_energy(*NODE, 1e-9),
    244: lambda: ramp_energy(*NODE, 1e-7),
    245: lambda: leakage_optimum(*NODE, 1e-9)[0],
    246: lambda: leakage_optimum(*NODE, 1e-9)[1],
    275: lambda: float(Encoding.signed(-784 * 128 * 128, 784 * 128 * 128).width),
    276: lambda: training_bound_j(7e9, 2e12),
}

"""Device models: known answers to 1e-12, limits, monotony, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revsim.circuit.adiabatic import DEMANDS
from revsim.errors import InputError
from revsim.physics.adiabatic import (
    abrupt_energy,
    leakage_optimum,
    leakage_power,
    ramp_energy,
    resonator_loss,
    sine_cycle_energy,
    threshold_residue,
)
from revsim.physics.brain import brain_bits, brain_draws, synaptic_events
from revsim.physics.cooling import green_efficiency, specific_power, wall_energy
from revsim.physics.families import (
    FAMILIES,
    Cell,
    family_of,
    operation_energy,
    pad_count,
    schedule,
    stage_cells,
)
from revsim.physics.ladder import ladder
from revsim.physics.landauer import binary_entropy, energy_j
from revsim.physics.measured import ERASURES, MACS, MLPERF_TINY, measured_vs_bound
from revsim.physics.reference import (
    STATUSES,
    operations_energy,
    reference,
    reference_energies,
)
from revsim.physics.superconducting import aqfp_energy, junctions
from revsim.physics.training import training_bound_j

NODE = (1e4, 1e-15, 1.0)
"""10 kOhm, 1 fF, 1 V: RC is 10 ps."""
PIPE = {"cells": 1600, "depth": 50, "tick_s": 1e-8}
KNOWN = {
    "bit at 300 K": (lambda: energy_j(1, 300), 2.870978885079e-21),
    "bit at 4.2 K": (lambda: energy_j(1, 4.2), 4.019370439110e-23),
    "bit at 20 mK": (lambda: energy_j(1, 0.02), 1.913985923386e-25),
    "ramp, 100 ns": (lambda: ramp_energy(*NODE, 1e-7), 9.999e-20),
    "ramp, 1 ns": (lambda: ramp_energy(*NODE, 1e-9), 9.9e-18),
    "ramp, 10 ps": (lambda: ramp_energy(*NODE, 1e-11), 3.678794411714e-16),
    "ramp, abrupt": (lambda: ramp_energy(*NODE, 1e-30), 5e-16),
    "sine": (lambda: sine_cycle_energy(*NODE, 1e-6), 4.934802181063e-20),
    "optimum (1, 1), s": (lambda: leakage_optimum(*NODE, 1e-12)[0], 1e-7),
    "optimum (1, 1), J": (lambda: leakage_optimum(*NODE, 1e-12)[1], 2e-19),
    "optimum (2, 4), s": (lambda: leakage_optimum(*NODE, 1e-12, 2, 4)[0], 7.071067811865e-8),
    "optimum (2, 4), J": (lambda: leakage_optimum(*NODE, 1e-12, 2, 4)[1], 5.656854249492e-19),
    "optimum (2, 8), s": (lambda: leakage_optimum(*NODE, 1e-12, 2, 8)[0], 5e-8),
    "optimum (2, 8), J": (lambda: leakage_optimum(*NODE, 1e-12, 2, 8)[1], 8e-19),
    "residue, factor 1": (lambda: threshold_residue(1e-15, 0.35, 1), 1.225e-16),
    "residue": (lambda: threshold_residue(1e-15, 0.3), 4.5e-17),
    "resonator": (lambda: resonator_loss(5e-16, 100), 3.141592653590e-17),
    "resonator, sine": (lambda: resonator_loss(1.25e-16, 100), 7.853981633974e-18),
    "retractile 4, latency": (lambda: schedule("retractile", 4, 1e-8).latency_s, 4e-8),
    "retractile 4, interval": (lambda: schedule("retractile", 4, 1e-8).interval_s, 1e-7),
    "retractile 50, interval": (lambda: schedule("retractile", 50, 1e-8).interval_s, 1.02e-6),
    "2lal 50, latency": (lambda: schedule("2lal", 50, 1e-8).latency_s, 5e-7),
    "2lal 50, interval": (lambda: schedule("2lal", 50, 1e-8).interval_s, 4e-8),
    "s2lal 50, interval": (lambda: schedule("s2lal", 50, 1e-8).interval_s, 8e-8),
    "retractile, ramp": (lambda: operation_energy("retractile", **PIPE).ramp_j, 3.1968e-15),
    "retractile, leak": (lambda: operation_energy("retractile", **PIPE).leak_j, 1.632e-15),
    "s2lal, ramp": (lambda: operation_energy("s2lal", **PIPE).ramp_j, 3.1968e-15),
    "s2lal, leak": (lambda: operation_energy("s2lal", **PIPE).leak_j, 1.28e-16),
    "aqfp": (lambda: aqfp_energy(1000), 1.4e-18),
    "aqfp, 2.5 GHz": (lambda: aqfp_energy(20000, 2.5e9), 1.4e-17),
    "aqfp, W": (lambda: aqfp_energy(20000, 2.5e9) * 2.5e9, 35e-9),
    "aqfp, W at 400 W/W and itself": (
        lambda: wall_energy(aqfp_energy(20000, 2.5e9), 4.2, specific_power(4.2) / 400) * 2.5e9,
        14.035e-6,
    ),
    "Carnot, 77 K": (lambda: specific_power(77), 223 / 77),
    "Carnot, 4.2 K": (lambda: specific_power(4.2), 295.8 / 4.2),
    "Carnot, 20 mK": (lambda: specific_power(0.02), 14999),
    "Green, 1 kW": (lambda: green_efficiency(1), 0.155),
    "Green, 10 kW": (lambda: green_efficiency(10), 0.2632277661315704),
    "wall, 4.2 K": (lambda: wall_energy(energy_j(1, 4.2), 4.2, 0.155), 1.830332390238e-20),
    "wall, 77 K": (lambda: wall_energy(energy_j(1, 77), 77, 0.19), 1.196895986774e-20),
    "wall, 20 mK": (lambda: wall_energy(energy_j(1, 0.02), 0.02, 1.5e-5), 1.913858326238e-16),
    "KWS on GAP9": (lambda: measured_vs_bound(18.561e-6), 6.465042322835e15),
    "KWS on NDP9120": (lambda: measured_vs_bound(31.537e-6), 1.098475511746e16),
    "KWS on STM32U385": (lambda: measured_vs_bound(245.3412e-6), 8.545559191505e16),
    "brain, reset": (lambda: float(brain_bits(8.61e10, 0.16, "reset")), 1.3776e10),
    "brain, stream": (lambda: float(brain_bits(8.61e10, 4, "stream")), 6.888e11),
    "brain, entropy": (lambda: float(brain_bits(8.61e10, 1, "entropy")), 9.82207941195e11),
    "brain, entropy, 10 Hz": (lambda: float(brain_bits(8.61e10, 10, "entropy")), 6.956289000638e12),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_answer(name: str) -> None:
    read, expected = KNOWN[name]
    assert read() == pytest.approx(expected, rel=1e-12, abs=0)


def test_schedules_in_whole_numbers() -> None:
    assert [schedule(f, 50, 1e-8).in_flight for f in ("2lal", "s2lal", "retractile")] == [13, 7, 1]
    phases = {name: schedule(name, 50, 1e-8).phases for name in FAMILIES}
    fours, eights = ("2lal", "ecrl", "pfal", "aqfp"), ("s2lal", "q2lal")
    assert phases == {"retractile": 50, **dict.fromkeys(fours, 4), **dict.fromkeys(eights, 8)}
    assert schedule("retractile", 4, 1e-8).phases == 4
    assert stage_cells(32, 50) == 1600
    assert pad_count([(0, 1), (0, 3), (1, 2), (2, 3)]) == 2
    assert [family_of(f).shift_transistors for f in ("2lal", "s2lal")] == [8, 20]
    assert junctions({"maj3": 1, "maj5": 1, "buffer": 1, "splitter": 1}) == 20


def test_clocks_and_demands_name_the_same_families() -> None:
    assert set(FAMILIES) == set(DEMANDS)


@given(st.floats(-6, 6), st.floats(-18, -12), st.floats(-2, 1))
def test_a_ramp_is_cheaper_the_slower_and_never_dearer_than_abrupt(
    log_x: float, log_c: float, log_v: float
) -> None:
    resistance, capacitance, voltage = 1e4, 10**log_c, 10**log_v
    ramp = resistance * capacitance / 10**log_x
    here = ramp_energy(resistance, capacitance, voltage, ramp)
    assert ramp_energy(resistance, capacitance, voltage, 1.5 * ramp) < here
    assert here <= abrupt_energy(capacitance, voltage) * (1 + 1e-12)
    assert here <= 10**log_x * capacitance * voltage**2 * (1 + 1e-12)


def test_the_closed_form_and_the_series_of_a_ramp_meet() -> None:
    below, above = (ramp_energy(*NODE, 1e-11 / x) for x in (100 * (1 - 1e-9), 100 * (1 + 1e-9)))
    assert below == pytest.approx(above, rel=1e-10, abs=0)


def test_a_slow_ramp_agrees_with_quadrature_of_the_circuit() -> None:
    t = 5e-11
    time = np.linspace(0, t, 200_001)
    current = 1e-15 / t * -np.expm1(-time / 1e-11)  # C dV/dt through R, settling with RC
    ramping = np.trapezoid(current**2 * 1e4, time)
    held = current[-1] ** 2 * 1e4 * 1e-11 / 2  # the rest decays with RC
    assert ramping + held == pytest.approx(ramp_energy(*NODE, t), rel=1e-8, abs=0)


def test_a_sine_loses_pi_squared_eighths_of_a_slow_trapezoid() -> None:
    ratio = sine_cycle_energy(*NODE, 1e-3) / (2 * ramp_energy(*NODE, 5e-4))
    assert ratio == pytest.approx(math.pi**2 / 8, rel=1e-6)


@pytest.mark.parametrize(("moves", "ticks"), [(1, 1), (2, 4), (2, 8)])
def test_the_leakage_optimum_is_the_least_of_its_sum(moves: int, ticks: int) -> None:
    ramp, least = leakage_optimum(*NODE, 1e-12, moves, ticks)

    def total(t: float) -> float:
        return moves * 1e-11 / t * 1e-15 + 1e-12 * ticks * t

    assert total(ramp) == pytest.approx(least, rel=1e-12, abs=0)
    assert all(total(ramp * factor) > least for factor in (0.5, 0.99, 1.01, 2))


@given(st.floats(0.001, 300), st.floats(0.001, 1))
def test_the_wall_never_pays_less_than_a_bit_at_its_own_temperature(t: float, eta: float) -> None:
    assert wall_energy(energy_j(1, t), t, eta) >= energy_j(1, 300) * (1 - 1e-12)
    assert wall_energy(energy_j(1, t), t, 1) == pytest.approx(energy_j(1, 300), rel=1e-12, abs=0)


def test_parts_of_an_operation() -> None:
    base = operation_energy("s2lal", **PIPE)
    assert base.residue_j == base.resonator_j == base.erase_j == 0
    assert operation_energy("s2lal", **PIPE, erased_bits=3).erase_j == energy_j(3)
    assert operation_energy("s2lal", **PIPE, activity=0.5).ramp_j == base.ramp_j / 2
    assert operation_energy("s2lal", **PIPE, transitions=3200).ramp_j == base.ramp_j
    ecrl = operation_energy("ecrl", **PIPE)
    assert ecrl.residue_j == pytest.approx(1600 * 4.5e-17, rel=1e-9, abs=0)
    unloaded = operation_energy("s2lal", **PIPE, stored_j=5e-16, quality=100)
    assert unloaded.resonator_j == pytest.approx(3.141592653590e-17, rel=1e-9, abs=0)
    assert unloaded.total_j == pytest.approx(base.total_j + unloaded.resonator_j, rel=1e-9, abs=0)
    loaded = operation_energy("s2lal", **PIPE, stored_j=5e-16, quality=100, loaded=True)
    assert loaded.ramp_j == 0 and loaded.resonator_j == unloaded.resonator_j
    slow = operation_energy("s2lal", 1600, 50, tick_s=1e-3)
    assert slow.leak_j > slow.ramp_j


def test_leakage_freezes_out() -> None:
    powers = [leakage_power(1e-10, t) for t in (4.2, 77, 200, 300, 400)]
    assert powers == sorted(powers) and powers[3] == 1e-10
    assert powers[0] == 0 or powers[0] < 1e-30


def test_draws_of_the_brain_agree_with_the_literature_table() -> None:
    draws = brain_draws(200_000)
    table = {
        "reset": (9.6e9, 8.6e10, 7.7e11),
        "stream": (1.9e10, 1.7e11, 1.5e12),
        "entropy": (1.4e11, 9.8e11, 6.4e12),
        "synaptic": (1.3e13, 1.5e14, 1.4e15),
    }
    for reading, expected in table.items():
        found = draws[reading].quantiles(0.025, 0.5, 0.975)
        assert found == pytest.approx(expected, rel=0.05), reading  # the table has two digits
    shares = [draws[r].share_above(1e12) for r in ("reset", "stream", "entropy", "synaptic")]
    assert shares == pytest.approx([0.0003, 0.12, 0.49, 1.0], abs=0.01)
    random = np.random.default_rng(1)  # the same draws, written out
    neurons = random.normal(8.61e10, 0.81e10, 10**6)
    p = 10 ** random.uniform(-1, 1, 10**6) * 1e-3
    entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p)) / 1e-3
    for reading, bits in (("reset", neurons * p * 1e3), ("entropy", neurons * entropy)):
        expected = tuple(np.quantile(bits, (0.025, 0.5, 0.975)))
        assert draws[reading].quantiles(0.025, 0.5, 0.975) == pytest.approx(expected, rel=0.02)
    again = brain_draws(200_000)
    assert all((draws[r].bits_per_s == again[r].bits_per_s).all() for r in draws)


@pytest.mark.parametrize("bin_s", [1e-4, 1e-3, 0.02])
def test_the_entropy_of_spikes_is_that_of_bins_of_any_length(bin_s: float) -> None:
    bits = brain_bits(1e10, [0.5, 8.0], "entropy", bin_s)
    expected = [1e10 * binary_entropy(r * bin_s) / bin_s for r in (0.5, 8.0)]
    assert bits == pytest.approx(expected, rel=1e-12)
    drawn = brain_draws(1000, bin_s=bin_s)["entropy"].bits_per_s
    usual = brain_draws(1000)["entropy"].bits_per_s  # shorter bins hold more, draw by draw
    assert (np.sign(usual - drawn) == np.sign(bin_s - 1e-3)).all()


def test_every_reported_energy_says_where_it_is_from() -> None:
    names = [r.name for r in reference_energies()]
    assert len(set(names)) == len(names)
    for r in reference_energies():
        assert r.value_j > 0 and r.status in STATUSES and r.source and r.includes
        assert 1990 < r.year < 2030
    assert not any(r.status == "recall" for r in reference_energies(recalled=False))
    assert sum(r.status == "recall" for r in reference_energies()) == 9


@pytest.mark.parametrize(
    ("name", "multiple"),
    [
        ("int8 add", 1.0e7),
        ("int8 multiply", 7.0e7),
        ("float32 multiply", 1.3e9),
        ("transistor gate, 3 nm", 1.7e3),
        ("CMOS ceiling, fp4 operation", 7.4e4),
        ("SRAM 1 MB, 64 bits", 4.9e9),
        ("A100 HBM, 1 bit", 4.6e9),
        ("H100 bf16 MAC", 2 * 2.5e8),
        ("B200 fp4 MAC", 2 * 3.9e7),
        ("B300 fp4 MAC", 2 * 3.3e7),
    ],
)
def test_reported_energies_in_bits(name: str, multiple: float) -> None:
    assert measured_vs_bound(reference(name).value_j) == pytest.approx(multiple, rel=0.05)


def test_measured_networks_per_mac() -> None:
    gap9 = next(s for s in MLPERF_TINY if "GAP9" in s.device)
    per_mac = [gap9.joules[n] / MACS[n] * 1e12 for n in MACS]
    assert per_mac == pytest.approx([19.9, 7.0, 2.2, 5.4], abs=0.06)
    assert all(e.multiple >= 1 for e in ERASURES)


def test_the_ladder_is_in_order_and_without_recalled_values() -> None:
    rungs = ladder()
    assert [r.joules for r in rungs] == sorted(r.joules for r in rungs)
    assert all(r.status != "recall" for r in rungs)
    assert {r.status for r in ladder(recalled=True)} == set(STATUSES)
    bit = next(r for r in rungs if r.group == "limit")
    assert bit.times_bit() == 1
    junction = next(r for r in rungs if "before cooling" in r.name)
    assert junction.times_bit(4.2) == pytest.approx(34.8, abs=0.05)


REFUSED = {
    "resistance": lambda: ramp_energy(0, 1e-15, 1, 1e-9),
    "capacitance": lambda: ramp_energy(1e4, -1e-15, 1, 1e-9),
    "voltage": lambda: abrupt_energy(1e-15, 0),
    "ramp time": lambda: ramp_energy(1e4, 1e-15, 1, 0),
    "period": lambda: sine_cycle_energy(1e4, 1e-15, 1, -1),
    "leakage power must": lambda: leakage_optimum(1e4, 1e-15, 1, 0),
    "below 10 RC": lambda: leakage_optimum(1e4, 1e-15, 1, 1e-3),
    "threshold": lambda: threshold_residue(1e-15, math.nan),
    "quality factor": lambda: resonator_loss(1e-15, 0),
    "temperature": lambda: energy_j(1, 0),
    "1e-12..1e+12 K, got 1e-320": lambda: energy_j(1, 1e-320),
    "temperature must be a number": lambda: energy_j(1, "warm"),  # type: ignore[arg-type]
    "bits must be 0 or more, got -1": lambda: energy_j(-1),
    "bits must be 0 or more, got nan": lambda: energy_j(math.nan),
    "number below 1e308": lambda: energy_j(10**400),
    "tick": lambda: schedule("2lal", 4, 0),
    "tick must lie in 1e-15..1000 s": lambda: schedule("2lal", 4, 1e300),
    "depth": lambda: schedule("2lal", 0, 1e-9),
    "no sourced phase table": lambda: schedule("scrl", 4, 1e-9),
    "unknown logic family 'cmos'": lambda: schedule("cmos", 4, 1e-9),
    "levels must grow": lambda: pad_count([(2, 2)]),
    "aqfp_energy": lambda: operation_energy("aqfp", 1, 1, tick_s=1e-9),
    "needs both": lambda: operation_energy("2lal", 1, 1, tick_s=1e-9, quality=10),
    "loaded resonator": lambda: operation_energy("2lal", 1, 1, tick_s=1e-9, loaded=True),
    "activity": lambda: operation_energy("2lal", 1, 1, tick_s=1e-9, activity=1.5),
    "erased bits": lambda: operation_energy("2lal", 1, 1, tick_s=1e-9, erased_bits=-1),
    "leakage power must lie in 0..1 W": lambda: operation_energy(
        "2lal", 1, 1, Cell(leakage_w=-1), tick_s=1e-9
    ),
    "unknown AQFP cell": lambda: junctions({"maj7": 1}),
    "clock of 6e+09 Hz": lambda: aqfp_energy(1, 6e9),
    "efficiency": lambda: specific_power(4.2, 1.01),
    "must lie in 1e-09..1, got 0": lambda: specific_power(4.2, 0),
    "must not be above the wall": lambda: specific_power(400, 0.5),
    "35 kW": lambda: green_efficiency(40),
    "4 to 5 K": lambda: green_efficiency(1, 77),
    "shorter bins": lambda: brain_bits(1e10, 1000, "entropy"),
    "unknown reading": lambda: brain_bits(1e10, 1, "mood"),
    "number of neurons": lambda: brain_bits(0, 1, "reset"),
    "release": lambda: synaptic_events(1e14, 1, 0),
    "number of draws": lambda: brain_draws(0),
    "number of parameters": lambda: training_bound_j(0, 1),
    "number of bits": lambda: measured_vs_bound(1.0, 0),
    "different technologies": lambda: operations_energy({"int8 add": 1, "int8 add, 7 nm": 1}),
    "no reported energy": lambda: reference("abacus"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_refused_in_one_message(words: str) -> None:
    with pytest.raises(InputError) as caught:
        REFUSED[words]()
    assert words in str(caught.value) and "\n" not in str(caught.value)

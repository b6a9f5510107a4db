"""One bit: noise, paths, densities, transport and ramps against closed forms and each other."""

import json
import math
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from revsim.cli import main
from revsim.errors import InputError
from revsim.physics import kernels, transport
from revsim.physics.double_well import CONTROL, ERASE, FOLLOW, LATCH, DoubleWell, Protocol
from revsim.physics.langevin import Estimate, simulate
from revsim.physics.ramp import erase, erase_to
from revsim.physics.smoluchowski import averages, equilibrium
from revsim.physics.two_level import (
    LN2,
    drive,
    entropy_nats,
    partial_erasure,
    reset_separately,
    reset_together,
    szilard_cycle,
)

WELL = DoubleWell()

# --- noise --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # known-answer vectors of Random123, the reference implementation of Philox4x32-10
        ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_gives_the_published_words(
    counter: list[int], key: list[int], expected: str
) -> None:
    words = kernels.philox(*(np.uint64(v) for v in (*counter, *key)))
    assert " ".join(f"{int(w):08x}" for w in words) == expected


def test_normals_have_the_moments_and_the_tails_of_normals() -> None:
    paths = np.arange(1 << 19, dtype=np.uint64)
    four = kernels.normals(paths, np.uint64(7), np.uint64(0), np.uint64(1), np.uint64(2))
    n = np.concatenate(four)
    for power, expected in ((1, 0), (2, 1), (3, 0), (4, 3), (6, 15), (8, 105)):
        spread = math.sqrt(math.prod(range(1, 4 * power, 2)) / len(n))  # of the 2 power-th moment
        assert abs((n**power).mean() - expected) < 4 * spread
    for limit in (1.0, 2.0, 3.0, 4.0):
        share = math.erfc(limit / math.sqrt(2))
        assert abs((abs(n) > limit).mean() - share) < 4 * math.sqrt(share / len(n))
    for a in range(4):
        for b in range(a):
            for power in (1, 2):
                product = (four[a] ** power - power + 1) * (four[b] ** power - power + 1)
                assert abs(product.mean()) < 4 * product.std() / math.sqrt(len(paths))


def test_box_muller_pairs_are_right_at_the_ends_of_their_words() -> None:
    words = np.array([0, 1, 2, 3, 4, 7, 1 << 30, 1 << 31, (1 << 32) - 1], dtype=np.uint64)
    first, second = (w.ravel() for w in np.meshgrid(words, words))
    x, y = kernels.gaussian_pair(first, second)
    radius = np.sqrt(-2 * np.log((first + 0.5) * 2.0**-32))
    angle = ((second >> np.uint64(2)) + 0.5) * (math.pi / 2) * 2.0**-30
    signs = 1.0 - 2.0 * (second & np.uint64(1)), 1.0 - (second & np.uint64(2)).astype(float)
    assert np.allclose(x, signs[0] * radius * np.cos(angle), rtol=1e-11, atol=2e-9)
    assert np.allclose(y, signs[1] * radius * np.sin(angle), rtol=1e-11, atol=2e-9)


# --- paths --------------------------------------------------------------------------------------


def test_paths_do_not_depend_on_threads_nor_on_their_company() -> None:
    alone = simulate(WELL, ERASE, 0.5, 700, seed=3, threads=1)
    together = simulate(WELL, ERASE, 0.5, 1500, seed=3, threads=3)
    assert (alone.work == together.work[:700]).all() and (alone.end == together.end[:700]).all()
    other = simulate(WELL, ERASE, 0.5, 700, seed=4, threads=1)
    assert not (alone.end == other.end).any()


PLAIN = """
import json, sys
sys.modules["numba"] = None  # importing it now fails
from revsim.physics.double_well import ERASE, DoubleWell
from revsim.physics.langevin import simulate
from revsim.physics.smoluchowski import averages
paths = simulate(DoubleWell(), ERASE, 0.5, 300, seed=1 << 40)
grid = averages(DoubleWell(), ERASE, 0.5, steps=20, cells=100)
print(json.dumps([paths.work.tolist(), paths.end.tolist(), grid.mean_work, grid.success]))
"""


def test_the_plain_path_takes_the_same_paths_bit_for_bit() -> None:
    plain = subprocess.run(
        [sys.executable, "-W", "error", "-c", PLAIN], capture_output=True, text=True, check=False
    )
    assert plain.returncode == 0, plain.stderr
    work, end, mean, success = json.loads(plain.stdout)
    paths = simulate(WELL, ERASE, 0.5, 300, seed=1 << 40)
    grid = averages(WELL, ERASE, 0.5, steps=20, cells=100)
    assert paths.work.tolist() == work and paths.end.tolist() == end
    assert (grid.mean_work, grid.success) == pytest.approx((mean, success), rel=1e-12)


def test_a_harmonic_trap_that_stiffens_costs_what_theory_says() -> None:
    """With no quartic term the variance obeys s' = 2 - 2 k s and <W> = integral of k' s / 2."""
    steps, dt, paths = 4000, 1e-3, 20000
    stiffness = np.interp((np.arange(steps) + 0.5) / steps, [0, 1], [1.0, 5.0])
    k = np.concatenate([[1.0], stiffness])
    table = np.zeros((steps, 4))
    table[:, 0] = np.diff(k) / 2
    table[:, 2] = -stiffness * dt
    x = np.asarray(
        kernels.normals(
            np.arange(paths, dtype=np.uint64),
            np.uint64(0),
            np.uint64(9),
            np.uint64(5),
            np.uint64(0),
        )[0]
    )
    work = np.zeros(paths)
    kernels.drive(x, work, 0, table, 0.0, math.sqrt(2 * dt), np.uint64(5), np.uint64(0))
    s, expected = 1.0, 0.0
    for j in range(steps):
        expected += (k[j + 1] - k[j]) / 2 * s
        s = 1 / k[j + 1] + (s - 1 / k[j + 1]) * math.exp(-2 * k[j + 1] * dt)
    assert abs(work.mean() - expected) < 4 * work.std() / math.sqrt(paths)
    assert abs(x.var() - s) < 4 * s * math.sqrt(2 / paths)


def test_without_noise_a_step_is_of_second_order() -> None:
    """x' = 2 x - 3 x^3 has a closed form; half the step must leave a quarter of the error."""
    start, time = np.array([0.05, 0.3, 1.5]), 1.0
    exact = np.sqrt(2 / (3 + (2 / start**2 - 3) * math.exp(-4 * time)))
    errors = []
    for steps in (80, 160):
        x, work, table = start.copy(), np.zeros(3), np.zeros((steps, 4))
        table[:, 2] = 2 * time / steps
        kernels.drive(x, work, 0, table, -3 * time / steps, 0.0, np.uint64(0), np.uint64(0))
        errors.append(abs(x - exact))
        assert not work.any()
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)


@pytest.mark.parametrize(("tau", "paths"), [(2.0, 20000), (10.0, 4000)])
def test_paths_agree_with_the_densities(tau: float, paths: int) -> None:
    sampled, exact = simulate(WELL, ERASE, tau, paths, seed=11), averages(WELL, ERASE, tau)
    assert abs(sampled.mean_work.off(exact.mean_work)) < 4
    assert abs(sampled.success.off(exact.success)) < 4
    assert abs(sampled.right.off(0.5)) < 4
    spread = sampled.work.std() / exact.deviation
    kurtosis = ((sampled.work - sampled.work.mean()) ** 4).mean() / sampled.work.var() ** 2
    assert abs(spread**2 - 1) < 4 * math.sqrt((kurtosis - 1) / paths)


# --- densities ----------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", [0.01, 0.3, 3.0])
@pytest.mark.parametrize("protocol", [ERASE, CONTROL, LATCH, FOLLOW], ids=lambda p: p.name)
def test_jarzynski_holds_at_every_speed(protocol: Protocol, tau: float) -> None:
    found = averages(WELL, protocol, tau)
    assert found.everywhere == pytest.approx(1.0, abs=1e-7)  # every protocol is a closed cycle
    assert found.density.sum() == pytest.approx(1.0, abs=1e-9)
    g, f = (float(knob[-1]) for knob in protocol.stepwise(1))
    resting = equilibrium(WELL, found.x, g, f)[found.x > 0].sum()  # 1/2 only in two equal wells
    assert found.right == pytest.approx(resting, abs=1e-7)
    assert (abs(resting - 0.5) < 1e-7) == (protocol in (ERASE, CONTROL))


def test_twice_the_grid_and_twice_the_steps_change_the_work_by_less_than_promised() -> None:
    coarse = averages(WELL, ERASE, 20.0)
    fine = averages(WELL, ERASE, 20.0, steps=8000, cells=1763)
    assert abs(coarse.mean_work - fine.mean_work) < 1e-4
    assert abs(coarse.success - fine.success) < 1e-5


@pytest.mark.parametrize("barrier", [2.0, 12.0, 32.0, 56.0, 64.0])
@pytest.mark.parametrize("tau", [0.3, 10.0, 100.0])
def test_jarzynski_holds_behind_every_accepted_barrier(barrier: float, tau: float) -> None:
    found = averages(DoubleWell(barrier), ERASE, tau)
    assert found.everywhere == pytest.approx(1.0, abs=1e-7)
    assert found.right == pytest.approx(0.5, abs=1e-7)
    assert -1e-9 < 1 - found.success < 0.5 and found.density.min() > -1e-9


def test_erasure_slows_to_landauer_and_the_control_to_nothing() -> None:
    works = [averages(WELL, ERASE, tau, steps=2000).mean_work for tau in (2, 4, 8, 16, 32)]
    excess = [(w - LN2) * tau for w, tau in zip(works, (2, 4, 8, 16, 32), strict=True)]
    assert all(a > b > LN2 for a, b in pairwise(works))
    assert max(excess) / min(excess) < 1.2  # <W> - ln 2 falls as 1 / tau
    control = [averages(WELL, CONTROL, tau, steps=2000).mean_work for tau in (20, 40, 80)]
    assert control[0] > 1.8 * control[1] > 3 * control[2] > 0


@pytest.mark.parametrize("tau", [0.5, 2.0, 10.0, 50.0, 200.0])
def test_the_finite_time_bound_is_never_violated(tau: float) -> None:
    found = averages(WELL, ERASE, tau)
    edges = np.append(found.x - (found.x[1] - found.x[0]) / 2, found.x[-1])
    start = transport.of_cells(edges, np.exp(-WELL.energy(found.x)))
    assert found.mean_work > transport.least_work(start, tau, 1 - found.success)


def test_a_latch_loses_its_loop_at_any_speed_and_one_well_nothing() -> None:
    latch = [averages(DoubleWell(24.0), LATCH, tau).mean_work for tau in (50.0, 100.0)]
    follow = [averages(DoubleWell(24.0), FOLLOW, tau).mean_work for tau in (50.0, 100.0)]
    assert latch[1] > 0.9 * latch[0] > 50
    assert follow[1] == pytest.approx(follow[0] / 2, rel=0.1)


# --- transport ----------------------------------------------------------------------------------


def test_wasserstein_between_shifted_and_scaled_normals() -> None:
    edges = np.linspace(-12, 12, 40001)
    cdf = [
        np.array([math.erf(v) for v in (edges - m) / s / math.sqrt(2)])
        for m, s in ((0, 1), (1.5, 2))
    ]
    first, second = (transport.of_cells(edges, np.diff(c)) for c in cdf)
    assert transport.wasserstein_squared(first, second) == pytest.approx(1.5**2 + 1, rel=1e-4)
    assert transport.variance(second) == pytest.approx(4, rel=1e-4)


@pytest.mark.parametrize("error", [0.0, 1e-13, 1e-6])
def test_the_least_work_behind_high_barriers_nears_that_of_two_points(error: float) -> None:
    """Tails that are 1e-308 of the whole carry nothing. Wells are normals of variance 1 / (8 E_b):
    the left one moves by 2 into the lower half of the right one, whose mean lies below its own."""
    barriers = [8.0, 10.0, 11.0, 12.0, 16.0, 24.0, 32.0, 48.0, 56.0, 64.0]
    moved = [transport.least_work(transport.of_well(DoubleWell(b)), 1.0, error) for b in barriers]
    assert all(a < b for a, b in pairwise(moved))
    nearer = math.sqrt(2 / math.pi) / math.sqrt(8 * barriers[-1])  # mean of half a normal
    assert moved[-1] - LN2 == pytest.approx(2 - 2 * nearer, rel=0.01)


def test_quantiles_are_straight_lines_between_their_nodes() -> None:
    found = transport.Quantiles(np.array([0.0, 1e-320, 0.5, 0.5, 1.0]), np.arange(5.0))
    at = np.array([0.0, 5e-321, 1e-320, 0.25, 0.5, 0.75, 1.0])
    assert found.at(at) == pytest.approx([0.0, 0.5, 1.0, 1.5, 3.0, 3.5, 4.0], rel=1e-3)


@pytest.mark.parametrize("error", [0.0, 0.1, 0.3, 0.5])
def test_two_points_move_what_is_put_right(error: float) -> None:
    wells = transport.of_points(np.array([-1.0, 1.0]), np.array([0.5, 0.5]))
    moved = transport.wasserstein_squared(wells, transport.right_half(wells, error))
    assert moved == pytest.approx(4 * (0.5 - error))


@pytest.mark.parametrize("error", [0.0, 0.1, 0.5])
def test_failures_lower_both_parts_of_the_least_work(error: float) -> None:
    wells = transport.of_points(np.array([-1.0, 1.0]), np.array([0.5, 0.5]))
    for tau, diffusion in ((1.0, 1.0), (7.0, 3.0)):
        least = LN2 - entropy_nats(error) + 4 * (0.5 - error) / (diffusion * tau)
        assert transport.least_work(wells, tau, error, diffusion) == pytest.approx(least)


def test_pushing_right_is_a_quarter_only_for_narrow_wells() -> None:
    wells = transport.of_points(np.array([-1.0, 1.0]), np.array([0.5, 0.5]))
    assert transport.variance(wells) == pytest.approx(1.0)
    box = transport.of_cells(np.array([-0.5, 0.0, 0.5]), np.array([0.5, 0.5]))
    full = transport.wasserstein_squared(box, transport.right_half(box))
    cheap = transport.wasserstein_squared(box, transport.pushed_right(box))
    assert full == pytest.approx(1 / 12) and cheap == pytest.approx(1 / 24)


# --- two levels ---------------------------------------------------------------------------------


@given(
    st.lists(st.floats(-10, 10), min_size=1, max_size=8),
    st.sampled_from([0.0, 0.1, 1.0, math.inf]),
)
def test_jarzynski_holds_on_two_levels(levels: list[float], wait: float) -> None:
    rest = 1 / (1 + math.exp(levels[0]))
    found = drive(levels, wait, rest)
    ratio = (1 + math.exp(-levels[-1])) / (1 + math.exp(-levels[0]))
    assert found.weighted == pytest.approx(ratio, rel=1e-9)
    assert found.weighted_zero == pytest.approx(1 / (1 + math.exp(-levels[0])), rel=1e-9)
    assert found.work >= -math.log(ratio) - 1e-9  # the second law


@pytest.mark.parametrize(
    ("duration", "top", "p"), [(1.0, 6.0, 0.5), (10.0, 6.0, 0.5), (3.0, 5.0, 0.2)]
)
def test_a_ramp_equals_its_closed_form(duration: float, top: float, p: float) -> None:
    first = math.log((1 - p) / p)
    speed = (top - first) / duration

    def grown(energy: float) -> float:
        return 4 / speed * math.sinh(energy / 2)

    def ones(energy: float, start: float) -> float:
        inner = quad(
            lambda e: math.exp(-e / 2 - grown(energy) + grown(e)) / speed,
            first,
            energy,
            epsabs=1e-12,
            limit=300,
        )[0]
        return start * math.exp(grown(first) - grown(energy)) + inner

    found = erase(duration, top, p)
    for start in (0, 1):
        end = ones(top, start)
        work = start * first + quad(lambda e, s=start: ones(e, s), first, top, epsabs=1e-9)[0]
        assert found.error_from[start] == pytest.approx(end, rel=2e-5)
        assert found.work_from[start] == pytest.approx(work - top * end, rel=1e-5)
    assert found.work() == pytest.approx((1 - p) * found.work_from[0] + p * found.work_from[1])


def test_a_ramp_is_many_small_jumps() -> None:
    ramp = erase(10.0, 12.0)
    jumps = drive(np.linspace(0, 12, 20001), 10.0 / 20000)
    assert ramp.error() == pytest.approx(jumps.ones, rel=2e-3)
    assert ramp.work() == pytest.approx(jumps.work - 12 * jumps.ones, rel=1e-5)


@pytest.mark.parametrize("p", [0.5, 0.2, 0.03, 0.9])
def test_slow_tuned_erasures_cost_the_entropy_of_the_bit(p: float) -> None:
    excess = [erase(tau, 30.0, p).work() - entropy_nats(p) for tau in (1e3, 2e3, 4e3)]
    assert excess[0] == pytest.approx(2 * excess[1], rel=0.02)  # falls as 1 / tau
    assert excess[1] == pytest.approx(2 * excess[2], rel=0.02)
    assert 0 < excess[2] < 4e-3


@pytest.mark.parametrize("tuned_to", [0.2, 0.5])
def test_a_wrongly_tuned_erasure_costs_the_divergence_more(tuned_to: float) -> None:
    """Slow: work on a bit with P(1) = p is h(p) + D(p || q), a straight line in p."""
    p, q = 0.35, tuned_to
    divergence = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    assert erase(1e5, 30.0, q).work(p) == pytest.approx(entropy_nats(p) + divergence, abs=2e-4)


@pytest.mark.parametrize("error", [0.2, 0.01, 1e-5])
def test_imperfect_erasures_cost_more_the_faster(error: float) -> None:
    works = [erase_to(error, tau).work() for tau in (0.3, 3.0, 30.0, 3000.0)]
    assert all(a > b for a, b in pairwise(works))
    assert partial_erasure(error) < works[-1] < partial_erasure(error) + 2e-3
    assert erase_to(error, 3.0).error() == pytest.approx(error, rel=1e-6)


def test_resets_of_many_bits() -> None:
    rng = np.random.default_rng(0)
    joint = rng.random((2, 2, 2))
    joint /= joint.sum()
    assert 0 < reset_together(joint) < reset_separately(joint)
    independent = np.einsum("i,j,k->ijk", [0.2, 0.8], [0.5, 0.5], [0.9, 0.1])
    assert reset_together(independent) == pytest.approx(reset_separately(independent))
    for e in np.linspace(0, 1, 11).tolist():
        assert szilard_cycle(e) == pytest.approx(-entropy_nats(e), abs=1e-12)


# --- what cannot be -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: simulate(WELL, ERASE, 0.0, 10), "duration"),
        (lambda: simulate(WELL, ERASE, math.nan, 10), "duration"),
        (lambda: simulate(WELL, ERASE, 1e308, 10), "must lie in 1e-09..4,194"),
        (lambda: simulate(WELL, ERASE, 1e-300, 10), "must lie in 1e-09..4,194"),
        (lambda: simulate(WELL, ERASE, 1e3, 60_000), "at most 34,359 paths, or a tau of 567"),
        (lambda: simulate(WELL, ERASE, 1.0, 1), "paths"),
        (lambda: simulate(WELL, ERASE, 1.0, 10, seed=-1), "seed"),
        (lambda: simulate(WELL, ERASE, 1.0, 10, step=0.1), "time step"),
        (lambda: simulate(WELL, ERASE, 1.0, 10, threads=0), "threads"),
        (lambda: averages(WELL, ERASE, -1.0), "duration"),
        (lambda: DoubleWell(barrier=0.0), "barrier"),
        (lambda: DoubleWell(tilt=math.nan), "tilt"),
        (lambda: partial_erasure(1.5), "error"),
        (lambda: drive([0.0, 1.0], -1.0), "wait"),
        (lambda: drive([0.0, 1.0], 1.0, 2.0), "probability"),
        (lambda: reset_together(np.array([0.5, 0.6])), "joint distribution"),
        (lambda: erase(0.0, 5.0), "duration"),
        (lambda: erase(1.0, 5.0, 1.0), "tuned"),
        (lambda: erase(1.0, -1.0), "top"),
        (lambda: erase_to(0.6, 1.0), "error"),
        (
            lambda: transport.least_work(transport.of_points(np.array([1.0]), np.ones(1)), 1.0),
            "both",
        ),
        (lambda: transport.of_cells(np.array([0.0, 1.0]), np.array([-1.0])), "masses"),
    ],
)
def test_what_cannot_be_is_said_in_one_message(call: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()  # type: ignore[operator]


def test_distance_in_standard_errors() -> None:
    assert Estimate(1.0, 0.5).off(0.0) == 2.0
    assert Estimate(1.0, 0.0).off(1.0) == 0.0 and math.isinf(Estimate(1.0, 0.0).off(0.5))


# --- the verb -----------------------------------------------------------------------------------


def test_the_verb_prints_paths_beside_exact_averages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bit", "--tau", "2", "--paths", "2000", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    exact = averages(WELL, ERASE, 2.0)
    assert found["exact"]["mean_work"] == exact.mean_work
    for name, (value, error) in found["paths"].items():
        if name != "jarzynski_all":  # whose sample misses the rare failures
            assert abs(value - found["exact"][name]) < 4 * error, name
    assert found["ln2"] < found["least_work"] < exact.mean_work
    assert main(["bit", "--tau", "2", "--paths", "2000"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines) and any("3.6408" in line for line in lines)


@pytest.mark.parametrize(
    "wrong", [["--tau", "0"], ["--paths", "1"], ["--barrier", "-1"], ["--seed", "-1"]]
)
def test_the_verb_says_what_is_wrong(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bit", *wrong]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and wrong[0].strip("-") in said


@pytest.mark.parametrize("barrier", ["11", "12", "64"])
def test_the_verb_gives_numbers_behind_any_barrier(
    barrier: str, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    assert main(["bit", "--barrier", barrier, "--tau", "1", "--paths", "10", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert LN2 < found["least_work"] < found["exact"]["mean_work"]
    assert found["exact"]["jarzynski_all"] == pytest.approx(1.0, abs=1e-7)
    assert main(["bit", "--barrier", barrier, "--tau", "1", "--paths", "10"]) == 0
    assert all(len(line) <= 80 for line in capsys.readouterr().out.splitlines())
    assert not recwarn.list


def test_the_verb_says_why_the_mean_over_all_is_off_and_what_errors_save(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bit", "--tau", "100", "--paths", "10"]) == 0
    said = capsys.readouterr().out
    error = 1 - averages(WELL, ERASE, 100.0).success
    assert f"0.5000 of the exact mean of exp(-W), all, sits in rare failures\n({error:.1e}" in said
    assert f"ln 2 - h(e) = {partial_erasure(error):.4f} k_B T" in said
    assert main(["bit", "--tau", "0.01", "--paths", "10"]) == 0
    assert "The trap" not in capsys.readouterr().out  # half of all fail: any sample holds them


@pytest.mark.parametrize("tau", ["1e9", "1e6", "1e-300"])
def test_the_verb_names_the_durations_that_work(
    tau: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bit", "--tau", tau, "--paths", "2"]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and "1e-09..4,194" in said and "--ensemble" not in said

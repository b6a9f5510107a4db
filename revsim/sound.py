"""Speech as samples of a graph: features of micro_speech and of the wake words of microWakeWord.

The integer front end of TensorFlow Lite Micro, step by step, as its sources define it
(https://github.com/tensorflow/tflite-micro: tensorflow/lite/micro/examples/micro_speech/
audio_preprocessor.py gives the parameters, signal/src/*.cc the arithmetic,
python/tflite_micro/signal the tables; its FFT is https://github.com/mborgerding/kissfft in 16
bits): Hann window, scaling to 16 bits, real FFT, energy, a bank of 40 mel filters, square root,
spectral subtraction, per-channel automatic gain control (PCAN), logarithm, int8. Every rounding
and every overflow of its machine integers is kept: the features are its features, bit for bit.
The wake words (https://github.com/OHF-Voice/pymicro-features) have the elder C library's tables
(TensorFlow, tensorflow/lite/experimental/microfrontend/lib): window and filters rounded in float32.

>>> silence = features(np.zeros(SAMPLES, dtype=np.int16))
>>> silence.shape, set(silence.ravel().tolist())
((49, 40), {-128})
"""

import wave
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError

Integers = npt.NDArray[np.int64]

RATE: Final = 16_000
SAMPLES: Final = RATE
"""Samples a second, and of a recording for micro_speech."""
WINDOW: Final = 480
STEP: Final = 320
"""Samples of a frame, 30 ms, and from one frame to the next, 20 ms."""
WAKE_STEP: Final = 160
WAKE_UNIT: Final = 0.0390625
"""The same of wake words, 10 ms, and the unit of their features, 1 / 25.6."""
LONGEST: Final = 60 * RATE
"""Most samples of a recording for wake words: a minute."""
FRAMES: Final = 1 + (SAMPLES - WINDOW) // STEP
CHANNELS: Final = 40
FFT: Final = 512
BAND: Final = (125.0, 7500.0)
"""Ends of the filters, Hz."""
WEIGHT_BITS: Final = 12
"""Fraction bits of the window and of the filters."""
CORRECTION_BITS: Final = FFT.bit_length() - 1 - WEIGHT_BITS // 2
"""Bits by which the FFT leaves the square roots too small: 3."""
SMOOTHING_BITS: Final = 10
SUBTRACTION_BITS: Final = 14
SMOOTHING: Final = (0.025, 0.06)
LEAST_LEFT: Final = 0.05
"""Part of a new frame in the noise estimate of even and odd channels; least part left of it."""
GAIN_STRENGTH: Final = 0.95
GAIN_OFFSET: Final = 80.0
GAIN_BITS: Final = 21
RATIO_BITS: Final = 12
OUTPUT_BITS: Final = 6
"""Fraction bits of the ratio of signal to noise, before and after it is bent."""
LOG_STEPS: Final = 128
LOG_BITS: Final = 16
"""Pieces of the table of logarithms, and its fraction bits."""
WORD: Final = (1 << 32) - 1


def read_wav(path: str | Path, most: int = SAMPLES) -> npt.NDArray[np.int16]:
    """int16 [samples] of 16 kHz mono 16-bit PCM, one second, or from there to `most` samples.

    Raises InputError for anything else.
    """
    path = Path(path)
    try:
        with wave.open(str(path), "rb") as file:
            found = file.getframerate(), file.getnchannels(), 8 * file.getsampwidth()
            length = file.getnframes()
            fits = found == (RATE, 1, 16) and SAMPLES <= length <= most
            sound = file.readframes(length) if fits else b""
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (OSError, EOFError, RuntimeError, wave.Error) as error:  # all four out of wave
        line = str(error)[:120] or "it ends too early"
        raise InputError(f"{path}: cannot be read as PCM .wav ({line})") from None
    if not fits:
        span = "one second" if most == SAMPLES else f"1 to {most // RATE} seconds"
        raise InputError(
            f"{path}: {length:,} samples at {found[0]:,} Hz, {found[1]} channels, {found[2]} bits; "
            f"the model takes {span} of 16 kHz mono 16-bit PCM ({SAMPLES:,} a second): convert it"
        )
    if len(sound) != 2 * length:
        raise InputError(
            f"{path}: holds {len(sound) // 2:,} of the {length:,} samples it announces"
        )
    return np.frombuffer(sound, dtype="<i2").astype(np.int16)


def features(sound: npt.NDArray[np.int16]) -> Integers:
    """int8 values as int64 [49 frames, 40 channels] of int16 [16000], for micro_speech."""
    if sound.shape != (SAMPLES,):
        raise InputError(f"sound of shape {list(sound.shape)}: give int16 [{SAMPLES}]")
    return to_int8(log_energies(sound, STEP))


def wake_features(sound: npt.NDArray[np.int16], frames: int) -> npt.NDArray[np.float32]:
    """float32 [steps, frames a step, 40 channels] of int16 [samples]: inputs one after the other.

    Frames that fill no whole step are left out.
    """
    found = log_energies(sound, WAKE_STEP, rounded=True)
    steps = len(found) // frames
    return (found[: steps * frames].reshape(steps, frames, CHANNELS) * WAKE_UNIT).astype(np.float32)


def log_energies(sound: npt.NDArray[np.int16], step: int, rounded: bool = False) -> Integers:
    """64 ln of what stands out of the noise, [frames, 40 channels]; the noise estimate starts at 0.

    `step` is in samples; `rounded` takes the tables of the C library.
    """
    if sound.ndim != 1 or len(sound) < WINDOW or sound.dtype != np.int16:
        raise InputError(f"sound of shape {list(sound.shape)}, {sound.dtype}: give int16 [samples]")
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::step].astype(np.int64)
    windowed, shifts = full_scale(frames * window(rounded) >> WEIGHT_BITS)
    real, imaginary = real_fft(np.pad(windowed, ((0, 0), (0, FFT - WINDOW))))
    energy = (real * real + imaginary * imaginary) & WORD
    signal = square_root(energy @ filters(rounded)) >> shifts[:, None]
    return logarithm(gain_control(*subtract_noise(signal)))


@cache
def window(rounded: bool = False) -> Integers:
    """Hann window [480], 12 fraction bits."""
    real = np.dtype(np.float32 if rounded else np.float64)
    angles = (np.arange(WINDOW, dtype=real) + 0.5) * (np.asarray(2 * np.pi, real) / WINDOW)
    cosines = np.cos(angles.astype(np.float64)).astype(real)
    weights: Integers = np.floor((0.5 - 0.5 * cosines) * (1 << WEIGHT_BITS) + 0.5).astype(np.int64)
    return weights


def full_scale(frames: Integers) -> tuple[Integers, Integers]:
    """(frames [n, size] shifted left as far as int16 allows, the shifts [n])."""
    largest = np.abs(frames).max(axis=1)
    shifts = np.where((largest > 0) & (largest < 1 << 15), 15 - _bits(largest), 0)
    return frames << shifts[:, None], shifts


def real_fft(rows: Integers) -> Integers:
    """(real, imaginary) [2, n, 257] int16 values of the spectrum of rows [n, 512], over 512.

    Even and odd samples are the real and imaginary parts of one FFT of half the size; their two
    spectra are told apart at the end (kiss_fftr).

    >>> real_fft(np.full((1, 512), 1000))[:, 0, :3].tolist()
    [[1000, 0, 0], [0, 0, 0]]
    """
    half = FFT // 2
    mixed = _fft(np.stack([rows[:, 0::2], rows[:, 1::2]]))
    ends = _divide(mixed[:, :, 0], 2)
    index = np.arange(1, half // 2 + 1)
    there = _divide(mixed[:, :, index], 2)
    mirrored = mixed[:, :, half - index]
    back = _divide(_int16(np.stack([mirrored[0], -mirrored[1]])), 2)
    even = _int16(there + back)
    odd = _times(_int16(there - back), _turns(-np.pi * (index / half + 0.5)))
    spectrum = np.zeros((2, len(rows), half + 1), dtype=np.int64)
    spectrum[0, :, 0], spectrum[0, :, half] = ends[0] + ends[1], ends[0] - ends[1]
    spectrum[:, :, index] = even + odd >> 1
    spectrum[0, :, half - index] = (even - odd)[0].T >> 1
    spectrum[1, :, half - index] = (odd - even)[1].T >> 1
    return _int16(spectrum)


def _fft(rows: Integers) -> Integers:
    """(real, imaginary) [2, ..., 4**k] of the FFT over its size: radix 4, decimation in time."""
    size = rows.shape[-1]
    if size == 1:
        return rows
    quarter = size // 4
    parts = rows.reshape(*rows.shape[:-1], quarter, 4).swapaxes(-1, -2)
    parts = _divide(_fft(parts), 4)
    turns = np.outer(np.arange(1, 4), np.arange(quarter)) / size
    first, turned = parts[..., 0, :], _times(parts[..., 1:, :], _turns(-2 * np.pi * turns))
    second, third, fourth = (turned[..., n, :] for n in range(3))
    plus, minus = _int16(first + third), _int16(first - third)
    across, along = _int16(second + fourth), _int16(second - fourth)
    quarter_turn = np.stack([along[1], -along[0]])
    joined = [plus + across, minus + quarter_turn, plus - across, minus - quarter_turn]
    return _int16(np.concatenate(joined, axis=-1))


def _turns(angles: npt.NDArray[np.float64]) -> Integers:
    """(cos, sin) with 15 fraction bits."""
    return np.floor(0.5 + 32767 * np.stack([np.cos(angles), np.sin(angles)])).astype(np.int64)


def _times(left: Integers, right: Integers) -> Integers:
    """Complex product of (real, imaginary) pairs, 15 fraction bits off."""
    real = left[0] * right[0] - left[1] * right[1]
    return _rounded(np.stack([real, left[0] * right[1] + left[1] * right[0]]))


def _divide(values: Integers, divisor: int) -> Integers:
    return _rounded(values * (32767 // divisor))


def _rounded(products: Integers) -> Integers:
    return _int16(products + (1 << 14) >> 15)


def _int16(values: Integers) -> Integers:
    """What is left of values in 16 bits."""
    return values.astype(np.int16).astype(np.int64)


@cache
def filters(rounded: bool = False) -> Integers:
    """Triangles [257 bins, 40 channels], 12 fraction bits, their corners evenly spaced in mel.

    A bin between two corners counts for the channel that falls there and for the one that rises.
    """
    lowest, highest = (_mel(end) for end in BAND)
    spacing = (highest - lowest) / np.float32(CHANNELS + 1)
    corners = lowest + spacing * np.arange(CHANNELS + 2, dtype=np.float32)
    hertz, half = RATE / FFT, np.float32(0.5 if rounded else 0)
    weights = np.zeros((FFT // 2 + 1, CHANNELS + 2), dtype=np.int64)
    start = round(1 + BAND[0] / hertz)
    for part in range(CHANNELS + 1):
        end = start
        while _mel(end * hertz) <= corners[part + 1]:
            falling = (corners[part + 1] - _mel(end * hertz)) / (corners[part + 1] - corners[part])
            weights[end, part] += int(falling * (1 << WEIGHT_BITS) + half)
            weights[end, part + 1] += int((1 - falling) * (1 << WEIGHT_BITS) + half)
            end += 1
        start = end
    return weights[:, 1:-1]


def _mel(hertz: float) -> np.float32:
    return np.float32(np.float32(1127) * np.log1p(np.float32(hertz) / np.float32(700)))


def square_root(values: Integers) -> Integers:
    """Nearest whole root of values below 2**52; of values below 2**32 at most 65,535.

    >>> square_root(np.array([0, 2, 3, 12, 13, 2**32 - 1, 2**32])).tolist()
    [0, 1, 2, 3, 4, 65535, 65536]
    """
    root = np.sqrt(values.astype(np.float64)).astype(np.int64)
    root += values - root * root > root
    return np.where(values < 1 << 32, np.minimum(root, 0xFFFF), root)


def subtract_noise(signal: Integers) -> tuple[Integers, Integers]:
    """(signal less its noise, the noise estimates with 10 fraction bits), each [frames, channels].

    The estimate follows each channel slowly, from 0; a part of the signal is always left.
    """
    unit = 1 << SUBTRACTION_BITS
    rates = np.resize([int(part * unit) for part in SMOOTHING], CHANNELS)
    raised = signal << SMOOTHING_BITS & WORD
    noise = np.zeros_like(signal)
    estimate = np.zeros(CHANNELS, dtype=np.int64)
    for frame, row in enumerate(raised):
        estimate = (row * rates + estimate * (unit - rates) >> SUBTRACTION_BITS) & WORD
        noise[frame] = estimate
    floor = signal * int(LEAST_LEFT * unit) >> SUBTRACTION_BITS
    return np.maximum(raised - np.minimum(noise, raised) >> SMOOTHING_BITS, floor), noise


def gain_control(signal: Integers, noise: Integers) -> Integers:
    """Ratio of signal to noise, bent (x * x / 4 below 2, x - 1 above), with 6 fraction bits."""
    ratio = signal * gain(noise) >> GAIN_BITS - CORRECTION_BITS - RATIO_BITS & WORD
    two = 2 << RATIO_BITS
    bent = np.minimum(ratio, two) ** 2 >> 2 + 2 * RATIO_BITS - OUTPUT_BITS
    straight = (ratio >> RATIO_BITS - OUTPUT_BITS) - (1 << OUTPUT_BITS)
    return np.where(ratio < two, bent, straight)


def gain(noise: Integers) -> Integers:
    """(noise / 2**7 + 80) ** -0.95 with 21 fraction bits: a parabola from each power of 2 on.

    >>> gain(np.array([0, 1 << 20])).tolist()
    [32636, 398]
    """
    start, slope, bend = gain_table()[:, _bits(noise)]
    part = _leading(noise, 10)
    found: Integers = start + (((bend * part >> 5) + (slope << 5)) * part + (1 << 14) >> 15)
    return found


@cache
def gain_table() -> Integers:
    """(value, slope, bend) [3, 33] of `gain` for noise of 0, 1, ... 32 bits."""
    table = np.zeros((3, 33), dtype=np.int64)
    table[0, :2] = _gain(0), _gain(1)
    for bits in range(2, 33):
        first = 1 << bits - 1
        start, middle, end = _gain(first), _gain(3 * first // 2), _gain(min(2 * first, WORD))
        slope = 4 * (middle - start) - (end - start)
        table[:, bits] = start, slope, end - start - slope
    return table


def _gain(noise: int) -> int:
    level = np.float32(noise) / np.float32(1 << SMOOTHING_BITS - CORRECTION_BITS)
    power = np.float64(level + np.float32(GAIN_OFFSET)) ** np.float64(np.float32(-GAIN_STRENGTH))
    return min(int(np.float32(1 << GAIN_BITS) * np.float32(power) + np.float32(0.5)), 32767)


def logarithm(values: Integers) -> Integers:
    """64 ln(8 x) of uint32 values, rounded, at most 32,767; 0 where 8 x is 0.

    Between two entries of the table log.cc shifts by 16 bits where 9 would interpolate; so it is
    here.
    """
    scaled = values << CORRECTION_BITS & WORD
    fraction = _leading(scaled, LOG_BITS)
    table = log_table()
    piece = fraction * LOG_STEPS >> LOG_BITS
    rest = fraction - (piece << LOG_BITS) // LOG_STEPS
    fraction += table[piece] + ((table[piece + 1] - table[piece]) * rest >> LOG_BITS)
    half = 1 << LOG_BITS - 1
    base_two = (np.maximum(_bits(scaled) - 1, 0) << LOG_BITS) + fraction
    natural = int(np.log(2) * (1 << LOG_BITS)) * base_two + half >> LOG_BITS
    logs = np.minimum((natural << OUTPUT_BITS) + half >> LOG_BITS, 32767)
    return np.where(scaled > 1, logs, 0)


@cache
def log_table() -> Integers:
    """log2(1 + x) - x at x = 0, 1/128, ... 1 with 16 fraction bits."""
    steps = np.arange(LOG_STEPS + 1) / LOG_STEPS
    return np.rint((np.log2(1 + steps) - steps) * (1 << LOG_BITS)).astype(np.int64)


def to_int8(values: Integers) -> Integers:
    """Logarithms 0..670 as -128..127: the model was trained on x / 25.6, up to 26."""
    span = int(25.6 * 26 + 0.5)
    return np.clip((values * 256 + span // 2) // span - 128, -128, 127)


def _bits(values: Integers) -> Integers:
    """Bits of whole numbers from 0 below 2**53."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)


def _leading(values: Integers, bits: int) -> Integers:
    """The bits after the leading 1, as many as told, zeros where there are no more; 0 of 0."""
    length = _bits(values)
    shifted = values << np.maximum(bits + 1 - length, 0) >> np.maximum(length - bits - 1, 0)
    return shifted & (1 << bits) - 1

"""Speech as the features of micro_speech: the stored features, properties, what is refused."""

import wave
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from revsim import sound
from revsim.errors import InputError
from revsim.graphs.rows import read_samples
from revsim.network.graph import Graph, Node, State, Tensor, Wiring

TIMES = np.arange(sound.SAMPLES) / sound.RATE


def graph_of(*shape):
    size = int(np.prod(shape))
    tensors = {n: Tensor(n, shape, -128, 127) for n in "xy"}
    node = Node("n", Wiring("copy", np.arange(size)), ("x",), "y")
    return Graph("g", tensors, (node,), ("x",), ("y",))


SPEECH = graph_of(1, 1960)


def record(path, values, rate=16_000, channels=1, width=2):
    with wave.open(str(path), "wb") as file:
        file.setframerate(rate)
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.writeframes(values.tobytes())
    return path


def tone(hertz, loudness=8000):
    return np.round(loudness * np.sin(2 * np.pi * hertz * TIMES)).astype("<i2")


@pytest.mark.parametrize(("row", "name"), [(0, "yes"), (1, "no")])
def test_features_are_those_of_the_reference(shared_data, row, name):
    path = shared_data / "datasets" / f"{name}_1000ms.wav"
    stored = np.load(shared_data / "tflite" / "micro_speech_quantized.expected.npz")
    samples, labels = read_samples(SPEECH, path)
    assert stored["kind"][row] == "real" and labels is None
    assert np.array_equal(samples["x"], stored["x"][row])


def test_a_folder_of_words_gives_rows_and_labels(tmp_path):
    for word, hertz in (("high", 3000), ("low", 300)):
        (tmp_path / word).mkdir()
        for k in range(2):
            record(tmp_path / word / f"{k}.wav", tone(hertz + 100 * k))
    samples, labels = read_samples(graph_of(1, 49, 40, 1), tmp_path)
    assert samples["x"].shape == (4, 1960) and labels.tolist() == [0, 0, 1, 1]
    assert np.array_equal(samples["x"][1], sound.features(tone(3100)).ravel())


def test_silence_and_the_loudest_sounds():
    for value in (0, 1, 2):
        quiet = sound.features(np.full(sound.SAMPLES, value, dtype=np.int16))
        assert (quiet == -128).all()
    noise = np.random.default_rng(0).choice([-32768, 32767], sound.SAMPLES).astype(np.int16)
    assert (sound.features(noise)[0] > 100).all()


@pytest.mark.parametrize("channel", [10, 20, 30, 38])
def test_a_tone_peaks_in_its_channel(channel):
    mel = sound.filters()
    assert mel.shape == (257, 40) and (mel.sum(axis=1)[8:200] >= 4095).all()
    bin_of_peak = int(mel[:, channel].argmax())
    found = sound.features(tone(bin_of_peak * sound.RATE / sound.FFT))
    assert found[0].argmax() == channel and found.sum(axis=0).argmax() == channel


def test_the_noise_estimate_follows_a_steady_sound():
    found = sound.features(tone(1000)).max(axis=1)
    assert (np.diff(found) <= 0).all() and found[-1] < found[0]


def test_the_integer_fft_is_the_fft():
    rows = np.random.default_rng(0).integers(-8192, 8192, (4, 512))
    real, imaginary = sound.real_fft(rows)
    assert np.abs(real + 1j * imaginary - np.fft.rfft(rows) / 512).max() < 4


def test_square_roots_are_rounded():
    values = np.concatenate(
        [np.arange(5000), np.random.default_rng(0).integers(1 << 33, 1 << 50, 99)]
    )
    exact = np.array([round(int(v) ** 0.5) for v in values[:5000]])
    roots = sound.square_root(values)
    assert np.array_equal(roots[:5000], exact)
    assert (np.abs(roots * roots - values) <= roots).all()


def test_logarithms_and_gains_are_close_to_their_formulas():
    values = np.unique(np.logspace(0, 8.5, 400).astype(np.int64))
    assert np.abs(sound.logarithm(values) - 64 * np.log(8 * values)).max() < 0.8
    wanted = 2.0**21 * (values / 128 + 80) ** -0.95
    assert np.abs(sound.gain(values) / wanted - 1)[wanted > 100].max() < 0.02
    assert sound.to_int8(np.array([0, 1, 335, 664, 670, 32767])).tolist() == [
        -128,
        -128,
        1,
        127,
        127,
        127,
    ]


def wake_word(*shape, scale=0.1):
    """A graph whose state is its input of a step before."""
    graph = graph_of(*shape)
    size = graph.tensors["x"].size
    tensors = {
        "x": replace(graph.tensors["x"], scale=scale, zero=-128),
        "y": graph.tensors["y"],
        "old": Tensor("old", shape, -128, 127),
    }
    state = State("old", "y", np.zeros(size, dtype=np.int64))
    return replace(graph, tensors=tensors, state=(state,))


def test_wake_words_take_a_recording_step_by_step(tmp_path):
    graph = wake_word(1, 3, 40)
    path = record(tmp_path / "a.wav", np.tile(tone(1000), 2))
    samples, _ = read_samples(graph, path)
    assert samples["x"].shape == (198 // 3, 120)
    logs = sound.log_energies(np.tile(tone(1000), 2), sound.WAKE_STEP, rounded=True)
    wanted = np.rint(logs.astype(np.float32) * np.float32(1 / 25.6) / np.float32(0.1)) - 128
    assert np.array_equal(samples["x"].reshape(-1, 40), wanted.clip(-128, 127))
    with pytest.raises(InputError, match=r"wake words one \.wav at a time"):
        read_samples(graph, tmp_path)
    with pytest.raises(InputError, match="1 to 60 seconds"):
        read_samples(graph, record(path, np.zeros(sound.LONGEST + 1, dtype="<i2")))


@pytest.mark.parametrize(
    "name, digest",
    [
        ("yes", "10e92a0736b23187"),
        ("no", "fd2f532a6167f5b6"),
    ],
)
def test_wake_features_are_those_of_the_c_library(shared_data, name, digest):
    """Digests of what pymicro-features 2.0.2 makes of the recordings, 98 frames of uint16."""
    recording = sound.read_wav(shared_data / "datasets" / f"{name}_1000ms.wav")
    logs = sound.log_energies(recording, sound.WAKE_STEP, rounded=True)
    assert sha256(logs.astype("<u2").tobytes()).hexdigest().startswith(digest)


def test_tables_of_the_c_library_differ_by_rounding():
    assert np.abs(sound.window(True) - sound.window()).max() == 1
    assert np.abs(sound.filters(True) - sound.filters()).max() == 1


MISTAKES = {
    "rate": ({"rate": 8000}, 16_000, "16,000 samples at 8,000 Hz"),
    "stereo": ({"channels": 2}, 32_000, "2 channels"),
    "bits": ({"width": 1}, 8_000, "8 bits"),
    "length": ({}, 15_999, "one second of 16 kHz mono 16-bit PCM"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_other_recordings_are_refused(tmp_path, case):
    how, length, words = MISTAKES[case]
    path = record(tmp_path / "a.wav", np.zeros(length, dtype="<i2"), **how)
    with pytest.raises(InputError, match=words):
        read_samples(SPEECH, path)


def test_damaged_files_are_refused(tmp_path):
    whole = record(tmp_path / "a.wav", tone(500)).read_bytes()
    path = tmp_path / "b.wav"
    with pytest.raises(InputError, match="there is no such file"):
        read_samples(SPEECH, path)
    lost = {1000: "announces", 30: "cannot be read", 3: "cannot be read", 0: "cannot be read"}
    for length, words in lost.items():
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=words):
            read_samples(SPEECH, path)
    for place in range(44):
        path.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        try:
            read_samples(SPEECH, path)
        except InputError as error:
            assert len(str(error)) - len(str(path)) < 300


def test_models_of_other_features_are_refused(tmp_path):
    path = record(tmp_path / "a.wav", tone(500))
    with pytest.raises(InputError, match=r"give its 490 features as \.npy"):
        read_samples(graph_of(1, 49, 10, 1), path)
    path = tmp_path / "a.flac"
    path.write_bytes(b"fLaC" + bytes(100))
    with pytest.raises(InputError, match=r"cannot be read as PCM \.wav"):
        read_samples(SPEECH, path)

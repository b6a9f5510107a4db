"""Pictures and speech as samples of a graph: one file, or a folder of them.

Speech becomes features (sound.py): 49 x 40 of a second for micro_speech; for wake words, whose
models keep a state, steps one after the other. Pictures are prepared as the integer vision models
of MLPerf Tiny and TensorFlow Lite document: a pixel 0..255 as it is where the input is unsigned,
pixel - 128 where it is int8 (https://github.com/mlcommons/tiny, benchmark/training). Nothing is
scaled, cut or turned.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError, missing
from revsim.network.graph import Graph, Tensor
from revsim.network.sums import Integers
from revsim.sound import CHANNELS, FRAMES, LONGEST, features, read_wav, wake_features

IMAGES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm")
FORMATS: Final = ("PNG", "JPEG", "BMP", "PPM")
SOUNDS: Final = (".wav", ".flac", ".mp3", ".ogg")
READ: Final = (*IMAGES, ".wav")
FOLDER_LIMIT: Final = 1 << 16
"""Most files of a folder."""


def is_media(path: str | Path) -> bool:
    """Whether a data path is a picture, a sound or a folder."""
    return Path(path).suffix.lower() in (*IMAGES, *SOUNDS) or Path(path).is_dir()


def read_media(graph: Graph, path: str | Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """(samples [rows, values], labels or None) of one image or .wav, or of a folder.

    A folder gives its files in the order of their names; a folder of folders gives those of each,
    its label the place of the folder's name in order, from 0. Raises InputError for other sizes
    than the model's, and for what is no 8-bit image or no second of 16 kHz speech.
    """
    path = Path(path)
    if len(graph.inputs) != 1:
        raise InputError(f"{path}: {graph.name} has {len(graph.inputs)} inputs; give an .npz")
    tensor = graph.tensors[graph.inputs[0]]
    if graph.state and path.suffix.lower() in SOUNDS:
        return wake_steps(tensor, path), None
    if not path.is_dir():
        return _sample(tensor, path)[None], None
    folders = sorted(p for p in path.iterdir() if p.is_dir())
    named = [(label, p) for label, folder in enumerate(folders) for p in _files(folder)]
    alone = _files(path)
    if bool(named) == bool(alone):
        raise InputError(
            f"{path}: give a folder of files, or one of a folder per label; it holds "
            f"{'both' if alone else 'neither'} ({', '.join(READ)})"
        )
    if len(named) + len(alone) > FOLDER_LIMIT:
        raise InputError(f"{path}: more than {FOLDER_LIMIT:,} files")
    rows = np.stack([_sample(tensor, p) for p in alone or [p for _, p in named]])
    return rows, None if alone else np.array([label for label, _ in named])


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in READ and p.is_file())


def _sample(tensor: Tensor, path: Path) -> Integers:
    return (speech if path.suffix.lower() in SOUNDS else pixels)(tensor, path)


def speech(tensor: Tensor, path: Path) -> Integers:
    """One .wav as the 1,960 features of an input tensor, flat."""
    lengths = [n for n in tensor.shape if n != 1]
    int8 = (tensor.low, tensor.high) == (-128, 127)
    if not int8 or lengths not in ([FRAMES * CHANNELS], [FRAMES, CHANNELS]):
        raise _no_sound(tensor, path)
    return features(read_wav(path)).ravel()


def wake_steps(tensor: Tensor, path: Path) -> npt.NDArray[np.float32]:
    """One .wav as consecutive inputs of a wake word, float32 [steps, values], not yet quantised."""
    if tensor.shape[-1:] != (CHANNELS,) or tensor.scale is None:
        raise _no_sound(tensor, path)
    steps = wake_features(read_wav(path, LONGEST), tensor.size // CHANNELS)
    return steps.reshape(len(steps), tensor.size)


def _no_sound(tensor: Tensor, path: Path) -> InputError:
    return InputError(
        f"{path}: input {tensor.name!r} of shape {list(tensor.shape)} takes no sound here: "
        f"micro_speech does ({FRAMES} x {CHANNELS} features), and wake words one .wav at a time; "
        f"give its {tensor.size:,} features as .npy"
    )


def pixels(tensor: Tensor, path: Path) -> Integers:
    """One image as the integers of an input tensor, flat, in the tensor's order of axes."""
    image = _read(path)
    height, width, channels, first = _layout(tensor, path)
    if image.shape != (height, width, channels):
        raise InputError(
            f"{path}: {image.shape[1]} x {image.shape[0]} pixels of {image.shape[2]} channels; the "
            f"model takes {width} x {height} of {channels}: scale or convert it first"
        )
    image = image.transpose(2, 0, 1) if first else image
    return image.astype(np.int64).ravel() - (128 if tensor.low < 0 else 0)


def _layout(tensor: Tensor, path: Path) -> tuple[int, int, int, bool]:
    """(height, width, channels, whether channels come first) of an input."""
    shape = tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape
    ends = tensor.low, tensor.high
    if ends not in ((0, 255), (-128, 127)) or len(shape) not in (2, 3):
        raise InputError(
            f"{path}: input {tensor.name!r} of shape {list(tensor.shape)} and range "
            f"{ends[0]}..{ends[1]} takes no pictures; give .npy"
        )
    if len(shape) == 2:
        return shape[0], shape[1], 1, False
    if shape[2] in (1, 3):
        return shape[0], shape[1], shape[2], False
    if shape[0] in (1, 3):
        return shape[1], shape[2], shape[0], True
    raise InputError(f"{path}: input {tensor.name!r} has no axis of 1 or 3 channels; give .npy")


def _read(path: Path) -> npt.NDArray[np.uint8]:
    """uint8 [height, width, 1 or 3]."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise missing("a picture", "pillow", "images") from None
    try:
        with Image.open(path, formats=FORMATS) as opened:
            image: Any = opened
            if image.mode == "P":
                image = image.convert("RGB")
            if image.mode not in ("L", "RGB"):
                raise InputError(
                    f"{path}: pixels of kind {image.mode}; save it with 8 bits per channel, grey "
                    "or RGB, without transparency"
                )
            found = np.asarray(image, dtype=np.uint8)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: is no image of {', '.join(FORMATS)}") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        line = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise InputError(f"{path}: cannot be read as an image ({line})") from None
    return found.reshape(*found.shape[:2], -1)

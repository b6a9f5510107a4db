"""The machine that figures were measured on, and whether it was quiet."""

import os
import platform
import shutil
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import revsim

PACKAGES = ("numpy", "numba", "llvmlite")
QUIET = 0.1
"""Cores that other processes may use, on the average, while figures are worth quoting."""


def machine() -> dict[str, Any]:
    """What figures depend on: processor, caches (bytes by level, of one core or shared), vector
    width, cores, memory, versions. What the system does not tell is None or left out."""
    return {
        "processor": processor(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "vector_bits": vector_bits(),
        "caches": caches(),
        "memory_bytes": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        "versions": {
            "revsim": revsim.__version__,
            "python": platform.python_version(),
            **{name: _version(name) for name in PACKAGES},
        },
    }


def processor() -> str:
    """The name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model"):
                return value.strip()
    except OSError:
        pass
    return _sysctl("machdep.cpu.brand_string") or platform.processor() or platform.machine()


def caches() -> dict[str, int]:
    """Bytes of the data caches that the first core sees, by level: {"L1": 32768, ...}.

    >>> all(size > 0 for size in caches().values())
    True
    """
    found = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = (
                (index / name).read_text().strip() for name in ("level", "type", "size")
            )
        except OSError:
            continue
        if kind != "Instruction":
            found[f"L{level}"] = int(size[:-1]) << {"K": 10, "M": 20, "G": 30}[size[-1]]
    if not found:
        for level, name in (("L1", "hw.l1dcachesize"), ("L2", "hw.l2cachesize")):
            size = _sysctl(name)
            if size.isdigit():
                found[level] = int(size)
    return found


def vector_bits() -> int | None:
    """Widest vector registers that compiled kernels use; None without Numba."""
    try:
        from llvmlite.binding import get_host_cpu_features
    except ImportError:
        return None
    features = get_host_cpu_features()
    for name, bits in (("avx512f", 512), ("avx2", 256), ("sse2", 128), ("neon", 128)):
        if features.get(name):
            return bits
    return 64


class Load:
    """How busy other processes keep the machine from here on.

    /proc/stat counts what all cores did, the process itself and its children are taken off. Where
    there is none the average of the last minute stands for it.
    """

    def __init__(self) -> None:
        self.at_start = _average()
        self._started = time.perf_counter()
        self._busy, self._own = _busy(), _own()

    def ended(self) -> dict[str, float | None]:
        """Load averages of the minute before start and end; `others`: cores that other processes
        used, on the average, in between (None: not known)."""
        seconds = time.perf_counter() - self._started
        others = None
        busy = _busy()
        if busy is not None and self._busy is not None and seconds > 0:
            others = max(0.0, (busy - self._busy - (_own() - self._own)) / seconds)
        return {"load_at_start": self.at_start, "load_at_end": _average(), "others": others}


def is_quiet(load: dict[str, float | None]) -> bool:
    """Whether figures measured under this load can be quoted.

    >>> is_quiet({"load_at_start": 0.0, "load_at_end": 1.0, "others": 0.9})
    False
    """
    if load["others"] is not None:
        return load["others"] <= QUIET
    return (load["load_at_start"] or 0.0) <= 2 * QUIET


def _average() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _busy() -> float | None:
    """Seconds that all cores together were busy, or taken by a host, since the system started."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _, _, irq, softirq, stolen = (int(f) for f in fields[:8])
    return (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """Seconds of all cores that this process and its finished children took."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _sysctl(name: str) -> str:
    if shutil.which("sysctl") is None:
        return ""
    done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""

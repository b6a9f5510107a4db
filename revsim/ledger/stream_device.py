"""T8 on the device: one step of a stream in gates, held against the ledgers of the stream."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from revsim.ledger.identities import TOLERANCE
from revsim.ledger.ledgers import Ledgers
from revsim.ledger.streams import Stream, compare_stream, entropies, stream_identity


@dataclass(frozen=True)
class Step:
    """One step of a device that keeps its states, simulated on every pair.

    `way`: reset, known or flag, `title` in words; `causes`: ledgers by cause; `given_next`: bits of
    the same erasures where each may look at its neuron's new value, read from the device's
    registers; `wrong`: the first promise or output that is broken, empty where all are kept.
    """

    way: str
    title: str
    causes: Mapping[str, Ledgers]
    given_next: float
    wrong: str = ""

    @property
    def total(self) -> Ledgers:
        """Ledgers of the whole step."""
        return sum(self.causes.values(), Ledgers())


def step_residual(stream: Stream, step: Step) -> float:
    """How far the device's ledgers are from those of the stream, in bits (0 is perfect).

    The old states (reset, known) or the flags (flag) are n bits with the stream's statistics;
    looking at the new value they cost `given_next` (nothing is saved by a flag), and looking at
    everything kept H(s(t-1) given X(t)), whatever the way.
    """
    cause, p = ("flag", stream.changed) if step.way == "flag" else ("neuron_state", stream.activity)
    erased = step.causes.get(cause, Ledgers())
    next_known = stream.state_entropy if step.way == "reset" else stream.given_next
    gaps = [
        erased.reset_count - len(stream.names),
        erased.ones_flipped - float(p.sum()),
        erased.per_bit - float(entropies(p).sum()),
        step.given_next - float(next_known.sum()),
        step.total.given_kept - stream.joint_given_input,
    ]
    if step.way == "flag":  # with flag and new value at hand, the conditional reset is free
        gaps.append(step.causes["neuron_state"].given_kept)
    return max(abs(gap) for gap in gaps)


@dataclass(frozen=True, eq=False)
class StreamReport:
    """What `verify` found for a stream: its ledgers, and each way to overwrite, simulated.

    `sha256` is that of the rows in their order.
    """

    stream: Stream
    steps: tuple[Step, ...]
    sha256: str

    @property
    def holds(self) -> bool:
        """Whether T8 holds of the stream and of every device, and no device breaks a promise."""
        return bool(stream_identity(self.stream).holds) and all(
            not step.wrong and step_residual(self.stream, step) <= TOLERANCE for step in self.steps
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, in the layout of `--json`; bits per inference."""
        s = self.stream
        return {
            "sha256": self.sha256,
            "pairs": s.pairs,
            "distinct": s.distinct,
            "ceiling": s.ceiling,
            "stationary": not s.drifting,
            "drifting": list(s.drifting),
            "restless": list(s.restless),
            "changed_neurons_stream": s.changed_neurons_stream,
            "state_entropy": float(s.state_entropy.sum()),
            "given_next": float(s.given_next.sum()),
            "joint_given_next": s.joint_given_next,
            "joint_given_input": s.joint_given_input,
            "inputs_given_next": s.inputs_given_next,
            "comparison": [{**asdict(c), "margin": c.margin} for c in compare_stream(s)],
            "steps": [
                {
                    "way": step.way,
                    "title": step.title,
                    "holds": not step.wrong and step_residual(s, step) <= TOLERANCE,
                    "wrong": step.wrong,
                    "residual": step_residual(s, step),
                    "given_next": step.given_next,
                    **asdict(step.total),
                    "causes": {cause: asdict(v) for cause, v in step.causes.items()},
                }
                for step in self.steps
            ],
            "neurons": [
                {
                    "neuron": name,
                    "activity": float(s.activity[k]),
                    "changed": float(s.changed[k]),
                    "state_entropy": float(s.state_entropy[k]),
                    "given_next": float(s.given_next[k]),
                    "flip": float(s.flip[k]),
                }
                for k, name in enumerate(s.names)
            ],
        }

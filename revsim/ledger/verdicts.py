"""Comparisons in words: which quantity meets which reading, by how much, and who is to blame."""

from collections.abc import Sequence
from dataclasses import dataclass

from revsim.ledger.comparison import READINGS, Activity, Comparison, activity
from revsim.ledger.reference import Neurons
from revsim.physics.landauer import CROSSING


@dataclass(frozen=True)
class Condition:
    """A condition that a theorem about neurons puts, and the names of the neurons that break it."""

    id: str
    statement: str
    breaks: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether no neuron breaks it."""
        return not self.breaks


def conditions(neurons: Sequence[Neurons]) -> tuple[Condition, ...]:
    """What reading 1 asks of each neuron before entropy is sure to reach activity (theorem T7a)."""
    quiet = f"every neuron is on for at most p* = {CROSSING:.4f} of the inputs, so that h2(p) >= p"
    varies = "no neuron is always on: a state without entropy is erased for nothing"
    always = tuple(
        f"{layer.layer}[{i}]" for layer in neurons for i in layer.columns[layer.activity == 1]
    )
    return (
        Condition("p_star", quiet, activity(neurons).loud),
        Condition("varies", varies, always),
    )


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names with a count of those left out.

    >>> listed([f"n{k}" for k in range(8)], 3)
    'n0, n1, n2 and 5 more'
    """
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most:,} more"


def signed(bits: float) -> str:
    """A margin in bits as tables print it: three decimals, none from 1,000 on.

    >>> signed(-2.09641), signed(109309.9)
    ('-2.096', '+109,310')
    """
    return f"{bits:+,.0f}" if abs(bits) >= 1000 else f"{bits:+.3f}"


def in_words(reading: str, compared: Sequence[Comparison], counted: Activity) -> str:
    """One reading in words: which quantities meet it, by how much, which fall short, which neurons
    are why, and what is not compared and why. A reading of 0 bits is met by anything, which is
    said in place of it."""
    about = [c for c in compared if c.reading == reading]
    if not about:
        return ""
    if about[0].reading_bits == 0:
        ever = "ever changes" if counted.active_neurons else "is ever active"
        return f"{reading}, 0.000: nothing to compare: no neuron {ever} in these rows"
    parts = []
    for holds, words in ((True, "met by"), (False, "not met by")):
        found = [
            f"{c.quantity} ({signed(c.margin)})"
            for c in about
            if c.holds is holds and c.margin is not None
        ]
        if found:
            parts.append(f"{words} {', '.join(found)}")
    reasons = dict.fromkeys(c.note.removeprefix("not compared: ") for c in about if c.holds is None)
    for reason in reasons:
        left = [c.quantity for c in about if c.holds is None and c.note.endswith(reason)]
        parts.append(f"not compared: {', '.join(left)} ({reason})")
    text = f"{reading}, {about[0].reading_bits:,.3f}: {'; '.join(parts)}"
    if reading == READINGS[0] and counted.loud:
        text += (
            f". {len(counted.loud):,} of {counted.neuron_states:,} neurons break p <= p* = "
            f"{CROSSING:.4f}: on for more of the inputs, a state has less entropy than activity: "
            f"{listed(counted.loud)}"
        )
    return text

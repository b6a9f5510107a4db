"""From bits to heat."""

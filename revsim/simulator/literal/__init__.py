"""The literal executor: every gate of the list evaluated on its own, on every lane."""

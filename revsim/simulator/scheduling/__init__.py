"""Netlists made ready for the fused kernel: in which order operations run, and on which slots."""

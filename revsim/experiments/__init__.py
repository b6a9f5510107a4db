"""Experiments: one question each, answered by a table, a figure and a sentence."""

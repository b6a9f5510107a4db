"""Arithmetic as functions on a builder, each with an integer meaning and a promised cost."""

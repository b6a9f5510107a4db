"""Readers of model files: each turns one format into a `revsim.network.graph.Graph`.

What a format's own package is needed for is imported inside the functions that need it.
"""

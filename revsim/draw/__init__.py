"""Drawings of circuits."""

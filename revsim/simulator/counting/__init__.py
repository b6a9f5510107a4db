"""Counting what registers hold: values, joint counts, hashes of states."""

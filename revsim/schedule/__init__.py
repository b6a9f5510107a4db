"""Policies: the only place that writes ERASE."""

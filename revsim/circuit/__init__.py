"""Reversible circuits: gates, hierarchy, measures, programs."""

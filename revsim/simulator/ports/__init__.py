"""Ports of a block of lanes: from the state into a frame and back."""

"""From integer operators to reversible definitions; nothing here erases."""

"""Integer networks: operators, exact ranges, the NumPy reference, files."""

"""Front ends: model files of other programs, read into a `Graph` of integers."""

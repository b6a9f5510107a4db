"""Every gate on every row, many rows at once."""

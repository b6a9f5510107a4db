"""What a program computes, by as few operations on values as are found in one pass."""

"""`revsim bench`: every figure that revsim promises, measured here beside what it is held to."""

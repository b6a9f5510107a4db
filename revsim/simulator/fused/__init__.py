"""The fused executor: what a definition computes, by fewer operations than it has gates."""

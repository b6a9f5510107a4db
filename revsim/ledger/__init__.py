"""What was erased, by which definition, and what must hold of it."""

"""Gates that stand together and share wires, found and written as one row of code."""

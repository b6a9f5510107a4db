"""Other simulators on the same gate lists: what they were built from, what they gave, how fast.

An adapter takes a gate table, its number of wires and the state to start from; it gives a `Ready`
or raises `Absent`. Nothing here is imported unless `revsim bench` asks for it.
"""

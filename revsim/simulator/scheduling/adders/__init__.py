"""Sums of bits found among the operations of a netlist, to be added up in another order."""

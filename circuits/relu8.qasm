// ReLU on a signed 8-bit number, in place: seven Fredkin gates.
// Where the sign is 1 each Fredkin swaps a bit of the value for a 0; what was swapped out and the
// sign itself are no longer needed and are erased together, as one register.
// Uniform input: 8 wires are reset, 4.5 bits of entropy stand on them, and 3.533 bits are lost
// given the output: an active neuron loses nothing, since its garbage is all 0.
OPENQASM 3.0;
include "stdgates.inc";

@revsim.input signed
qubit[8] value;
@revsim.left_over
qubit[7] swapped;
@revsim.output
let relu = value[0:6];

cswap value[7], value[0:6], swapped;
let garbage = swapped ++ value[7];
@revsim.erase cause="activation" layer="relu" value_of="value"
reset garbage;

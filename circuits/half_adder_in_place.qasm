// A half adder that throws nothing away: one Toffoli, one CNOT.
// The sum replaces b, the carry needs one wire that starts at 0, a stays where it is.
// From (a, sum, carry) both inputs can be computed back, so nothing has to be erased.
// Compare half_adder_erasing.qasm, which computes the same two bits.
OPENQASM 3.0;
include "stdgates.inc";

@revsim.input
qubit a;
@revsim.input
qubit b;
@revsim.output
let sum = b;
@revsim.output
qubit carry;

ccx a, b, carry;
cx a, b;

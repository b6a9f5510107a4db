// A half adder as a textbook draws it: an XOR gate and an AND gate, and the inputs are gone.
// Two bits are reset, but (sum, carry) has three values: of the 2 bits that uniform inputs hold
// 1.5 are still there, so only H(a, b | sum, carry) = 0.5 bit is really lost.
// The rest of the reset count is a price for not using what is known.
OPENQASM 3.0;
include "stdgates.inc";

@revsim.input
qubit a;
@revsim.input
qubit b;
@revsim.output
qubit sum;
@revsim.output
qubit carry;

cx a, sum;
cx b, sum;
ccx a, b, carry;
@revsim.erase cause="inputs"
reset a;
@revsim.erase cause="inputs"
reset b;

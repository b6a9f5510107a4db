// A full adder in place: two Toffolis, three CNOTs.
// b holds a XOR b for a while, because the carry and the sum both need it; the last gate puts b
// back. Cleaning up after oneself in this way is what keeps larger circuits free of garbage.
// The sum replaces the carry that came in, so nothing is erased.
OPENQASM 3.0;
include "stdgates.inc";

@revsim.input
@revsim.output
qubit a;
@revsim.input
@revsim.output
qubit b;
@revsim.input
qubit carry_in;
@revsim.output
let sum = carry_in;
@revsim.output
qubit carry_out;

ccx a, b, carry_out;
cx a, b;
ccx b, carry_in, carry_out;
cx b, carry_in;
cx a, b;

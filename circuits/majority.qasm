// The majority of three bits in place: two CNOTs, one Toffoli, no extra wire.
// One bit is the answer; the other two wires hold a XOR c and b XOR c, which nobody needs.
// Erasing them costs 2 bits, and that is no waste: with uniform inputs the answer keeps 1 of 3
// bits, so any machine that forgets the inputs must lose exactly 2.
OPENQASM 3.0;
include "stdgates.inc";

@revsim.input
qubit a;
@revsim.input
qubit b;
@revsim.input
qubit c;
@revsim.output
let majority = c;

cx c, b;
cx c, a;
ccx a, b, c;
let garbage = a ++ b;
@revsim.erase cause="garbage"
reset garbage;

// A 4-bit adder in place (Cuccaro, Draper, Kutin, Moulton 2004): b becomes a + b.
// The carry ripples up through MAJ gates inside the wires of a, is copied to `top`, and is undone
// on the way down by UMA gates, which leave the sum bit in b. One Toffoli a bit and direction.
// The only ancilla, the carry into bit 0, is 0 again at the end: nothing is erased.
OPENQASM 3.0;
include "stdgates.inc";

gate maj carry, b, a {
  cx a, b;
  cx a, carry;
  ccx carry, b, a;
}

gate uma carry, b, a {
  ccx carry, b, a;
  cx a, carry;
  cx carry, b;
}

@revsim.input
@revsim.output
qubit[4] a;
@revsim.input
qubit[4] b;
@revsim.work
qubit carry;
@revsim.left_over
qubit top;
@revsim.output
let sum = b ++ top;

maj carry, b[0], a[0];
maj a[0], b[1], a[1];
maj a[1], b[2], a[2];
maj a[2], b[3], a[3];
cx a[3], top;
uma a[2], b[3], a[3];
uma a[1], b[2], a[2];
uma a[0], b[1], a[1];
uma carry, b[0], a[0];

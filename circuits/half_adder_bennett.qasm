// Bennett's recipe on a half adder: compute, copy the answer out, compute backward.
// The work wires end at 0 because every gate on them is undone in reverse order, and both inputs
// are intact: nothing is erased. The price is gates and wires, not information.
// The recipe works for any circuit; half_adder_in_place.qasm shows that it is not always needed.
OPENQASM 3.0;
include "stdgates.inc";

@revsim.zero sum carry
def half_adder(qubit a, qubit b, qubit sum, qubit carry) {
  cx a, sum;
  cx b, sum;
  ccx a, b, carry;
}

@revsim.input
@revsim.output
qubit a;
@revsim.input
@revsim.output
qubit b;
@revsim.work
qubit work_sum;
@revsim.work
qubit work_carry;
@revsim.output
qubit sum;
@revsim.output
qubit carry;

half_adder(a, b, work_sum, work_carry);
cx work_sum, sum;
cx work_carry, carry;
@revsim.inverse
half_adder(a, b, work_sum, work_carry);

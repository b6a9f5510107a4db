// A neuron with three one-bit inputs: fire = [2 x1 + x2 - x3 - 1 >= 0].
// The weighted sum is computed into a 3-bit accumulator, its sign is copied out, and the sum is
// undone: the linear part leaves no garbage. What the neuron forgets is paid where its input is
// erased: 3 bits are reset, H(x | fire) of them are really lost.
OPENQASM 3.0;
include "stdgates.inc";

@revsim.zero total
def weighted_sum(qubit x1, qubit x2, qubit x3, qubit[3] total) {
  // bias: -1 is 111 in two's complement
  x total;
  // + 2 x1: count up from bit 1
  ccx x1, total[1], total[2];
  cx x1, total[1];
  // + x2: count up from bit 0
  ctrl(3) @ x x2, total[0], total[1], total[2];
  ccx x2, total[0], total[1];
  cx x2, total[0];
  // - x3: the same gates backward count down
  cx x3, total[0];
  ccx x3, total[0], total[1];
  ctrl(3) @ x x3, total[0], total[1], total[2];
}

@revsim.input
qubit x1;
@revsim.input
qubit x2;
@revsim.input
qubit x3;
@revsim.work signed
qubit[3] total;
@revsim.output
qubit fire;

weighted_sum(x1, x2, x3, total);
negctrl @ x total[2], fire;
@revsim.inverse
weighted_sum(x1, x2, x3, total);

let inputs = x1 ++ x2 ++ x3;
@revsim.erase cause="layer_input" layer="neuron"
reset inputs;

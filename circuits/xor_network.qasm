// The smallest network that computes XOR: h = relu([x1 + x2, x1 + x2 - 1]), out = h1 - 2 h2.
// Each layer computes its result, then erases what it no longer needs. With uniform inputs the
// two linear layers lose 0.5 bit each, since x1 + x2 and h1 - 2 h2 merge different states, and
// the ReLU loses exactly 0: what it swaps out is already known from h1.
// The order matters: the loss of a layer is paid where its input is erased.
OPENQASM 3.0;
include "stdgates.inc";

@revsim.zero z1 z2
def linear_1(qubit x1, qubit x2, qubit[2] z1, qubit[2] z2) {
  // z1 = x1 + x2
  cx x1, z1[0];
  cx x2, z1[0];
  ccx x1, x2, z1[1];
  // z2 = z1 - 1, in two's complement: 0, 1, 2 become 11, 00, 01
  cx z1[0], z2[0];
  x z2[0];
  negctrl(2) @ x z1[0], z1[1], z2[1];
}

@revsim.zero swapped
def relu_2(qubit[2] z2, qubit swapped) {
  cswap z2[1], z2[0], swapped;
}

@revsim.zero out
def linear_2(qubit[2] h1, qubit h2, qubit[2] out) {
  cx h1, out;
  cx h2, out[1];
}

pragma revsim.layer "linear 1" kind="dense" macs=4 linear="linear_1"
pragma revsim.layer "relu" kind="relu" neurons=2
pragma revsim.layer "linear 2" kind="dense" macs=2 linear="linear_2"

@revsim.input
qubit x1;
@revsim.input
qubit x2;
@revsim.left_over
qubit[2] z1;
@revsim.left_over signed
qubit[2] z2;
@revsim.left_over
qubit swapped;
@revsim.output
qubit[2] out;

pragma revsim.begin "linear 1"
linear_1(x1, x2, z1, z2);
@revsim.erase cause="layer_input"
reset x1;
@revsim.erase cause="layer_input"
reset x2;

// z1 is never negative, so that h1 = z1 needs no gate
pragma revsim.begin "relu"
relu_2(z2, swapped);
let garbage = swapped ++ z2[1];
@revsim.erase cause="activation" value_of="z2"
reset garbage;

pragma revsim.begin "linear 2"
let h1 = z1;
let h2 = z2[0];
linear_2(h1, h2, out);
@revsim.erase cause="layer_input"
reset h1;
@revsim.erase cause="layer_input"
reset h2;

// The index of the largest of four 2-bit numbers; among equal ones the lowest index wins.
// A tournament: `later_wins` compares strictly, so that a tie leaves the earlier one in front; the
// winners of the first round meet in the second. The index is copied out and the tournament is
// played backward, which puts the numbers back: the input is kept and nothing is erased.
// Erasing the input instead would lose H(v0..v3 | index).
OPENQASM 3.0;
include "stdgates.inc";

// flag ^= [late > early]
def later_wins(qubit[2] early, qubit[2] late, qubit flag) {
  negctrl @ ctrl @ x early[1], late[1], flag;
  cx late[1], early[1];
  negctrl(2) @ ctrl @ x early[1], early[0], late[0], flag;
  cx late[1], early[1];
}

// afterwards `early` holds the larger number
@revsim.zero flag
def play(qubit[2] early, qubit[2] late, qubit flag) {
  later_wins(early, late, flag);
  cswap flag, early, late;
}

@revsim.zero low high final
def tournament(
  qubit[2] v0, qubit[2] v1, qubit[2] v2, qubit[2] v3, qubit low, qubit high, qubit final
) {
  play(v0, v1, low);
  play(v2, v3, high);
  later_wins(v0, v2, final);
}

@revsim.input
@revsim.output
qubit[2] v0;
@revsim.input
@revsim.output
qubit[2] v1;
@revsim.input
@revsim.output
qubit[2] v2;
@revsim.input
@revsim.output
qubit[2] v3;
@revsim.work
qubit low;
@revsim.work
qubit high;
@revsim.work
qubit final;
@revsim.output
qubit[2] index;

tournament(v0, v1, v2, v3, low, high, final);
// the low bit of the index is `high` where the final went to the second pair, `low` elsewhere
cx final, index[1];
negctrl @ ctrl @ x final, low, index[0];
ccx final, high, index[0];
@revsim.inverse
tournament(v0, v1, v2, v3, low, high, final);

"""What the reader of the text form refuses: one message with file, line and what to do."""

import pytest

from revsim.errors import InputError
from revsim.formats.qasm3 import loads
from revsim.formats.qasm3.names import DEPTH_LIMIT

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'

BAD = {
    "an empty file": ("", 1, "must begin with 'OPENQASM 3.0;'"),
    "a missing header": ("qubit a;", 1, "must be 'OPENQASM 3.0;'"),
    "an old version": ("OPENQASM 2.0;\nqubit a;", 1, "version 3"),
    "a foreign include": ('OPENQASM 3.0;\ninclude "mine.inc";', 2, "stdgates.inc"),
    "a missing semicolon": (HEAD + "qubit a\nx a;", 3, "';' is missing"),
    "a file cut short": (HEAD + "qubit a;\nx a", 4, "cut short"),
    "a missing brace": (HEAD + "gate f a { x a;\n", 3, "'}' is missing"),
    "a brace too many": (HEAD + "qubit a;\n}", 4, "closes nothing"),
    "an open comment": (HEAD + "/* here\n", 3, "never closed"),
    "an open string": ('OPENQASM 3.0;\ninclude "stdgates;\n', 2, "not closed"),
    "a strange character": (HEAD + "qubit a; §", 3, "has no meaning"),
    "a Hadamard gate": (HEAD + "qubit a;\nh a;", 4, "gate 'h' is not supported"),
    "an angle": (HEAD + "qubit a;\nrx(0.5) a;", 4, "gate 'rx' is not supported"),
    "an angle on x": (HEAD + "qubit a;\nx(1) a;", 4, "no angle"),
    "a measurement": (HEAD + "qubit a;\nmeasure a;", 4, "'measure' is not part"),
    "a classical bit": (HEAD + "bit b;", 3, "'bit' is not part"),
    "an if": (HEAD + "qubit a;\nif (true) x a;", 4, "'if' is not part"),
    "a for loop": (HEAD + "qubit a;\nfor uint i in [0:3] { x a; }", 4, "'for' is not part"),
    "a while loop": (HEAD + "qubit a;\nwhile (true) { x a; }", 4, "'while' is not part"),
    "a power": (HEAD + "qubit a;\npow(2) @ x a;", 4, "'pow' is not supported"),
    "a controlled swap spelled as control": (
        HEAD + "qubit[3] a;\nctrl @ swap a[0], a[1], a[2];",
        4,
        "cswap",
    ),
    "an unknown gate": (HEAD + "qubit[3] a;\ncxx a[0], a[1], a[2];", 4, "did you mean"),
    "an undeclared register": (HEAD + "qubit a;\nx b;", 4, "'b' is not declared"),
    "a register declared twice": (HEAD + "qubit a;\nqubit a;", 4, "twice, first on line 3"),
    "a definition declared twice": (HEAD + "gate f a { x a; }\ngate f a { x a; }", 4, "twice"),
    "a register named as a gate": (HEAD + "qubit x;", 3, "cannot name a register"),
    "a definition named as a gate": (HEAD + "gate ccx a { x a; }", 3, "choose another name"),
    "an index out of range": (HEAD + "qubit[4] a;\nx a[4];", 4, "index 4 is out of range"),
    "a negative index": (HEAD + "qubit[4] a;\nx a[-1];", 4, "whole number"),
    "an endless index": (HEAD + "qubit a;\nx a[" + "9" * 5000 + "];", 4, "far too large"),
    "a slice out of range": (HEAD + "qubit[4] a;\nx a[2:7];", 4, "index 7 is out of range"),
    "an empty slice": (HEAD + "qubit[4] a;\nx a[3:2];", 4, "selects no wire"),
    "a wire twice in a gate": (HEAD + "qubit[4] a;\ncx a[1], a[1];", 4, "uses a[1] twice"),
    "a wire twice in a call": (
        HEAD + "def f(qubit[2] p, qubit r) { }\nqubit[2] a;\nf(a, a[1]);",
        5,
        "uses a[1] twice",
    ),
    "too few wires": (HEAD + "qubit[4] a;\nccx a[0], a[1];", 4, "acts on 3 wires"),
    "registers of unequal width": (HEAD + "qubit[4] a; qubit[3] b;\ncx a, b;", 4, "must be equal"),
    "a port of another width": (
        HEAD + "def f(qubit[2] p) { }\nqubit[3] a;\nf(a);",
        5,
        "port 'p' of 'f' has 2 wires",
    ),
    "too few ports": (HEAD + "def f(qubit p, qubit q) { }\nqubit a;\nf(a);", 5, "has 2 ports"),
    "a definition that calls itself": (HEAD + "def f(qubit p) {\n f(p); }", 4, "calls itself"),
    "definitions in a circle": (
        HEAD + "gate f a {\n g a; }\ngate g a { f a; }",
        4,
        "before its definition on line 5",
    ),
    "a gate with locals": (HEAD + "gate f a {\n qubit b; }", 4, "write 'def' instead"),
    "a reset in a gate": (HEAD + "gate f a {\n reset a; }", 4, "write 'def' instead"),
    "an inverse of an erasing def": (
        HEAD + "def f(qubit p) { reset p; }\nqubit a;\n@revsim.inverse\nf(a);",
        6,
        "cannot be called backward",
    ),
    "inv @ before a def": (HEAD + "def f(qubit p) {}\nqubit a;\ninv @ f(a);", 5, "@revsim.inv"),
    "a control on a definition": (
        HEAD + "gate f p { x p; }\nqubit[2] a;\nctrl @ f a[0], a[1];",
        5,
        "add the control",
    ),
    "a huge register": (HEAD + "qubit[4194305] a;", 3, "between 1 and 4194304"),
    "too many registers": (
        HEAD + "qubit[16384] a;\n" + "".join(f"qubit[16384] a{i};\n" for i in range(256)),
        259,
        "at most 4194304",
    ),
    "too wide a register": (HEAD + "qubit[16385] a;", 3, "split it"),
    "a register without wires": (HEAD + "qubit[0] a;", 3, "not possible"),
    "an unreadable width": (HEAD + "qubit[n] a;", 3, "whole number"),
    "a count without wires": (HEAD + "qubit[2] a;\nctrl(0) @ x a[0];", 4, "at least 1"),
    "an unknown annotation": (HEAD + "@revsim.inptu\nqubit a;", 3, "unknown annotation"),
    "an annotation without statement": (HEAD + "qubit a;\n@revsim.erase", 4, "no statement"),
    "an annotation before the wrong statement": (
        HEAD + "qubit a;\n@revsim.erase\nx a;",
        4,
        "does not belong",
    ),
    "roles that exclude each other": (
        HEAD + "@revsim.input\n@revsim.work\nqubit a;",
        5,
        "input and work",
    ),
    "an encoding too wide": (HEAD + "@revsim.input low=0 high=9\nqubit[3] a;", 3, "4 bits"),
    "an encoding that is no number": (HEAD + "@revsim.input low=a high=9\nqubit a;", 3, "'a'"),
    "an unknown pragma": (HEAD + "pragma revsim.fre a", 3, "unknown pragma"),
    "an erasure of nothing": (HEAD + "pragma revsim.erase", 3, "pragma revsim.erase name"),
    "a pragma about nothing": (HEAD + "pragma revsim.free a", 3, "no declared register"),
    "a role of no gate": (HEAD + "@revsim.roles 5=compute\ngate f a { x a; }", 3, "outside"),
    "a role of a swap": (
        HEAD + "@revsim.roles 0=compute\ngate f a, b { swap a, b; }",
        3,
        "in_place",
    ),
    "a pragma in a definition": (HEAD + "def f(qubit a) {\npragma revsim.free a\n}", 4, "pragma"),
    "a definition in a definition": (HEAD + "def f(qubit a) {\n gate g b { x b; } }", 4, "inside"),
    "a def called by a gate": (
        HEAD + "def f(qubit a) { }\ngate g b {\n f(b); }",
        5,
        "write 'g' as a def",
    ),
    "brackets without end": (HEAD + "qubit a;\nx " + "[" * 100_000, 4, "is missing"),
    "modifiers without end": (HEAD + "qubit a;\n" + "ctrl @ " * 20_000, 4, "is missing"),
    "definitions too deep": (
        HEAD
        + "gate f0 a { x a; }\n"
        + "".join(f"gate f{i + 1} a {{ f{i} a; }}\n" for i in range(2 * DEPTH_LIMIT)),
        4 + DEPTH_LIMIT,
        "levels of definitions",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_text_is_refused_with_its_line(case: str) -> None:
    text, line, words = BAD[case]
    with pytest.raises(InputError) as caught:
        loads(text, "bad.qasm")
    message = str(caught.value)
    assert message.startswith(f"bad.qasm, line {line}: ")
    assert words in message
    assert len(message) < 400

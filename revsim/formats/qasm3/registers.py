"""How the registers of a circuit are declared in the text form, and how wires are spelled there.

A circuit whose registers tile its device declares each as `qubit[n] name;`. Any other (a schedule
reuses wires under several names) declares one `qubit[width] device;` and each register as an alias
`let name = device[...];`. A register of no wires holds a constant and stands in a pragma.
"""

from bisect import bisect_right
from functools import lru_cache

import numpy as np

from revsim.circuit.definition import Alloc, Circuit, Erase, Free, Mark
from revsim.circuit.registers import Encoding, Register, Wires
from revsim.formats.qasm3.names import Names, indexed
from revsim.formats.qasm3.tokens import quoted

Key = tuple[str, bytes, Encoding]


class Frame:
    """Wires of one scope and their spelling: declared runs, aliases of exactly equal wires."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._idents: list[str] = []
        self._firsts: list[int] = []
        self._widths: list[int] = []
        self._wires = 0
        self._spelled: dict[int, str] = {}
        self._joined = 0
        self.aliases: dict[bytes, str] = {}

    def add(self, ident: str, width: int) -> None:
        """Declare the next `width` wires under a name."""
        self._idents.append(ident)
        self._firsts.append(self._wires)
        self._widths.append(width)
        self._wires += width

    def wire(self, wire: int) -> str:
        """One wire."""
        text = self._spelled.get(wire)
        if text is None:
            text = self._spelled[wire] = self.base(np.array([wire], dtype=np.int32))
        return text

    def base(self, wires: Wires) -> str:
        """Wires in terms of declared runs, joined by `++` where they lie in several."""
        pieces: list[tuple[int, list[int]]] = []
        for wire in wires.tolist():
            run = bisect_right(self._firsts, wire) - 1
            if not pieces or pieces[-1][0] != run:
                pieces.append((run, []))
            pieces[-1][1].append(wire - self._firsts[run])
        return " ++ ".join(indexed(self._idents[r], i, self._widths[r]) for r, i in pieces)

    def span(self, wires: Wires) -> tuple[str, str]:
        """(a `let` line or "", text) for an operand that must be one name or one register."""
        key = wires.tobytes()
        if key in self.aliases:
            return "", self.aliases[key]
        text = self.base(wires)
        if " ++ " not in text:
            return "", text
        self._joined += 1
        ident = self._names.new(f"wires_{self._joined}")
        self.aliases[key] = ident
        return f"let {ident} = {text};", ident


class Declarations:
    """Declared registers of a circuit: the lines that declare them and the name of each.

    `items` is the number of body items to write: the FREE of each `@revsim.work` register at the
    end of the body goes without saying.
    """

    def __init__(self, names: Names) -> None:
        self.frame = Frame(names)
        self.lines: list[str] = []
        self.items = 0
        self._idents: dict[Key, str] = {}

    def ident(self, register: Register) -> str:
        """The name of a register, or its spelling where that is its name."""
        return self._idents.get(key_of(register)) or self.frame.base(register.wires)

    def known(self, register: Register) -> bool:
        """Whether a register needs no declaration (any more)."""
        if key_of(register) in self._idents:
            return True
        if not len(register.wires) or register.encoding != plain(len(register.wires)):
            return False
        text = self.frame.base(register.wires)
        return text == register.name and " ++ " not in text

    def enter(self, register: Register, ident: str) -> None:
        """Remember the name of a register."""
        self._idents[key_of(register)] = ident
        self.frame.aliases.setdefault(register.wires.tobytes(), ident)

    def in_use(self, register: Register) -> None:
        """From here on these wires are spoken of by this register's name."""
        self.frame.aliases[register.wires.tobytes()] = self.ident(register)


def key_of(register: Register) -> Key:
    """What makes two registers the same in the text form."""
    return register.name, register.wires.tobytes(), register.encoding


@lru_cache(maxsize=64)
def plain(width: int) -> Encoding:
    """An unsigned number without offset: what bits mean where nothing is said."""
    return Encoding(0, tuple(1 << k for k in range(width)))


def encoding_text(encoding: Encoding) -> str:
    """The arguments that say an encoding; "" for a plain unsigned number."""
    width = encoding.width
    if width and encoding == Encoding.twos_complement(width):
        return "signed"
    words = [f"offset={encoding.offset}"] if encoding.offset else []
    if encoding.weights != plain(width).weights:
        words.append(f'weights="{" ".join(map(str, encoding.weights))}"')
    return " ".join(words)


def declare(circuit: Circuit, names: Names) -> Declarations:
    """Choose the declarations of a circuit."""
    out = Declarations(names)
    everything = _registers(circuit)
    tiles = _tiles(circuit, everything)
    roles = _roles(circuit)
    work = _work(circuit, tiles)
    out.items = len(circuit.body) - len(work)
    worked = {key_of(r) for r in work}
    if tiles is None:
        ident = names.new("device")
        out.frame.add(ident, circuit.width)
        if circuit.width:
            out.lines += ["@revsim.device", f"qubit[{circuit.width}] {ident};"]
    declared: list[Register] = []
    for register in tiles or []:
        ident = names.new(register.name)
        role = roles.get(key_of(register)) or (
            ["work"] if key_of(register) in worked else ["left_over"]
        )
        out.lines += _annotations(register, ident, role)
        width = len(register.wires)
        out.lines.append(f"qubit {ident};" if width == 1 else f"qubit[{width}] {ident};")
        out.frame.add(ident, width)
        out.enter(register, ident)
        declared.append(register)
    for register in everything:
        needed = key_of(register) in roles or not out.known(register)
        if not needed or key_of(register) in out._idents:
            continue
        ident = names.new(register.name)
        role = roles.get(key_of(register), [])
        if len(register.wires):
            out.lines += _annotations(register, ident, role)
            out.lines.append(f"let {ident} = {out.frame.base(register.wires)};")
        else:
            words = [ident, *([quoted(register.name)] if ident != register.name else [])]
            words += [f"value={register.encoding.offset}", *role]
            out.lines.append(f"pragma revsim.constant {' '.join(words)}")
        out.enter(register, ident)
        declared.append(register)
    for word, chosen in (("inputs", circuit.inputs), ("outputs", circuit.outputs)):
        keys = [key_of(r) for r in chosen]
        order = [key_of(r) for r in declared if word[:-1] in roles.get(key_of(r), [])]
        if keys != order:
            out.lines.append(f"pragma revsim.{word} {' '.join(out.ident(r) for r in chosen)}")
    return out


def _annotations(register: Register, ident: str, roles: list[str]) -> list[str]:
    name = [f"@revsim.name {quoted(register.name)}"] if ident != register.name else []
    encoding = encoding_text(register.encoding)
    if not roles:
        return name + ([f"@revsim.encoding {encoding}"] if encoding else [])
    first, *others = roles
    return [*name, f"@revsim.{first} {encoding}".rstrip(), *(f"@revsim.{o}" for o in others)]


def _registers(circuit: Circuit) -> list[Register]:
    """Every register that a circuit speaks of, each once, inputs and outputs first."""
    found: dict[Key, Register] = {}
    for register in (*circuit.inputs, *circuit.outputs, *circuit.registers):
        found.setdefault(key_of(register), register)
    for item in circuit.body:
        if isinstance(item, Alloc | Free | Erase):
            found.setdefault(key_of(item.register), item.register)
        elif isinstance(item, Mark):
            for register in item.registers:
                found.setdefault(key_of(register), register)
    return list(found.values())


def _tiles(circuit: Circuit, everything: list[Register]) -> list[Register] | None:
    """Registers that cover the device in order without overlap, or None where there are none."""
    for candidates in (list(circuit.registers), everything):
        chosen: dict[int, Register] = {}
        covered = np.zeros(circuit.width, dtype=np.bool_)
        for register in candidates:
            used = register.wires
            if not len(used) or covered[used].any() or (np.diff(used) != 1).any():
                continue
            covered[used] = True
            chosen[int(used[0])] = register
        if covered.all() and circuit.width:
            return [chosen[first] for first in sorted(chosen)]
    return None


def _roles(circuit: Circuit) -> dict[Key, list[str]]:
    roles: dict[Key, list[str]] = {}
    for word, chosen in (("input", circuit.inputs), ("output", circuit.outputs)):
        for register in chosen:
            roles.setdefault(key_of(register), []).append(word)
    return roles


def _work(circuit: Circuit, tiles: list[Register] | None) -> list[Register]:
    """Registers freed at the very end, in order of declaration, that are no input or output."""
    place = {key_of(r): i for i, r in enumerate(tiles or [])}
    roles = _roles(circuit)
    work: list[Register] = []
    last = len(place)
    layers = circuit.layer_of or ("",) * len(circuit.body)
    for item, layer in zip(reversed(circuit.body), reversed(layers), strict=True):
        if not isinstance(item, Free) or layer:
            break
        key = key_of(item.register)
        if key in roles or place.get(key, last) >= last:
            break
        last = place[key]
        work.insert(0, item.register)
    return work

"""Small programs of DRRA-2 with a known length: lists of instructions in words, as tables have them, and its template,
a vector multiplication in three cells (silagokth/drra-components @1df8c24, counted)."""

from __future__ import annotations

import re

from simulators.platforms.drra2.sequencer import Activate, CellInstruction, Configure, Dsu, Halt, Rep, Wait


def instructions_of(text: str) -> tuple[CellInstruction, ...] | None:
    """The program that a text lists, as `2 swb, 1 fsm, act, wait 24, halt`, or None where it lists none: what has a
    halt does. A number says how many there are of what follows it; what comes before `program:` is no part of it."""
    program: list[CellInstruction] = []
    words = re.sub(r"\(.*?\)", "", text.rpartition("program:")[2]).lower().split(",")
    for word in (part.strip() for part in words):
        match = re.fullmatch(r"(?:(\d{1,3}) )?([a-z][a-z ]*?)(?: (\d{1,9}))?", word)
        if match is None:
            return None
        count, name, n = int(match[1] or 1), match[2], match[3]
        if (name == "wait") != (n is not None):
            return None
        one: CellInstruction = Wait(int(n)) if n else Configure(name)
        if name in ("act", "halt"):
            one = Activate() if name == "act" else Halt()
        program += [one] * count
    return tuple(program) if Halt() in program else None


def template_cells() -> dict[str, tuple[CellInstruction, ...]]:
    """The template's cells: 32 products, through buffer, SRAM, register files and DPU, with the instructions of each in
    their order. Which ports the configurations are of follows from what is activated when."""
    words, rows = 32, 2
    return {
        "input": (
            Wait(7), Configure("switch box"),
            Dsu("buffer read"), Rep("buffer read", 2 * rows), Dsu("sram fill"), Rep("sram fill", 2 * rows),
            Configure("route"), Dsu("sram read"), Rep("sram read", 2 * rows),
            Activate(("buffer read",)), Activate(("sram read",)), Wait(35), Halt(),
        ),
        "compute": (
            Configure("routes, switch box and mode", 6),
            Dsu("file 1 row write"), Rep("file 1 row write", rows, 1),
            Dsu("file 2 row write"), Rep("file 2 row write", rows, 1),
            Dsu("word read"), Rep("word read", words), Dsu("second word read"), Rep("second word read", words),
            Dsu("file 3 word write"), Rep("file 3 word write", words),
            Activate(), Activate(("file 1 row write",)), Activate(("file 2 row write",)),
            Activate(("word read",)), Activate(("file 3 word write",)), Wait(27),
            Dsu("file 3 row read"), Rep("file 3 row read", rows), Activate(("file 3 row read",)), Wait(1), Halt(),
        ),
        "output": (
            Wait(14), Configure("route"), Activate(), Wait(27),
            Dsu("sram write"), Rep("sram write", rows), Dsu("sram drain"), Rep("sram drain", rows),
            Dsu("buffer write"), Rep("buffer write", rows),
            Activate(("sram write",)), Activate(("buffer write",)), Wait(0), Halt(),
        ),
    }  # fmt: skip

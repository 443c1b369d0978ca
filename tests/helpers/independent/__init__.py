"""A second simulator of Bit Fusion and SiLago, for tests: written from docs/machine-model.md, and sharing no code with
`simulators/lowering` or the engines. It reads traces, specs and what the platforms choose: tilings, numbers of chunks,
waves and pieces of weights. It is slow and keeps nothing: every task of every tile is an object.

| rule of docs/machine-model.md | where |
|---|---|
| the four rules | `event_simulation.py` |
| Bit Fusion: tiles, what waits for what | `bitfusion_network.py` |
| Bit Fusion: cycles and bits of a task, chunks, padding | `bitfusion_costs.py` |
| SiLago: waves, pieces, spills, outputs | `silago_network.py`, `silago_inputs.py` |
| cycles of a transfer from DRAM | `dram.py` |

    PYTHONPATH=tests/helpers python -m independent [--networks 500] [--seed 0]

holds random networks on random hardware against it.
"""

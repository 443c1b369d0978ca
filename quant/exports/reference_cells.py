"""One step of each cell in C: `integer_step` of the cells (`quant.networks`), line by line.

A step reads the codes `x` of its input and changes h and what else the cell keeps (of `cells` each): c, or the complex
state of LRU. Of three such arrays the last is room for the codes of h where no cell keeps it."""

_GATED = """
/* One step of a direction (0 forward, 1 backward): x are activation codes of the input; what changes is h{memory}.
   `read` has room for the codes of h. */
static inline void NAME_step(const NAME_layer *layer, int direction, const int16_t *x, int16_t *h, int16_t *c,
                             int16_t *read)
{{
    const int cells = layer->cells, first = direction * {gates} * cells, sums = layer->sums;
{others}    int j;
{unused}    for (j = 0; j < cells; j++)
        read[j] = NAME_encode(layer->recurrent, h[j], layer->output);
    for (j = 0; j < cells; j++) {{
{body}    }}
}}
"""

_SUM = "NAME_saturate(NAME_product(layer->recurrent, {row}, read) + NAME_entering(layer, {row}, x))"


def _row(gate: int) -> str:
    return f"first + {gate} * cells + j" if gate else "first + j"


def _sum(gate: int) -> str:
    return _SUM.format(row=_row(gate))


_LSTM = f"""\
        const int64_t i = NAME_sigmoid({_sum(0)}, sums);
        const int64_t f = NAME_sigmoid({_sum(1)}, sums);
        const int64_t g = NAME_tanh({_sum(2)}, sums);
        const int64_t o = NAME_sigmoid({_sum(3)}, sums);
        const int64_t entering = NAME_sum(i * g, 2 * NAME_GATE, 0, memory, memory);
        c[j] = (int16_t)NAME_sum(f * c[j], NAME_GATE + memory, entering, memory, memory);
        h[j] = (int16_t)NAME_sum(o * NAME_tanh(c[j], memory), 2 * NAME_GATE, 0, NAME_GATE, NAME_GATE);
"""
_GRU = f"""\
        const int64_t r = NAME_sigmoid({_sum(0)}, sums);
        const int64_t z = NAME_sigmoid({_sum(1)}, sums);
        const int64_t a = NAME_saturate(NAME_product(layer->recurrent, {_row(2)}, read)
                                        + layer->vectors[direction * cells + j]);
        const int64_t inner = NAME_sum(r * a, NAME_GATE + sums, 0, sums, sums);
        const int64_t n = NAME_tanh(NAME_saturate(NAME_entering(layer, {_row(2)}, x) + inner), sums);
        const int64_t entering = NAME_sum((16384 - z) * n, 2 * NAME_GATE, 0, NAME_GATE, NAME_GATE);
        h[j] = (int16_t)NAME_sum(entering, NAME_GATE, z * h[j], 2 * NAME_GATE, NAME_GATE);
"""
_LIGRU = f"""\
        const int64_t z = NAME_sigmoid({_sum(0)}, sums);
        const int64_t a = {_sum(1)};
        const int64_t n = NAME_saturate(NAME_shift(a > 0 ? a : 0, sums - memory));
        const int64_t entering = NAME_sum((16384 - z) * n, NAME_GATE + memory, 0, memory, memory);
        h[j] = (int16_t)NAME_sum(entering, memory, z * h[j], NAME_GATE + memory, memory);
"""
_SRU = """
/* One step of a direction (0 forward, 1 backward): x are activation codes of the input; c changes, h is left. `read` is
   for cells that read h. */
static inline void NAME_step(const NAME_layer *layer, int direction, const int16_t *x, int16_t *h, int16_t *c,
                             int16_t *read)
{
    const int cells = layer->cells, first = direction * 3 * cells, sums = layer->sums, memory = layer->memory;
    const int held = layer->held, by_c = held + memory, fine = memory > sums ? memory : sums;
    const int64_t *v = layer->vectors + direction * 4 * cells;
    int j, gate;
    (void)read;
    for (j = 0; j < cells; j++) {
        const int64_t u = NAME_product(layer->input, first + j, x);
        int64_t gates[2], change;
        for (gate = 0; gate < 2; gate++) {
            const int64_t a = NAME_product(layer->input, first + (gate + 1) * cells + j, x);
            const int finest = sums > by_c ? sums > held ? sums : held : by_c > held ? by_c : held;
            const int64_t sum = NAME_shift(a, sums - finest) + NAME_shift(v[gate * cells + j] * c[j], by_c - finest)
                              + NAME_shift(v[(gate + 2) * cells + j], held - finest);
            gates[gate] = NAME_sigmoid(NAME_saturate(NAME_shift(sum, finest - sums)), sums);
        }
        change = NAME_shift(c[j], memory - fine) - NAME_shift(u, sums - fine);
        c[j] = (int16_t)NAME_sum(u, sums, gates[0] * change, NAME_GATE + fine, memory);
        h[j] = (int16_t)NAME_sum(gates[1] * NAME_tanh(c[j], memory), 2 * NAME_GATE, 0, NAME_GATE, NAME_GATE);
    }
}
"""


_SCANNED = """
/* One step of a direction (0 forward, 1 backward): x are activation codes of the input; what changes is h{changes}. */
static inline void NAME_step(const NAME_layer *layer, int direction, const int16_t *x, int16_t *h, int16_t *{second},
                             int16_t *{third})
{{
    const int cells = layer->cells, first = direction * {gates} * cells, sums = layer->sums, memory = layer->memory;
{before}    for (j = 0; j < cells; j++) {{
{body}    }}
}}
"""


def _entering(gate: int) -> str:
    return f"NAME_entering(layer, {_row(gate)}, x)"


_MINGRU = f"""\
        const int64_t z = NAME_sigmoid({_entering(0)}, sums), n = {_entering(1)};
        const int64_t kept = NAME_sum((16384 - z) * h[j], NAME_GATE + memory, 0, memory, memory);
        h[j] = (int16_t)NAME_sum(kept, memory, z * n, NAME_GATE + sums, memory);
"""
_LRU = f"""\
        const int64_t real = v[j], imaginary = v[cells + j], scale = v[2 * cells + j];
        const int64_t next = NAME_sum(real * re[j] - imaginary * im[j], NAME_GATE + memory,
                                      scale * {_entering(0)}, NAME_GATE + sums, memory);
        im[j] = (int16_t)NAME_sum(real * im[j] + imaginary * re[j], NAME_GATE + memory,
                                  scale * {_entering(1)}, NAME_GATE + sums, memory);
        re[j] = (int16_t)next;
        h[j] = (int16_t)NAME_sum(NAME_sigmoid({_entering(2)}, sums) * next, NAME_GATE + memory, 0, memory, memory);
"""


def _gated(gates: int, body: str, keeps_c: bool = False, has_memory: bool = True) -> str:
    others = "    const int memory = layer->memory;\n" if has_memory else ""
    unused = "" if keeps_c else "    (void)c;\n"
    return _GATED.format(gates=gates, body=body, memory=" and c" if keeps_c else "", others=others, unused=unused)


STEPS = {
    "sru": _SRU,
    "lstm": _gated(4, _LSTM, keeps_c=True),
    "gru": _gated(3, _GRU, has_memory=False),
    "ligru": _gated(2, _LIGRU),
    "mingru": _SCANNED.format(
        gates=2,
        body=_MINGRU,
        changes="",
        second="c",
        third="read",
        before="    int j;\n    (void)c;\n    (void)read;\n",
    ),
    "lru": _SCANNED.format(
        gates=3,
        body=_LRU,
        changes=" and the complex state re, im",
        second="re",
        third="im",
        before="    const int64_t *v = layer->vectors + direction * 3 * cells;\n    int j;\n",
    ),
}
"""The step of each cell that has one in C, by the cell's name; NAME stands for the prefix of the header's names."""

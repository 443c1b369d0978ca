
/* Input products u (steps, batch, 3 cells) of gates z, r, n; h (batch, cells) is replaced by the last; h of every step
   goes to y, steps `apart` elements apart. `inner`: the reset gate stands behind the recurrent product. */
static inline void NAME_gru(
    const NAME_layer *layer, const float *u, float *h, float *y, int apart, float *sums, int16_t *codes, int16_t *row)
{
    const int cells = layer->cells;
    const float sum = layer->sum_step;
    for (int s = 0; s < layer->steps; s++)
        for (int b = 0; b < layer->batch; b++) {
            const int t = layer->backward ? layer->steps - 1 - s : s;
            const float *x = u + (t * layer->batch + b) * 3 * cells;
            float *state = h + b * cells, *z = sums + 3 * cells, *reset = sums + 4 * cells;
            NAME_recurrent(layer, state, 0, (layer->inner ? 3 : 2) * cells, sums, codes, row);
            for (int j = 0; j < cells; j++) {
                z[j] = NAME_sigmoid(NAME_hold(sums[j] + x[j], sum));
                reset[j] = NAME_sigmoid(NAME_hold(sums[cells + j] + x[cells + j], sum));
                if (!layer->inner)
                    reset[j] = NAME_gate(reset[j] * state[j]);
            }
            if (!layer->inner)
                NAME_recurrent(layer, reset, 2 * cells, 3 * cells, sums, codes, row);
            for (int j = 0; j < cells; j++) {
                float n = sums[2 * cells + j];
                if (layer->inner)
                    n = NAME_hold(reset[j] * NAME_hold(n + layer->inner[j], sum), sum);
                n = NAME_tanh(NAME_hold(x[2 * cells + j] + n, sum));
                state[j] = NAME_gate(NAME_gate((1.0f - z[j]) * n) + z[j] * state[j]);
                y[t * apart + b * cells + j] = state[j];
            }
        }
}


/* Input products u (steps, batch, 4 cells) of gates i, o, f, g; h and c (batch, cells) are replaced by the last; h of
   every step goes to y, steps `apart` elements apart. */
static inline void NAME_lstm(
    const NAME_layer *layer, const float *u, float *h, float *c, float *y, int apart, float *sums, int16_t *codes,
    int16_t *row)
{
    const int cells = layer->cells;
    const float sum = layer->sum_step, kept = layer->kept_step;
    for (int s = 0; s < layer->steps; s++)
        for (int b = 0; b < layer->batch; b++) {
            const int t = layer->backward ? layer->steps - 1 - s : s;
            const float *x = u + (t * layer->batch + b) * 4 * cells;
            float *state = h + b * cells, *memory = c + b * cells;
            NAME_recurrent(layer, state, 0, 4 * cells, sums, codes, row);
            for (int j = 0; j < cells; j++) {
                const float i = NAME_sigmoid(NAME_hold(sums[j] + x[j], sum));
                const float o = NAME_sigmoid(NAME_hold(sums[cells + j] + x[cells + j], sum));
                const float f = NAME_sigmoid(NAME_hold(sums[2 * cells + j] + x[2 * cells + j], sum));
                const float g = NAME_tanh(NAME_hold(sums[3 * cells + j] + x[3 * cells + j], sum));
                memory[j] = NAME_hold(f * memory[j] + NAME_hold(i * g, kept), kept);
                state[j] = NAME_gate(o * NAME_tanh(memory[j]));
                y[t * apart + b * cells + j] = state[j];
            }
        }
}

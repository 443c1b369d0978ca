
/* Input products u (steps, batch, cells); h (batch, cells) is replaced by the last; h of every step goes to y, steps
   `apart` elements apart. */
static inline void NAME_rnn(
    const NAME_layer *layer, const float *u, float *h, float *y, int apart, int is_tanh, float *sums, int16_t *codes,
    int16_t *row)
{
    const int cells = layer->cells;
    for (int s = 0; s < layer->steps; s++)
        for (int b = 0; b < layer->batch; b++) {
            const int t = layer->backward ? layer->steps - 1 - s : s;
            const float *x = u + (t * layer->batch + b) * cells;
            float *state = h + b * cells;
            NAME_recurrent(layer, state, 0, cells, sums, codes, row);
            for (int j = 0; j < cells; j++) {
                const float a = NAME_hold(sums[j] + x[j], layer->sum_step);
                state[j] = is_tanh ? NAME_tanh(a) : NAME_hold(a > 0.0f ? a : 0.0f, layer->kept_step);
                y[t * apart + b * cells + j] = state[j];
            }
        }
}


/* tanh(x) and sigmoid(x) as 16-bit fixed point with 14 fractional bits: a fit whose error is far below its last bit. */
static inline float NAME_gate(float x)
{
    return NAME_hold(x, 0x1p-14f);
}

static inline float NAME_tanh(float x)
{
    const float y = NAME_clip(x, -NAME_TANH_END, NAME_TANH_END), s = y * y;
    const float n = y * (NAME_N0 + s * (NAME_N1 + s * (NAME_N2 + s * NAME_N3)));
    return rintf(n / (1.0f + s * (NAME_D1 + s * (NAME_D2 + s * NAME_D3)))) * 0x1p-14f;
}

static inline float NAME_sigmoid(float x)
{
    const float y = NAME_clip(x, -2.0f * NAME_TANH_END, 2.0f * NAME_TANH_END), s = y * y;
    const float p = y * (NAME_P0 + s * (NAME_P1 + s * (NAME_P2 + s * NAME_P3)));
    return rintf(8192.0f + p / (1.0f + s * (NAME_Q1 + s * (NAME_Q2 + s * NAME_Q3)))) * 0x1p-14f;
}

/* The recurrent product of rows first to last with h: sums on the grid of the sums. */
static inline void NAME_recurrent(
    const NAME_layer *layer, const float *h, int first, int last, float *sums, int16_t *codes, int16_t *row)
{
    NAME_encode(layer->recurrent, h, layer->cells, codes);
    for (int m = first; m < last; m++) {
        NAME_unpack(layer->recurrent, m, row);
        sums[m] = NAME_value(layer->recurrent, m, NAME_dot(codes, row, layer->cells), 0.0f);
    }
}

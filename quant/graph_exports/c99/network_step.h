/* Products read whole numbers, and leave 16-bit fixed point; everything else is computed in float. */

/* A weight matrix and the activations that it reads. */
typedef struct {
    int rows, columns, weight_bits; /* 2, 4, 8 or 16, two's complement */
    const uint32_t *codes;          /* row by row, each from a new word on, the first code in the lowest bits */
    const float *scales;            /* of sums: one, or one a row */
    int scale_rows;
    float encode;                   /* activation codes of a value of 1 */
    float lowest, highest;          /* activation codes */
    float result_step;
} NAME_site;

/* Windows over maps of height x width. */
typedef struct {
    int batch, channels, maps, groups, height, width;
    int kernel_height, kernel_width, down, right, down_apart, right_apart; /* strides and dilations */
    int top, left, out_height, out_width;
} NAME_window;

/* A direction of a recurrent layer. */
typedef struct {
    const NAME_site *recurrent;
    const float *inner;             /* the bias of n's recurrent product, behind which GRU's reset gate stands, or NULL */
    int cells, steps, batch, backward;
    float sum_step, kept_step;
} NAME_layer;

static inline float NAME_clip(float x, float lowest, float highest)
{
    return x > highest ? highest : x > lowest ? x : lowest;
}

/* The nearest multiple of a step that is a 16-bit word, ties to even. */
static inline float NAME_hold(float x, float step)
{
    return NAME_clip(rintf(x * (float)(1.0 / step)), -32768.0f, 32767.0f) * step;
}

static inline void NAME_encode(const NAME_site *site, const float *x, int count, int16_t *codes)
{
    for (int i = 0; i < count; i++)
        codes[i] = (int16_t)NAME_clip(rintf(x[i] * site->encode), site->lowest, site->highest);
}

static inline void NAME_unpack(const NAME_site *site, int of, int16_t *row)
{
    const int bits = site->weight_bits, a_word = 32 / bits;
    const uint32_t mask = bits == 32 ? 0xffffffffu : (1u << bits) - 1u;
    const int32_t half = (int32_t)1 << (bits - 1);
    const uint32_t *word = site->codes + (size_t)of * (size_t)((site->columns + a_word - 1) / a_word);
    for (int k = 0; k < site->columns; word++)
        for (int place = 0; place < a_word && k < site->columns; place++, k++)
            row[k] = (int16_t)(((int32_t)(*word >> (bits * place) & mask) ^ half) - half);
}

/* What a row's product with codes comes to. */
static inline float NAME_value(const NAME_site *site, int row, int64_t sum, float bias)
{
    return NAME_hold((float)((double)sum * site->scales[site->scale_rows ? row : 0] + bias), site->result_step);
}

static inline int64_t NAME_dot(const int16_t *a, const int16_t *b, int count)
{
    int64_t sum = 0;
    for (int k = 0; k < count; k++)
        sum += (int32_t)a[k] * b[k];
    return sum;
}

/* x (vectors, groups, columns) by the matrices of the groups: y (vectors, rows). */
static inline void NAME_multiply(
    const NAME_site *site, const float *x, int vectors, int groups, const float *bias, float *y, int16_t *codes,
    int16_t *row)
{
    const int each = site->rows / groups;
    NAME_encode(site, x, vectors * groups * site->columns, codes);
    for (int m = 0; m < site->rows; m++) {
        NAME_unpack(site, m, row);
        for (int v = 0; v < vectors; v++)
            y[v * site->rows + m] = NAME_value(
                site, m, NAME_dot(codes + (v * groups + m / each) * site->columns, row, site->columns),
                bias ? bias[m] : 0.0f);
    }
}

/* Whole numbers that stand for 16-bit fixed point: a number is an integer and its fractional bits. Nothing here rounds
   otherwise than to the nearest, ties to even, and nothing depends on how a compiler shifts negative numbers. */

/* x * 2^-first * m * 2^-second. */
typedef struct {
    int64_t m;
    int first, second;
} NAME_multiplier;

/* A weight matrix and the activation that feeds it. */
typedef struct {
    int rows, columns;
    int weight_bits;              /* 2, 4, 8 or 16, two's complement */
    const uint32_t *codes;        /* row by row, each from a new word on, the first code in the lowest bits */
    const NAME_multiplier *rescale; /* sums to results: one, or one a row */
    int rescale_rows;
    const int64_t *bias;          /* a row, in units of results; NULL for none */
    int fraction;                 /* fractional bits of results */
    NAME_multiplier encode;       /* units of 2^-14 to activation codes */
    int32_t lowest, highest;      /* activation codes */
    const float *weight_steps;    /* a weight is code * step: one, or one a row; what follows is not computed with */
    double activation_step, result_step;
} NAME_site;

/* A recurrent layer: the rows of a matrix are those of the forward direction, then the backward one's if there is one. */
typedef struct {
    const NAME_site *input;
    const NAME_site *recurrent;   /* NULL for cells without one */
    const int64_t *vectors;       /* of all directions: SRU's v_f, v_r, b_f, b_r, GRU's recurrent bias of n, or LRU's
                                     Re and Im of lambda and gamma */
    int cells;                    /* of a direction */
    int directions;               /* 2, or 1: forward alone */
    int sums, memory, held, output; /* fractional bits of sums, of the memory, of the vectors, and of h */
} NAME_layer;

enum { NAME_CARRIED = 14, NAME_GATE = 14 };

/* floor(x / 2^right). */
static inline int64_t NAME_floor(int64_t x, int right)
{
    return x >= 0 ? x >> right : -1 - ((-1 - x) >> right);
}

/* x / 2^right to the nearest whole number, ties to even; a negative shift multiplies. */
static inline int64_t NAME_shift(int64_t x, int right)
{
    int64_t quotient, rest, half;
    if (right <= 0)
        return x * ((int64_t)1 << -right);
    quotient = NAME_floor(x, right);
    rest = x - quotient * ((int64_t)1 << right);
    half = (int64_t)1 << (right - 1);
    return quotient + (rest > half || (rest == half && quotient % 2 != 0));
}

static inline int64_t NAME_clip(int64_t x, int64_t lowest, int64_t highest)
{
    return x < lowest ? lowest : x > highest ? highest : x;
}

static inline int64_t NAME_saturate(int64_t x)
{
    return NAME_clip(x, -32768, 32767);
}

/* x times the multiplier; a last bit that sticks keeps what the first shift drops from looking like a tie. */
static inline int64_t NAME_times(int64_t x, const NAME_multiplier *factor)
{
    int64_t kept = NAME_floor(x, factor->first);
    if (kept * ((int64_t)1 << factor->first) != x && kept % 2 == 0)
        kept += 1;
    return NAME_shift(NAME_clip(kept, -INT64_C(2147483648), INT64_C(2147483647)) * factor->m, factor->second);
}

/* tanh(x * 2^-fraction) with 39 fractional bits, linear between the 1,025 words of a table on [0, 8]. */
static inline int64_t NAME_interpolated(int64_t x, int fraction)
{
    int64_t size = x < 0 ? -x : x, place, index, value;
    if (size > 1048576)
        size = 1048576;
    place = NAME_shift(size, fraction - 30);
    if (place > (INT64_C(1) << 33) - 1)
        place = (INT64_C(1) << 33) - 1;
    index = place >> 23;
    value = NAME_tanh_table[index] * (INT64_C(1) << 23)
          + (NAME_tanh_table[index + 1] - NAME_tanh_table[index]) * (place - index * (INT64_C(1) << 23));
    return x < 0 ? -value : x > 0 ? value : 0;
}

/* In units of 2^-14, as all gates. */
static inline int64_t NAME_tanh(int64_t x, int fraction)
{
    return NAME_shift(NAME_interpolated(x, fraction), 39 - NAME_GATE);
}

static inline int64_t NAME_sigmoid(int64_t x, int fraction)
{
    return NAME_shift((INT64_C(1) << 39) + NAME_interpolated(x, fraction + 1), 40 - NAME_GATE);
}

/* The sum of two terms of their own fractional bits, rounded once and saturated. */
static inline int64_t NAME_sum(int64_t x, int fx, int64_t y, int fy, int to)
{
    int fine = fx > fy ? fx : fy;
    return NAME_saturate(NAME_shift(NAME_shift(x, fx - fine) + NAME_shift(y, fy - fine), fine - to));
}

/* A normalised feature as a code: the only floating point there is. What is no number is 0. */
static inline int16_t NAME_feature(float x)
{
    float scaled = x * NAME_FEATURE_SCALE, rest;
    int32_t code;
    if (!(scaled > (float)NAME_FEATURE_LOWEST))
        return scaled <= (float)NAME_FEATURE_LOWEST ? NAME_FEATURE_LOWEST : 0;
    if (scaled >= (float)NAME_FEATURE_HIGHEST)
        return NAME_FEATURE_HIGHEST;
    code = (int32_t)scaled;
    rest = scaled - (float)code;
    if (rest > 0.5f || (rest == 0.5f && code % 2 != 0))
        code += 1;
    if (rest < -0.5f || (rest == -0.5f && code % 2 != 0))
        code -= 1;
    return (int16_t)code;
}

/* The activation code of a value with so many fractional bits. */
static inline int16_t NAME_encode(const NAME_site *site, int64_t value, int fraction)
{
    int64_t code = NAME_times(NAME_shift(value, fraction - NAME_CARRIED), &site->encode);
    return (int16_t)NAME_clip(code, site->lowest, site->highest);
}

/* A row of the matrix times the codes that it reads, in units of results. */
static inline int64_t NAME_product(const NAME_site *site, int row, const int16_t *codes)
{
    const int bits = site->weight_bits, a_word = 32 / bits;
    const uint32_t mask = (1u << bits) - 1u;
    const int32_t half = (int32_t)1 << (bits - 1);
    const uint32_t *word = site->codes + (size_t)row * (size_t)((site->columns + a_word - 1) / a_word);
    int64_t sum = 0;
    int k, place;
    for (k = 0; k < site->columns; word++)
        for (place = 0; place < a_word && k < site->columns; place++, k++)
            sum += (int64_t)(((int32_t)(*word >> (bits * place) & mask) ^ half) - half) * codes[k];
    sum = NAME_times(sum, site->rescale + (site->rescale_rows ? row : 0));
    return NAME_saturate(site->bias ? sum + site->bias[row] : sum);
}

/* A cell's input of one row: the product of the input, in units of the sums before a gate. */
static inline int64_t NAME_entering(const NAME_layer *layer, int row, const int16_t *x)
{
    int64_t u = NAME_shift(NAME_product(layer->input, row, x), layer->input->fraction - NAME_CARRIED);
    return NAME_saturate(NAME_shift(u, NAME_CARRIED - layer->sums));
}

/* A layer over an utterance: codes x (frames, columns) of the input -> h (frames, directions * cells). `room`
   is for three states of a direction. Buffers that are read only are not const here: a compiler that knows them to come
   from malloc would warn that they are not set. */
static inline void NAME_recur(const NAME_layer *layer, int16_t *x, size_t frames, int16_t *h, int16_t *room)
{
    const size_t cells = (size_t)layer->cells, ways = (size_t)layer->directions, columns = (size_t)layer->input->columns;
    size_t i, t, j;
    int direction;
    for (direction = 0; direction < layer->directions; direction++) {
        for (j = 0; j < 3 * cells; j++)
            room[j] = 0;
        for (i = 0; i < frames; i++) {
            t = direction ? frames - 1 - i : i;
            NAME_step(layer, direction, x + t * columns, room, room + cells, room + 2 * cells);
            for (j = 0; j < cells; j++)
                h[(ways * t + (size_t)direction) * cells + j] = room[j];
        }
    }
}

/* Values (count) of so many fractional bits become the codes that a site reads. */
static inline void NAME_read(const NAME_site *site, int16_t *values, size_t count, int fraction)
{
    size_t i;
    for (i = 0; i < count; i++)
        values[i] = NAME_encode(site, values[i], fraction);
}

/* A product of all frames: codes x (frames, columns) -> results y (frames, rows). */
static inline void NAME_multiply(const NAME_site *site, int16_t *x, size_t frames, int16_t *y)
{
    size_t t;
    int row;
    for (t = 0; t < frames; t++)
        for (row = 0; row < site->rows; row++)
            *y++ = (int16_t)NAME_product(site, row, x + t * (size_t)site->columns);
}

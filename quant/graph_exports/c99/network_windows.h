
/* The row, or column, of a map of `size` that a tap of a window meets at a result, or -1 for the margin. Backwards each
   element of the map stands at every `stride`-th result, and between them is nothing. */
static inline int NAME_line(int at, int stride, int tap, int begin, int size, int is_back)
{
    const int line = is_back ? at + begin - tap : at * stride + tap - begin;
    if (line < 0 || (is_back && line % stride))
        return -1;
    const int met = is_back ? line / stride : line;
    return met < size ? met : -1;
}

/* Windows of the map by a kernel; backwards every element of the map by it, and the results that meet added. */
static inline void NAME_convolve(
    const NAME_site *site, const NAME_window *of, int is_back, const float *x, const float *bias, float *y,
    int16_t *codes, int16_t *row)
{
    const int each = of->channels / of->groups, maps = of->maps / of->groups;
    NAME_encode(site, x, of->batch * of->channels * of->height * of->width, codes);
    for (int m = 0; m < of->maps; m++) {
        NAME_unpack(site, m, row);
        for (int n = 0; n < of->batch; n++)
            for (int j = 0; j < of->out_height; j++)
                for (int i = 0; i < of->out_width; i++) {
                    const int16_t *tap = row;
                    int64_t sum = 0;
                    for (int c = 0; c < each; c++)
                        for (int a = 0; a < of->kernel_height; a++)
                            for (int b = 0; b < of->kernel_width; b++, tap++) {
                                const int down = NAME_line(
                                    j, of->down, a * of->down_apart, of->top, of->height, is_back);
                                const int right = NAME_line(
                                    i, of->right, b * of->right_apart, of->left, of->width, is_back);
                                if (down >= 0 && right >= 0)
                                    sum += (int32_t)*tap * codes[
                                        ((n * of->channels + m / maps * each + c) * of->height + down) * of->width
                                        + right];
                            }
                    y[((n * of->maps + m) * of->out_height + j) * of->out_width + i]
                        = NAME_value(site, m, sum, bias ? bias[m] : 0.0f);
                }
    }
}

/* The largest of a window's values, or their mean: over its places on the map, or over `all` that it has within the
   margins. */
static inline void NAME_pool(
    const NAME_window *of, const float *x, int is_mean, int all, int bottom, int end, float *y)
{
    for (int m = 0; m < of->batch * of->maps; m++)
        for (int j = 0; j < of->out_height; j++)
            for (int i = 0; i < of->out_width; i++) {
                float largest = -INFINITY;
                double sum = 0.0;
                int count = 0;
                for (int a = 0; a < of->kernel_height; a++)
                    for (int b = 0; b < of->kernel_width; b++) {
                        const int down = j * of->down + a * of->down_apart - of->top;
                        const int right = i * of->right + b * of->right_apart - of->left;
                        if (down >= 0 && down < of->height && right >= 0 && right < of->width) {
                            const float value = x[(m * of->height + down) * of->width + right];
                            largest = value > largest ? value : largest;
                            sum += value;
                            count++;
                        } else if (all && down < of->height + bottom && right < of->width + end)
                            count++;
                    }
                y[(m * of->out_height + j) * of->out_width + i] = is_mean ? (float)(sum / count) : largest;
            }
}

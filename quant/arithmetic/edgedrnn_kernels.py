"""Numba kernel of EdgeDRNN's delta GRU: one layer over all steps, in the integers of its RTL."""

import numpy as np

from simulators.inputs.jit import compiled, inlined

BIAS_DELTA = 256  # 1.0 in Q8.8; here, because a cached kernel does not notice an edit in another module


@inlined
def wrapped(value, bits):
    """The low bits as a two's complement number."""
    return ((value + (1 << (bits - 1))) & ((1 << bits) - 1)) - (1 << (bits - 1))


@inlined
def rounded_half_even(value, shift):
    """value / 2^shift as the nearest whole number, ties to even."""
    return (value + (1 << (shift - 1)) - 1 + ((value >> shift) & 1)) >> shift


@compiled
def gru_layer(inputs, weights, input_threshold, state_threshold, sigmoid, tanh, outputs, sent):
    """Run a layer from reset.

    inputs (steps, I) int16; weights (1 + I + H, 3, H) int8: bias, inputs, states; tables (65,536) int16 by value +
    32,768. Fills outputs (steps, H) int16 and sent (steps, 1 + I + H) bool. Sums are kept modulo 2^32, of which those
    of 24 bits are the low ones.
    """
    steps, length = inputs.shape
    hidden = outputs.shape[1]
    last = np.zeros(length + hidden, np.int64)
    state = np.zeros(hidden, np.int64)
    gates = np.zeros((2, hidden), np.int32)
    candidate = np.zeros((2, hidden), np.int32)  # of bias and inputs, of states
    for step in range(steps):
        for column in range(1 + length + hidden):
            threshold = input_threshold
            if column == 0:
                delta = BIAS_DELTA if step == 0 else 0
            elif column <= length:
                delta = wrapped(np.int64(inputs[step, column - 1]) - last[column - 1], 16)
            else:
                delta = wrapped(state[column - 1 - length] - last[column - 1], 16)
                threshold = state_threshold
            if delta == 0 or -threshold < delta < threshold:
                continue
            sent[step, column] = True
            if column > 0:
                last[column - 1] = inputs[step, column - 1] if column <= length else state[column - 1 - length]
            factor = np.int32(delta)
            of = candidate[0 if column <= length else 1]
            for neuron in range(hidden):
                gates[0, neuron] += factor * np.int32(weights[column, 0, neuron])
                gates[1, neuron] += factor * np.int32(weights[column, 1, neuron])
                of[neuron] += factor * np.int32(weights[column, 2, neuron])
        for neuron in range(hidden):
            reset = sigmoid[wrapped(rounded_half_even(wrapped(np.int64(gates[0, neuron]), 24), 7), 16) + 32768]
            update = sigmoid[wrapped(rounded_half_even(wrapped(np.int64(gates[1, neuron]), 24), 7), 16) + 32768]
            recurrent = wrapped(rounded_half_even(wrapped(np.int64(candidate[1, neuron]), 24), 7), 16)
            whole = wrapped(np.int64(reset) * recurrent + 2 * np.int64(candidate[0, neuron]), 24)
            new = np.int64(tanh[wrapped(rounded_half_even(whole, 8), 16) + 32768])
            kept = rounded_half_even(np.int64(update) * state[neuron], 8)
            state[neuron] = wrapped(rounded_half_even(new * (256 - np.int64(update)), 8) + kept, 16)
            outputs[step, neuron] = state[neuron]

"""Numba kernels of scoring: Viterbi decoding and Levenshtein alignment. In one module, because a cached kernel does not
notice an edit in another."""

import numpy as np

from simulators.inputs.jit import compiled


@compiled
def viterbi(emissions, transitions, out):
    """Best phone sequence into `out`; returns its length. transitions[from, to]; the last row and column are the
    boundary. Phones are innermost, so that the loops over them vectorise.

    An utterance too short for one phone (fewer frames than a phone has states) decodes to nothing.
    """
    steps = emissions.shape[0]
    count = transitions.shape[0] - 1
    states = emissions.shape[1] // count
    last = states - 1
    if steps < states:
        return 0
    lowest = np.float32(-1e30)
    scores = np.full((states, count), lowest, np.float32)
    moved = np.zeros((steps, states, count), np.bool_)  # came from the state before, or from another phone
    came_from = np.zeros((steps, count), np.int32)
    best, heard = np.empty(count, np.float32), np.empty((states, count), np.float32)
    for q in range(count):
        scores[0, q] = transitions[count, q] + emissions[0, q * states]
        came_from[0, q] = -1
        moved[0, 0, q] = True
    for t in range(1, steps):
        origin = came_from[t]
        best[:] = lowest
        for p in range(count):
            leaving = scores[last, p]
            for q in range(count):
                value = leaving + transitions[p, q]
                better = value > best[q]
                best[q] = value if better else best[q]
                origin[q] = p if better else origin[q]
        for q in range(count):
            for s in range(states):
                heard[s, q] = emissions[t, q * states + s]
        for s in range(last, -1, -1):
            entering = scores[s - 1] if s else best
            for q in range(count):
                moves = entering[q] > scores[s, q]
                moved[t, s, q] = moves
                scores[s, q] = (entering[q] if moves else scores[s, q]) + heard[s, q]
    phone, highest = 0, lowest * 2
    for q in range(count):
        value = scores[last, q] + transitions[q, count]
        if value > highest:
            highest, phone = value, q
    length, state = 0, last
    for t in range(steps - 1, -1, -1):
        if moved[t, state, phone]:
            if state > 0:
                state -= 1
            else:
                out[length] = phone
                length += 1
                phone, state = came_from[t, phone], last
    out[:length] = out[:length][::-1].copy()
    return length


@compiled
def decode_all(emissions, transitions, offsets, phones, counts):
    """`viterbi` for each utterance."""
    for i in range(len(offsets) - 1):
        counts[i] = viterbi(emissions[offsets[i] : offsets[i + 1]], transitions, phones[offsets[i] : offsets[i + 1]])


@compiled
def edits(reference, hypothesis):
    """(cost, substitutions, insertions, deletions) of a cheapest alignment."""
    n = len(hypothesis)
    row = np.zeros((n + 1, 4), np.int64)
    for j in range(n + 1):
        row[j, 0] = row[j, 2] = j
    for i in range(len(reference)):
        diagonal = row[0].copy()
        row[0, 0] += 1
        row[0, 3] += 1
        for j in range(n):
            above = row[j + 1].copy()
            substitution = diagonal[0] + (1 if reference[i] != hypothesis[j] else 0)
            if substitution <= above[0] + 1 and substitution <= row[j, 0] + 1:
                row[j + 1] = diagonal
                row[j + 1, 1] += substitution - diagonal[0]
                row[j + 1, 0] = substitution
            elif above[0] <= row[j, 0]:
                row[j + 1] = above
                row[j + 1, 0] += 1
                row[j + 1, 3] += 1
            else:
                row[j + 1] = row[j]
                row[j + 1, 0] += 1
                row[j + 1, 2] += 1
            diagonal = above
    return row[n]

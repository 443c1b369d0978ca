"""Columns of files that are no objective's."""

HELD_OUT = (
    "error_dev", "error_dev_plain", "error_test", "error_test_plain",
    "test_change", "test_change_low", "test_change_high",
    "test_change_plain", "test_change_plain_low", "test_change_plain_high",
    "dominated_on_test_by", "lost_on_test",
)  # fmt: skip
"""Columns of a front's rows: error rates in percent on all of dev and on test, of the worst group of speakers and of
all of them (`plain`); what those on test are over 16 bits everywhere, in percentage points, with the ends of the 95 %
interval; the solution of the front that dominates it on test; and whether the worst group errs less than with 16 bits
on dev and no less on test."""
WORST = ("latency_worst_ms", "energy_worst_uj")
"""Columns of the worst utterance, of runs whose costs are means over utterances."""
OTHER_COLUMNS = (
    "solution", "evaluation", "run", "feasible", "front", "closed_form_front", "simulated_front", "variant", "hardware",
    "variants", "candidate", "candidates", "cycles", "share", "beacon", "error_original", "bits", "row",
    *HELD_OUT, *WORST,
)  # fmt: skip
"""All columns that no objective may have."""

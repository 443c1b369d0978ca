"""The card of a task's GRU: what it was trained on, on which terms, and how it errs."""

from quant.own.operator_gru import OPERATORS
from quant.tasks.real_tasks import task_named
from quant.tasks.task_gru import TaskGru

WIDTHS = (16, 8, 7, 6, 5, 4)


def card(model: TaskGru) -> str:
    """Markdown."""
    task, record, p = task_named(model.task), model.record, model.parameters
    parts = model.task_data
    sizes = ", ".join(f"{len(getattr(parts, name).y):,} of {name}" for name in ("train", "dev", "test"))
    weights = p.w.size + p.u.size + p.fc.size
    command = f"mohaq train --task {task.name} --out FOLDER --cells {record['cells']} --epochs {record['epochs']}"
    command += f" --seed {record['seed']}"
    test = model.on_split("test")
    rows = []
    for width in (None, *WIDTHS):
        bits = None if width is None else dict.fromkeys(OPERATORS, (width, width))
        errors = f"{model.evaluate(bits).error:.2f} | {test.evaluate(bits).error:.2f}"
        kib = "" if bits is None else f"{model.stored_bits(bits) / 8192:.2f}"
        rows.append(f"| {width or 'float'} | {kib} | {errors} |")
    return "\n".join((
        f"# {model.name}", "",
        f"GRU of {p.u.shape[1]} cells in one direction, {p.w.shape[1]} inputs, {len(p.bias)} classes; {weights:,} "
        "weights, stored as float32.", "",
        f"- Task: {task.title}. {sizes[0].upper()}{sizes[1:]}.", f"- Data: {task.source}. Terms: {task.licence}.",
        f"- Reproduce: `{command}`", "",
        "Sequences that are classified wrongly, in percent; every operator has the same width.", "",
        "| bits | KiB | dev | test |", "|---|---|---|---|", *rows, "",
    ))  # fmt: skip

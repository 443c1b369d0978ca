"""The card of a convolutional network: what it was trained on, on which terms, and how it errs."""

from quant.images.image_model import ImageModel
from quant.images.image_tasks import image_task
from quant.sites.candidate import homogeneous

WIDTHS = (16, 8, 6, 5, 4, 3, 2)


def card(model: ImageModel) -> str:
    """Markdown."""
    task, record, sites = image_task(model.task), model.record, model.sites
    parts, macs = model.data, sum(layer.macs for layer in model.trace(homogeneous(sites, 8)).layers)
    sizes = ", ".join(f"{len(getattr(parts, name).y):,} of {name}" for name in ("train", "dev", "test"))
    command = f"mohaq train --task {task.name} --out FOLDER --epochs {record['epochs']} --seed {record['seed']}"
    test, weights, rows = model.on_split("test"), sum(site.weights for site in sites), []
    for width in (None, *WIDTHS):
        bits = None if width is None else homogeneous(sites, width)
        errors = f"{model.evaluate(bits).error:.2f} | {test.evaluate(bits).error:.2f}"
        rows.append(f"| {width or 'float'} | {'' if width is None else f'{weights * width / 8192:.2f}'} | {errors} |")
    return "\n".join((
        f"# {model.name}", "",
        f"Convolutional network {task.title}: {len(sites)} products, {weights:,} weights, stored as float32, "
        f"{macs:,} multiply-accumulates a picture.", "",
        f"- Task: handwritten digits, {task.pictures.side} x {task.pictures.side} pixels. {sizes}.",
        f"- Data: {task.pictures.source}. Terms: {task.pictures.licence}.", f"- Reproduce: `{command}`", "",
        "Pictures that are classified wrongly, in percent; every product has the same widths.", "",
        "| bits | KiB of weights | dev | test |", "|---|---|---|---|", *rows, "",
    ))  # fmt: skip

"""A report's page in a headless browser, where there is one: what a click on a solution shows."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")

# Notes errors, clicks that solution of the first run's front with the mouse that is farthest from all other points, and
# writes down what is shown then.
PROBE = """
<script>
const faults = [];
window.addEventListener("error", (event) => faults.push(event.message));
console.error = (...words) => faults.push(words.join(" "));
window.addEventListener("securitypolicyviolation", (event) => faults.push(`${event.violatedDirective}: ${event.blockedURI}`));
</script>
"""
CLICK = """
<script>
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
(async () => {
  await new Promise((done) => window.addEventListener("load", done));
  await pause(500);
  const across = document.getElementById("axis-x");  // hardware may differ in nothing but energy and area
  across.value = "energy_uj";
  across.dispatchEvent(new Event("change"));
  await pause(500);
  const plot = document.getElementById("front"), { xaxis, yaxis } = plot._fullLayout, box = plot.getBoundingClientRect();
  const data = JSON.parse(document.getElementById("data").textContent);
  const points = data.runs.flatMap(({ points: p, candidates, baselines }, r) => [
    ...p.variant.map((_, i) => [`${r} ${i}`, p.energy_uj[i], candidates.error[p.candidate[i]]]),
    ...baselines.map((s) => ["baseline", s.energy_uj, s.error])]).map(([key, x, y]) => [key, xaxis.d2p(x), yaxis.d2p(y)]);
  const alone = (s) => points.filter(([key]) => key !== `0 ${s.at}`).reduce((least, [, x, y]) =>
    Math.min(least, Math.hypot(x - xaxis.d2p(s.energy_uj), y - yaxis.d2p(s.error))), Infinity);
  const keyOf = (variant, bits) => `${variant} ${bits}`, { dataset } = document.getElementById("solution");
  const of = (s) => keyOf(data.runs[0].points.variant[s.at], s.bits), before = keyOf(dataset.variant, dataset.bits);
  const wanted = data.runs[0].front.filter((s) => s.layers && of(s) !== before).reduce((a, b) => alone(a) > alone(b) ? a : b);
  const at = { clientX: box.left + xaxis._offset + xaxis.d2p(wanted.energy_uj), bubbles: true, view: window,
               clientY: box.top + yaxis._offset + yaxis.d2p(wanted.error) };
  const area = plot.querySelector(".nsewdrag");
  for (const kind of ["mousemove", "mousedown", "mouseup"]) {
    (kind === "mouseup" ? document : area).dispatchEvent(new MouseEvent(kind, at));
    await pause(400);
  }
  const cell = (id) => document.querySelectorAll(`#${id} .heatmaplayer`).length;
  const text = (selector) => [...document.querySelectorAll(selector)].map((x) => x.textContent);
  const seen = { before, after: keyOf(dataset.variant, dataset.bits), wanted: of(wanted), faults,
    heat: cell("bits"), layers: document.querySelectorAll("#layers tbody tr").length, commands: text("#commands code"),
    hardware: text("#solution-hardware")[0], shown: text("#shown")[0], sample: text("#sample")[0], variants: text("#variants tbody tr") };
  const first = document.querySelector("#variants tbody tr");
  if (first) {  // a click on it leaves its points alone
    first.click();
    await pause(300);
    seen.only = [...document.getElementById("hardware").value.split(" ").map(Number), text("#shown")[0]];
  }
  document.body.replaceChildren(Object.assign(document.createElement("pre"), { id: "seen", textContent: JSON.stringify(seen) }));
})();
</script>
"""


def browser() -> str | None:
    return os.environ.get("MOHAQ_CHROMIUM") or next((path for name in BROWSERS if (path := shutil.which(name))), None)


def data_of(page: str) -> Any:
    """What the page's scripts draw."""
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert match is not None
    return json.loads(match[1])


def with_points(page: str, count: int) -> str:
    """The page, its first run with so many points, the others no better than its first."""
    data = data_of(page)
    points = data["runs"][0]["points"]
    for name, values in points.items():
        more = count - len(values)
        points[name] = values + [
            values[0] * (1.0 + 0.3 * i / more) if isinstance(values[0], float) else values[0] for i in range(more)
        ]
    points["onAFront"] = [0] * count
    start = page.index('id="data">') + len('id="data">')
    return page[:start] + json.dumps(data) + page[page.index("</script>", start) :]


def _seen(file: Path, folder: Path, window: str, budget_ms: int) -> Any:
    """What a page leaves in its element `seen`, in a window of so many pixels."""
    command = [str(browser()), "--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader",
               f"--window-size={window}", f"--virtual-time-budget={budget_ms}", "--dump-dom", file.as_uri()]  # fmt: skip
    environment = {**os.environ, "HOME": str(folder)}
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=environment).stdout
    match = re.search(r'<pre id="seen">(.+?)</pre>', shown, re.DOTALL)
    assert match is not None
    return json.loads(match[1].replace("&gt;", ">"))


def clicked(page: str, folder: Path) -> Any:
    """What the page shows after the click, and the errors until then."""
    file = folder / "clicked.html"
    # What stands before the page's policy is not held to it.
    file.write_text(page.replace("<head>", "<head>" + PROBE + CLICK, 1))
    return _seen(file, folder, "1400,1000", 20_000)


# Asks for the best within limits, orders the table of the front by its last column, and tells what is shown; posts it
# to the page that frames this one, for a headless window is never as narrow as a telephone.
FRAMED = """
<script>
window.addEventListener("load", () => setTimeout(() => {
  const rows = () => [...document.querySelectorAll("#front-table tbody tr")].map((x) => x.cells[0].textContent.slice(2));
  const { xaxis, coloraxis } = document.getElementById("front")._fullLayout, before = rows();
  document.querySelectorAll("#front-table th")[LATENCY_COLUMN].click();
  const ordered = rows(), input = document.getElementById("under-latency_ms"), words = [];
  for (const most of [LIMIT, 0]) {
    input.value = most;
    input.dispatchEvent(new Event("change"));
    words.push(document.getElementById("best-within").textContent);
  }
  const plot = document.getElementById("front").getBoundingClientRect();
  parent.postMessage({ width: innerWidth, needed: document.documentElement.scrollWidth, before, ordered, words,
    bits: document.getElementById("solution").dataset.bits, range: xaxis.range, isLog: xaxis.type === "log",
    ticks: xaxis.ticktext || [], plot: [plot.top, plot.bottom], colours: [coloraxis.cmin, coloraxis.cmax] }, "*");
}, 1500));
</script>
"""


def on_a_telephone(page: str, folder: Path, latency_limit_ms: float, latency_column: int = 3) -> Any:
    """What a page shows in 390 pixels, asked for the best within a latency; its front by that column of its table."""
    probe = FRAMED.replace("LIMIT", repr(latency_limit_ms)).replace("LATENCY_COLUMN", str(latency_column))
    (folder / "framed.html").write_text(page.replace("<head>", "<head>" + probe, 1))
    frame = folder / "frame.html"
    frame.write_text(
        '<pre id="seen"></pre><script>addEventListener("message", (event) => '
        '{ document.getElementById("seen").textContent = JSON.stringify(event.data); });</script>'
        '<iframe src="framed.html" style="width:390px;height:844px;border:0"></iframe>'
    )
    return _seen(frame, folder, "600,1000", 10_000)

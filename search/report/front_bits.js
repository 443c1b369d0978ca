// --- bits across the front -------------------------------------------------------------------------------------------
const MOST_LINES = 100;
const linesOf = (run) => {
  const count = Math.min(run.front.length, MOST_LINES);
  return Array.from({ length: count }, (_, k) => run.front[Math.floor(k * run.front.length / count)]);
};
const drawFrontBits = () => {
  const run = runs[Number($("front-bits-run").value)], solutions = linesOf(run);
  $("front-bits-note").textContent = "One line a solution of the front, in its order; a click shows it above." +
    (solutions.length < run.front.length ? ` ${solutions.length} of ${whole(run.front.length)}, evenly drawn.` : "");
  if (!solutions.length) return;
  const lines = solutions.map((s) => pairs(column(run, "bits")[s.at])), sites = lines[0].map(([site]) => safe(site));
  const labels = solutions.map((s) => {
    const error = value(run, VISITED, s.at, "error");
    return `${s.solution}: ${error === null ? `${figure(value(run, VISITED, s.at, "latency_ms"))} ms` : `${error.toFixed(2)} %`}`;
  });
  const layout = (text) => ({ height: 110 + Math.max(4, lines.length) * 17, title: { text, x: 0, font: { size: 13 } }, margin: { l: 100, r: 10, t: 34, b: 36 },
    xaxis: { type: "category" }, yaxis: { type: "category", autorange: "reversed", dtick: 1 } });
  draw("front-weights", [heat(sites, labels, lines.map((line) => line.map((p) => p[1])))], layout("weights"));
  draw("front-activations", [heat(sites, labels, lines.map((line) => line.map((p) => p[2])))], layout("activations"));
};
const makeFrontBits = () => {
  options($("front-bits-run"), runs.map((run, r) => [r, run.label]), 0);
  $("front-bits-run").addEventListener("change", drawFrontBits);
  drawFrontBits();
  for (const id of ["front-weights", "front-activations"]) if ($(id).on) $(id).on("plotly_click", (event) => {
    const r = Number($("front-bits-run").value);
    select(r, VISITED, linesOf(runs[r])[event.points[0].pointIndex[0]].at);
  });
};

// --- hypervolume -----------------------------------------------------------------------------------------------------
const drawHypervolume = () => {
  const { objectives, reference, factor } = data.hypervolume;
  if (!runs.some((run) => run.growth)) {
    $("hypervolume-note").textContent = "The runs have no objective, or no feasible candidate, in common.";
    $("hypervolume").hidden = true;
    return;
  }
  const most = runs.reduce((a, run) => Math.max(a, run.growth.evaluations.at(-1) || 0), 0);
  const unordered = runs.filter((run) => run.isCodesign).map((run) => run.label).join(", ");
  $("hypervolume-note").textContent = `Of ${objectives.join(", ")}: the share that the feasible points dominate of the box between the best ` +
    `value of each objective and the reference point, among the feasible points of all runs shown here. The reference point lies ${factor} times as far from ` +
    `the best value as the worst does: ${Object.entries(reference).map(([name, x]) => `${name} ${figure(x)}`).join("; ")}. ` +
    "Candidates that the memory limit screened out are not counted as evaluations. Shares of another report have another box." +
    (unordered ? ` Points on variants of hardware (${unordered}) have no order: their share is that of all${most ? ", a dashed line" : " and stands in the table of runs"}.` : "");
  $("hypervolume").hidden = !most;
  if (most) draw("hypervolume", runs.map((run, r) => {
    const { evaluations, shares } = run.growth, known = evaluations.length > 0;
    return { type: "scatter", mode: "lines", name: safe(run.label), x: known ? evaluations : [0, most], y: known ? shares : [shares[0], shares[0]],
      line: { shape: "hv", color: colour(r), width: 2, dash: known ? "solid" : "dash" },
      hovertemplate: known ? "%{x} evaluations: %{y:.4f}<extra></extra>" : "all points: %{y:.4f}<extra></extra>" };
  }), { xaxis: { title: { text: "evaluations" }, ...GRID, rangemode: "tozero" }, yaxis: { title: { text: "hypervolume (share)" }, ...GRID }, showlegend: true });
};

// --- what the runs are, and the figures of their points --------------------------------------------------------------
const BY_CANDIDATE = new Set(Object.keys(runs[0].candidates));
for (const run of runs) {
  run.count = run.points.variant.length;
  run.onFront = new Map(run.front.map((solution, k) => [solution.at, k]));
  run.columns = new Map();
  run.tips = [];
}
// A figure of all points of a run.
const column = (run, metric) => {
  if (!run.columns.has(metric)) run.columns.set(metric, made(run, metric));
  return run.columns.get(metric);
};
const made = (run, metric) => {
  const { variant, candidate } = run.points;
  if (BY_CANDIDATE.has(metric)) return candidate.map((c) => run.candidates[metric][c]);
  if (metric in run.points) return run.points[metric];
  if (metric === "area_mm2") return variant.map((v) => run.variants[v].area_mm2);
  if (metric === "evaluation") return variant.map((_, i) => run.isCodesign ? null : i + 1);
  return variant.map((v) => numeric(run.variants[v].settings[metric]));
};
const numeric = (x) => typeof x === "number" ? x : null;
const value = (run, of, i, metric) => {
  if (of === VISITED) return column(run, metric)[i];
  if (data.keys.includes(metric)) return numeric(run.variants[0].settings[metric]);
  return metric === "variant" ? 0 : run.baselines[i][metric] ?? null;
};
const isFeasible = (run, of, i) => !!(of === VISITED ? run.points.feasible[i] : run.baselines[i].feasible);
const every = (metric) => runs.flatMap((run) => [...new Set(column(run, metric))]);

// Keys of the hardware that differ in a number are figures like any other.
const keys = data.keys.filter((key) => new Set(every(key).filter((x) => x !== null)).size > 1);
const varied = runs.some((run) => run.isCodesign);
const names = { ...metrics, ...Object.fromEntries(keys.map((key) => [key, key])),
  ...(varied ? { variant: "hardware variant (number)" } : {}), evaluation: "evaluation (in order)" };
// What follows a figure.
const READINGS = { ...data.readings, evaluation: "evaluation" };
const axisOf = (metric) => safe(names[metric] || "");
const hardwareOf = (run, v) => run.isCodesign ? `variant ${v}: ${run.variants[v].short}` : run.arch;

const drawRuns = () => {
  $("title").textContent = `Report: ${runs.map((run) => run.label).join(", ")}`;
  const ordered = runs.some((run) => run.generations !== null);
  const budgets = runs.some((run) => run.budget);
  const head = [["run", "text"], ["experiment", "text"], ["model", "text"], ["architecture", "text"], ["objectives", "text"],
    ["frames"], ...(ordered ? [["generations"]] : []), ["seed"], ["candidates"], ...(varied ? [["points"]] : []), ["feasible"], ["front"],
    ["lowest error %"], ["error limit %"], ["memory limit MiB"], ...(budgets ? [["budget", "text"]] : []), ["hypervolume"]];
  $("runs").append(table(head, runs.map((run, r) => {
    const errors = column(run, "error").filter((x, i) => x !== null && run.points.feasible[i]);
    return dotted(row([run.label, run.name, run.model, run.arch, run.objectiveNames.join(", "), run.steps,
      ...(ordered ? [run.generations ?? "–"] : []), run.seed, whole(run.allCandidates), ...(varied ? [whole(run.total)] : []), whole(run.feasible),
      run.front.length, figure(errors.length ? errors.reduce((a, b) => Math.min(a, b)) : null), figure(run.errorLimit), figure(run.memoryLimit),
      ...(budgets ? [run.budget || "–"] : []), figure(run.growth && run.growth.shares.at(-1))], head), r);
  })));
  const apart = [["model", "models"], ["steps", "numbers of frames"], ["arch", "architectures"]]
    .filter(([key]) => new Set(runs.map((run) => run[key])).size > 1).map(([, text]) => text);
  $("runs-note").textContent = [...(apart.length ? [`The runs have different ${apart.join(" and ")}.`] : []),
    ...(data.technologies ? [`${data.technologies}.`] : []),
    ...runs.filter((run) => run.retraining).map((run) => `${run.label}: ${run.retraining}.`),
    ...runs.filter((run) => run.luck).map((run) => `${run.label}: ${run.luck}.`)].join(" ");
};

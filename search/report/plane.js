// --- points and fronts by any two figures ----------------------------------------------------------------------------
const filters = {};
let selected = null;

const makeControls = () => {
  const varies = (m) => ["area_mm2", ...keys].includes(m) ? new Set(every(m)).size > 1 : every(m).some((x) => x !== null);
  const known = Object.keys(names).filter(varies);
  const goals = data.objectives;
  const x = goals.find((m) => m !== "error") || known.find((m) => m !== goals[0]);
  const y = goals.includes("error") ? "error" : goals.find((m) => m !== x) || "latency_ms";
  const third = known.includes("area_mm2") && varied ? "area_mm2" : goals.find((m) => m !== x && m !== y);
  options($("axis-x"), known.map((m) => [m, names[m]]), x);
  options($("axis-y"), known.map((m) => [m, names[m]]), y);
  const values = runs.flatMap((run) => column(run, x).filter((v, i) => v > 0 && run.points.feasible[i]));
  $("log-x").checked = values.reduce((a, b) => Math.max(a, b), 0) > 10 * values.reduce((a, b) => Math.min(a, b), Infinity);
  options($("axis-colour"), [["run", "run"], ...known.map((m) => [m, names[m]])], runs.length === 1 && third ? third : "run");
  $("hardware-choice").hidden = $("show-own").parentElement.hidden = !varied;
  $("hardware").append(element("option", { value: "", textContent: "all hardware" }), ...runs.flatMap((run, r) => run.isCodesign
    ? [element("optgroup", { label: run.label }, ...run.variants.map((v, k) => element("option", { value: `${r} ${k}`, textContent: `${k}: ${v.short}` })))] : []));
  for (const id of ["axis-x", "axis-y", "axis-colour", "log-x", "log-y", "hardware", "show-front", "show-own", "show-feasible", "show-infeasible",
    "show-baselines"]) $(id).addEventListener("change", () => drawFront());
  for (const metric of known) makeFilter(metric);
  $("reset").addEventListener("click", () => {
    Object.values(filters).forEach((filter) => filter.reset());
    $("hardware").value = "";
    drawFront();
  });
  $("sample").textContent = runs.filter((run) => run.others.shown < run.others.total).map((run) =>
    `Of ${run.label}, all ${whole(run.total - run.others.total)} points that are on a front and, evenly drawn, ` +
    `${whole(run.others.shown)} of the ${whole(run.others.total)} others are on this page; --csv writes all.`).join(" ");
};

const makeFilter = (metric) => {
  let [low, high] = [Infinity, -Infinity];
  for (const run of runs) for (const x of [...new Set(column(run, metric)), ...run.baselines.map((_, i) => value(run, BASELINE, i, metric))])
    if (x !== null) { low = Math.min(low, x); high = Math.max(high, x); }
  if (!(high > low)) return;
  const STEPS = 1000, rounded = (x) => Number(x.toPrecision(5));
  const number = (name) => element("input", { type: "number", step: "any", ariaLabel: `${names[metric]}: ${name}` });
  const slide = (name) => element("input", { type: "range", min: 0, max: STEPS, ariaLabel: `${names[metric]}: ${name}` });
  const numbers = [number("least"), number("most")], slides = [slide("least"), slide("most")];
  const filter = filters[metric] = { range: null, reset: () => {
    filter.range = null;
    [low, high].forEach((x, k) => { numbers[k].value = rounded(x); slides[k].value = k * STEPS; });
  } };
  const take = (k, x) => {
    const range = filter.range || [-Infinity, Infinity];
    range[k] = (k === 0 ? x <= low : x >= high) ? (k === 0 ? -Infinity : Infinity) : x;
    filter.range = range.some(Number.isFinite) ? range : null;
    drawFront();
  };
  [0, 1].forEach((k) => {
    numbers[k].addEventListener("change", () => {
      const x = numbers[k].value === "" ? [low, high][k] : Number(numbers[k].value);
      slides[k].value = Math.round(STEPS * (x - low) / (high - low));
      take(k, x);
    });
    slides[k].addEventListener("input", () => {
      const x = low + (high - low) * slides[k].value / STEPS;
      numbers[k].value = rounded(x);
      take(k, Number(slides[k].value) === k * STEPS ? [low, high][k] : x);
    });
  });
  filter.reset();
  $("filters").append(element("div", { className: "filter" }, element("span", { textContent: names[metric] }),
    element("div", { className: "slider" }, ...slides), element("div", { className: "numbers" }, ...numbers)));
};

// Whether a point of a run passes the filters: what has no order of evaluation is not filtered by it, what has no
// variants not by hardware.
const filterOf = (run, r) => {
  const active = Object.entries(filters).filter(([, { range }]) => range).map(([metric, { range }]) => [metric, ...range]);
  const [of, variant] = $("hardware").value.split(" ").map(Number);
  const within = (x, metric, low, high) => x === null ? metric === "evaluation" : x >= low && x <= high;
  const elsewhere = $("hardware").value !== "" && of === r;
  const columns = active.map(([metric]) => column(run, metric));
  return {
    point: (i) => (!elsewhere || run.points.variant[i] === variant) && active.every(([m, low, high], k) => within(columns[k][i], m, low, high)),
    baseline: (i) => active.every(([m, low, high]) => within(value(run, BASELINE, i, m), m, low, high)),
  };
};

const groupOf = (run, i) => run.onFront.has(i) ? "front" : !run.points.feasible[i] ? "infeasible"
  : run.isCodesign && run.points.onAFront[i] ? "own" : "feasible";
const GROUPS = { feasible: "other points", infeasible: "over a limit", own: "fronts of single variants", front: "front", baselines: "one width",
  baselinesOver: "one width, over a limit" };
const isShown = (group) => group === "baselinesOver" ? $("show-baselines").checked && $("show-infeasible").checked : $(`show-${group}`).checked;

const drawFront = () => {
  const [x, y, hue] = ["axis-x", "axis-y", "axis-colour"].map((id) => $(id).value);
  const traces = [];
  // The axes span what is shown, the colours what the fronts have: what is beyond those has the colour at the end.
  const seen = { x: [], y: [] }, hues = [];
  let shown = 0, all = 0;
  runs.forEach((run, r) => {
    const groups = { infeasible: [], feasible: [], own: [], front: [], baselines: [], baselinesOver: [] };
    const passes = filterOf(run, r), [xs, ys] = [column(run, x), column(run, y)];
    for (let i = 0; i < run.count; i++) if (xs[i] !== null && ys[i] !== null && passes.point(i)) groups[groupOf(run, i)].push(i);
    run.baselines.forEach((_, i) => {
      if (value(run, BASELINE, i, x) !== null && value(run, BASELINE, i, y) !== null && passes.baseline(i)) groups[isFeasible(run, BASELINE, i) ? "baselines" : "baselinesOver"].push(i);
    });
    all += run.count;
    const looks = {
      infeasible: { size: 5, opacity: 0.45, symbol: `${symbol(r)}-open` },
      feasible: { size: 5, opacity: hue === "run" ? 0.35 : 0.7, symbol: symbol(r) },
      own: { size: 6, opacity: hue === "run" ? 0.6 : 0.8, symbol: symbol(r) },
      front: { size: 11, opacity: 1, symbol: symbol(r), line: { width: 1, color: "#1d2733" } },
      baselines: { size: 11, opacity: 1, symbol: "diamond-open", line: { width: 2 } },
      baselinesOver: { size: 9, opacity: 0.6, symbol: "diamond-x-open", line: { width: 1 } },
    };
    for (const [group, marker] of Object.entries(looks)) {
      const of = group === "baselines" || group === "baselinesOver" ? BASELINE : VISITED, points = isShown(group) ? groups[group] : [];
      const at = (metric) => points.map((i) => value(run, of, i, metric));
      if (of === VISITED) shown += points.length;
      for (const i of points) { seen.x.push(value(run, of, i, x)); seen.y.push(value(run, of, i, y)); }
      if (group === "front" && hue !== "run") for (const i of groups.front) if (value(run, of, i, hue) !== null) hues.push(value(run, of, i, hue));
      traces.push({
        type: SCATTER, mode: "markers", name: safe(`${run.label}, ${GROUPS[group]}`), legendgroup: `${r}`, showlegend: false, x: at(x), y: at(y), customdata: points.map((i) => [r, of, i]),
        marker: { ...marker, color: hue === "run" ? colour(r) : at(hue), ...(hue === "run" ? {} : { coloraxis: "coloraxis" }) },
        text: points.map((i) => tip(r, of, i)), hovertemplate: "%{text}<extra></extra>",
      });
    }
  });
  // The legend's marks have no value, hence no place on a scale of colours.
  runs.forEach((run, r) => traces.push({ type: "scatter", mode: "markers", name: safe(run.label), legendgroup: `${r}`, showlegend: true, x: [null], y: [null],
    hoverinfo: "skip", marker: { size: 11, symbol: symbol(r), color: hue === "run" ? colour(r) : "#5d6b7a" } }));
  const limits = (metric, line) => metric !== "error" ? [] : runs.filter((run) => run.errorLimit !== null).map((run) => ({
    type: "line", line: { color: colour(runs.indexOf(run)), width: 1, dash: "dot" }, ...line(run.errorLimit) }));
  const isLog = (axis) => $(`log-${axis}`).checked, [least, most] = [Math.min, Math.max].map((of) => hues.reduce((a, b) => of(a, b), hues[0]));
  draw("front", traces, {
    xaxis: axisFor(x, isLog("x"), seen.x), yaxis: axisFor(y, isLog("y"), seen.y),
    shapes: [...limits(y, (e) => ({ xref: "paper", x0: 0, x1: 1, y0: e, y1: e })), ...limits(x, (e) => ({ yref: "paper", y0: 0, y1: 1, x0: e, x1: e }))],
    legend: { orientation: "h", y: 1.06, x: 0, itemsizing: "constant" }, hovermode: "closest", uirevision: `${x} ${y} ${isLog("x")} ${isLog("y")}`,
    coloraxis: { colorscale: hue === "variant" ? "Rainbow" : "Viridis", showscale: hue !== "run", ...(least < most ? { cmin: least, cmax: most } : {}),
      colorbar: { title: { text: safe(READINGS[hue] || names[hue] || ""), side: "right" }, thickness: 14 } },
  });
  retick("front");
  $("shown").textContent = `${shown.toLocaleString("en")} of ${all.toLocaleString("en")} points shown`;
};

// Around the selected point lies an element of the page: a trace would have all points drawn anew at each click.
const moveRing = () => {
  const { xaxis, yaxis } = $("front")._fullLayout, ring = $("ring");
  const [x, y] = ["axis-x", "axis-y"].map((id) => selected && value(runs[selected[0]], selected[1], selected[2], $(id).value));
  const [left, top] = x === null || y === null ? [NaN, NaN] : [xaxis.d2p(x), yaxis.d2p(y)];
  ring.hidden = !(left >= 0 && left <= xaxis._length && top >= 0 && top <= yaxis._length);
  if (!ring.hidden) Object.assign(ring.style, { left: `${xaxis._offset + left}px`, top: `${yaxis._offset + top}px` });
};

const titleOf = (r, of, i) => {
  const run = runs[r];
  if (of === BASELINE) return `${run.label}, ${run.baselines[i].solution} for everything`;
  if (run.onFront.has(i)) return `${run.label}, solution ${run.front[run.onFront.get(i)].solution}`;
  return run.isCodesign ? `${run.label}, a point of variant ${run.points.variant[i]}` : `${run.label}, candidate ${i + 1}`;
};
const describe = (run, of, i) => Object.keys(metrics).filter((m) => value(run, of, i, m) !== null)
  .map((m) => safe(`${figure(value(run, of, i, m))} ${READINGS[m]}`)).join("<br>");
const tip = (r, of, i) => {
  const run = runs[r];
  const text = () => [safe(titleOf(r, of, i)), ...(run.isCodesign ? [safe(hardwareOf(run, run.points.variant[i]))] : []), describe(run, of, i)].join("<br>");
  return of === BASELINE ? text() : run.tips[i] ??= text();
};

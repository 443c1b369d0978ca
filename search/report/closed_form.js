// --- closed form -----------------------------------------------------------------------------------------------------
const drawClosedForm = () => {
  $("closed-form-section").hidden = runs.every((run) => run.isCodesign);
  runs.forEach((run, r) => { if (!run.isCodesign) drawClosedFormOf(run, r); });
};
const drawClosedFormOf = (run, r) => {
  const found = run.closedForm, place = $("closed-form");
  place.append(element("h3", { textContent: run.label }));
  if (!found) {
    place.append(element("p", { textContent: "No two feasible candidates with an error and a closed form." }));
    return;
  }
  const visited = Object.fromEntries(["error", "latency_ms", "mohaq_speedup"].map((m) => [m, column(run, m)])), median = (xs) => xs.sort((a, b) => a - b)[Math.floor(xs.length / 2)];
  const excess = found.misses.map((m) => m.excessPercent);
  const simulated = new Set(found.simulatedFront), closed = new Set(found.closedFormFront);
  const missed = found.simulatedFront.filter((i) => !closed.has(i)).length;
  place.append(element("p", { textContent:
    `${found.candidates.length.toLocaleString("en")} candidates; ${closed.size} on the closed-form front, ${simulated.size} on the simulated one. ` +
    (excess.length ? `${excess.length} of the ${closed.size} are not on the simulated front; they take ${figure(Math.max(...excess), 3)} % more time at most, ` +
      `${figure(median([...excess]), 3)} % in the median.` : "All of the first are on the second.") +
    ` ${missed} of the ${simulated.size} are not on the closed-form front.` +
    (found.rankCorrelation === null ? "" : ` Rank correlation (Spearman) of closed-form speedup and simulated speed over all: ${found.rankCorrelation.toFixed(3)}.`) }));
  const widest = run.baselines[0], up = (i) => widest ? widest.latency_ms / visited.latency_ms[i] : visited.latency_ms[i];
  const plot = element("div", { id: `closed-form-${r}`, style: "height:440px" }), list = element("div", { className: "scroll" });
  place.append(element("div", { className: "halves" }, plot, list));
  const series = (name, at, marker) => ({ type: SCATTER, mode: "markers", name, x: at.map((i) => visited.mohaq_speedup[i]), y: at.map(up),
    customdata: at.map((i) => [r, VISITED, i]), marker, text: at.map((i) => tip(r, VISITED, i)), hovertemplate: "%{text}<extra></extra>" });
  const either = new Set([...closed, ...simulated]), most = found.candidates.reduce((a, i) => Math.max(a, up(i)), 0);
  const traces = [
    series("on neither front", found.candidates.filter((i) => !either.has(i)), { size: 5, color: "#b8c0cc" }),
    series("on both", found.closedFormFront.filter((i) => simulated.has(i)), { size: 10, color: "#009e73" }),
    series("simulated only", found.simulatedFront.filter((i) => !closed.has(i)), { size: 10, color: "#0072b2", symbol: "square" }),
    series("closed form only", found.misses.map((m) => m.position), { size: 11, color: "#d55e00", symbol: "triangle-up" }),
  ];
  if (widest) traces.push({ type: "scatter", mode: "lines", name: "equal", x: [0, most], y: [0, most], hoverinfo: "skip", line: { color: "#5d6b7a", width: 1, dash: "dash" } });
  draw(plot.id, traces, { xaxis: { title: { text: axisOf("mohaq_speedup") }, ...GRID }, legend: { orientation: "h", y: 1.12, x: 0 },
    yaxis: { title: { text: widest ? safe(`simulated speedup over ${widest.solution}`) : axisOf("latency_ms") }, ...GRID }, hovermode: "closest" });
  plot.on("plotly_click", (event) => { if (event.points[0].customdata) choose(event.points[0].customdata); });
  const head = [["closed form only", "text"], ["error %"], ["closed form"], ["ms"], ["excess ms"], ["excess %"], ["dominated by", "text"]];
  const rows = found.misses.map((m) => {
    const made = row([titleOf(r, VISITED, m.position).slice(run.label.length + 2), visited.error[m.position].toFixed(2), figure(visited.mohaq_speedup[m.position]),
      figure(visited.latency_ms[m.position]), figure(m.excessMs, 3), figure(m.excessPercent, 3), titleOf(r, VISITED, m.better).slice(run.label.length + 2)], head);
    made.className = "choice";
    made.addEventListener("click", () => choose([r, VISITED, m.position]));
    return made;
  });
  if (rows.length) list.append(table(head, rows));
};

// --- one solution ----------------------------------------------------------------------------------------------------
const pairs = (bits) => bits.split(",").map((part) => {
  const [site, pair] = part.split("=");
  return [site, ...pair.split(/[x@]/).map(Number)];
});
const BITS_SCALE = { colorscale: [[0, "#fff7bc"], [0.33, "#fec44f"], [0.67, "#d95f0e"], [1, "#7f2704"]], zmin: 1, zmax: 4, showscale: false };
const heat = (x, y, widths, extra = {}) => ({
  type: "heatmap", x, y, z: widths.map((line) => line.map(Math.log2)), text: widths, texttemplate: "%{text}", xgap: 2, ygap: 2,
  hovertemplate: "%{x}, %{y}: %{text} bits<extra></extra>", ...BITS_SCALE, ...extra });
const shownFigure = (number, unit) => element("div", {}, element("b", { textContent: `${number} ` }), element("span", { textContent: unit }));

const select = (r, of, i) => {
  selected = [r, of, i];
  const run = runs[r], variant = of === BASELINE ? 0 : run.points.variant[i];
  const solution = of === BASELINE ? run.baselines[i] : run.onFront.has(i) ? run.front[run.onFront.get(i)] : null;
  const detail = solution && solution.layers ? solution : null;
  const bits = of === BASELINE ? solution.bits : column(run, "bits")[i];
  const beacon = of === BASELINE ? solution.beacon : column(run, "beacon")[i];
  Object.assign($("solution").dataset, { bits, variant });
  $("solution-title").textContent = `Solution: ${titleOf(r, of, i)}`;
  $("solution-choice").value = solution ? `${r} ${of} ${i}` : "";
  $("solution-figures").replaceChildren(
    ...Object.keys(metrics).filter((m) => value(run, of, i, m) !== null).map((m) => shownFigure(figure(value(run, of, i, m)), READINGS[m])),
    shownFigure(whole(value(run, of, i, "cycles")), "cycles"),
    ...(isFeasible(run, of, i) ? [] : [element("div", {}, element("b", { textContent: "over a limit" }))]),
    ...(solution ? onTest(solution) : []),
    ...(beacon ? [element("div", { textContent: `error with the parameters of the beacon ${beacon}` })] : []));
  $("solution-hardware").replaceChildren(...(run.isCodesign ? hardwareFigures(run, variant) : []));
  const sites = pairs(bits);
  draw("bits", [heat(sites.map(([site]) => safe(site)), ["activations", "weights"], [sites.map((p) => p[2]), sites.map((p) => p[1])])],
    { margin: { l: 80, r: 16, t: 6, b: 36 }, xaxis: { type: "category" }, yaxis: { type: "category" } });
  $("simulated").hidden = !detail;
  $("unsimulated").hidden = !!detail;
  if (detail) drawLayers(detail);
  $("commands").replaceChildren(...(detail ? detail.commands : commandsOf(run, i)).map((text) => element("div", { className: "command" },
    element("code", { textContent: text }),
    element("button", { textContent: "copy", onclick: () => navigator.clipboard && navigator.clipboard.writeText(text) }))));
  if ($("front").data) moveRing();
};

// What a solution's errors on test are over those of 16 bits, and what that says.
const onTest = ({ test_change: change, test_change_low: low, test_change_high: high, dominated_on_test_by: by, lost_on_test: lost }) => {
  const signed = (x) => `${x < 0 ? "−" : "+"}${Math.abs(x).toFixed(2)}`;
  return [...(change === null || change === undefined ? [] : [shownFigure(`${signed(change)} [${signed(low)}, ${signed(high)}]`, "points over 16 bits on test, 95 %")]),
    ...(by ? [element("div", {}, element("b", { textContent: `dominated on test by ${by}` }))] : []),
    ...(lost ? [element("div", {}, element("b", { textContent: "less than 16 bits on dev, not on test" }))] : [])];
};

// Which variant a solution is of, and what that changes in the spec.
const hardwareFigures = (run, variant) => {
  const { name, changes } = run.variants[variant];
  const word = (x) => typeof x === "object" ? JSON.stringify(x) : `${x}`;
  return [shownFigure(variant, `hardware variant: ${name.split(",")[0]}${Object.keys(changes).length ? " with" : ""}`), ...Object.entries(changes).map(([key, x]) => shownFigure(word(x), key)),
    element("button", { textContent: "only this hardware above", onclick: () => showOnly(runs.indexOf(run), variant) })];
};

const commandsOf = (run, i) => {
  const { evaluate, trace, simulate } = run.commands, bits = column(run, "bits")[i], beacon = column(run, "beacon")[i];
  const errs = evaluate[beacon] && value(run, VISITED, i, "error") !== null ? [`${evaluate[beacon]} --bits ${shellWord(bits)}`] : [];
  const file = run.isCodesign ? "point.yaml" : `candidate-${i + 1}.yaml`;
  return trace ? [...errs, `${trace} --bits ${shellWord(bits)} --out ${file}`, `mohaq simulate ${file} ${simulate[run.points.variant[i]]}`] : errs;
};

const drawLayers = (detail) => {
  const { layers } = detail, labels = layers.map((layer) => safe(layer.name));
  const kinds = (key) => [...new Set(layers.flatMap((layer) => Object.keys(layer[key])))];
  const stalls = kinds("stalls"), parts = kinds("energy");
  const bar = (name, x, color, unit) => ({ type: "bar", orientation: "h", name: safe(name), y: labels, x, marker: { color },
    hovertemplate: `%{y}, ${safe(name)}: %{x:,.6~g} ${unit}<extra></extra>` });
  const height = 142 + 17 * layers.length;
  const layout = (text, unit) => ({ height, barmode: "stack",
    title: { text, x: 0, y: 1, yref: "container", yanchor: "top", pad: { t: 6 }, font: { size: 13 } }, margin: { l: 80, r: 10, t: 84, b: 40 },
    xaxis: { title: { text: unit }, ...GRID }, yaxis: { autorange: "reversed", type: "category", dtick: 1 }, legend: { orientation: "h", y: 1, yanchor: "bottom", x: 0, traceorder: "normal" }, bargap: 0.25 });
  draw("cycles", [bar("computing", layers.map((l) => l.compute), data.computeColour, "cycles"),
    ...stalls.map((s) => bar(`waiting: ${s}`, layers.map((l) => l.stalls[s] || 0), data.stallColours[s], "cycles"))],
    layout("Cycles of each layer", "cycles"));
  draw("energy", parts.map((p, k) => bar(p, layers.map((l) => l.energy[p] || 0), OTHER_COLOURS[k % 8], "µJ")), layout("Energy of each layer", "µJ"));
  const head = [["layer", "text"], ["cycles"], ["computing"], ...stalls.map((s) => [`waiting: ${s}`]), ["utilisation"], ["µJ"], ...parts.map((p) => [`${p} µJ`])];
  const sum = (object) => Object.values(object).reduce((a, b) => a + b, 0);
  $("layers").replaceChildren(table(head, layers.map((l) => row([l.name, whole(l.cycles), whole(l.compute), ...stalls.map((s) => whole(l.stalls[s])),
    `${(100 * l.utilisation).toFixed(0)} %`, figure(sum(l.energy)), ...parts.map((p) => figure(l.energy[p] || 0))], head))));
};

const makeChoice = () => {
  const choice = $("solution-choice");
  choice.append(element("option", { value: "", textContent: "another candidate", disabled: true }));
  const entry = (run, r, of, i, solution) => {
    const error = value(run, of, i, "error"), on = run.isCodesign ? `, ${hardwareOf(run, run.points.variant[i])}` : "";
    const text = `${solution}: ${error === null ? "" : `${figure(error)} %, `}${figure(value(run, of, i, "latency_ms"))} ms${on}`;
    return element("option", { value: `${r} ${of} ${i}`, textContent: text });
  };
  runs.forEach((run, r) => choice.append(element("optgroup", { label: run.label },
    ...run.front.map((s) => entry(run, r, VISITED, s.at, s.solution)), ...run.baselines.map((s, i) => entry(run, r, BASELINE, i, s.solution)))));
  choice.addEventListener("change", () => select(...choice.value.split(" ").map(Number)));
  const detailed = runs.map((run) => [run, run.front.filter((s) => s.layers).length]).filter(([run, n]) => n < run.front.length);
  $("unsimulated").textContent = "Cycles by layer are simulated for the front and the candidates of one width only" +
    detailed.map(([run, n]) => ` (of ${run.label}, for ${n} of ${run.front.length} on the front, evenly drawn)`).join("") +
    "; the last command, where there is one, prints them.";
};
const choose = (point) => { select(...point); $("solution").scrollIntoView({ behavior: "smooth" }); };

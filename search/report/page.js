// The page of `mohaq report`: draws the JSON in #data with plotly.js. A point is [run, of, position]: of the run's
// candidates (VISITED) or of its baselines (BASELINE).
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { runs, metrics } = data;
  const $ = (id) => document.getElementById(id);
  const VISITED = 0, BASELINE = 1;
  // Okabe and Ito's palette, which colour-blind readers can tell apart.
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d"];
  const SYMBOLS = ["circle", "square", "triangle-up", "cross", "x", "star", "pentagon"];
  const OTHER_COLOURS = ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#f0e442", "#999999"];
  const CONFIG = { displaylogo: false, responsive: true };
  const FONT = { family: 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif', size: 12, color: "#1d2733" };
  const GRID = { gridcolor: "#e6eaee", zeroline: false };
  const names = { ...metrics, evaluation: "evaluation (in order)" };
  const SHORT = { error: "% error", error_plain: "% error, all", latency_ms: "ms", energy_uj: "µJ", memory_mib: "MiB",
                  mohaq_speedup: "closed-form speedup", mohaq_energy_uj: "closed-form µJ", evaluation: "evaluation" };
  const colour = (r) => COLOURS[r % COLOURS.length];
  const symbol = (r) => SYMBOLS[r % SYMBOLS.length];
  const safe = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");  // plotly reads tags in text
  const webgl = (() => {
    const canvas = document.createElement("canvas");
    return !!(canvas.getContext("webgl2") || canvas.getContext("webgl"));
  })();
  const SCATTER = webgl ? "scattergl" : "scatter";

  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const figure = (x, digits = 4) => x === null || x === undefined ? "–"
    : Number(x).toLocaleString("en", Math.abs(x) >= 1000 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits });
  const table = (head, rows) => element("table", {},
    element("thead", {}, element("tr", {}, ...head.map(([text, kind]) => element("th", { className: kind || "", textContent: text })))),
    element("tbody", {}, ...rows));
  const row = (cells, head) => element("tr", {},
    ...cells.map((text, i) => element("td", { className: head[i][1] || "", textContent: text })));
  const options = (select, pairs, chosen) => {
    select.replaceChildren(...pairs.map(([value, text]) => element("option", { value, textContent: text })));
    select.value = chosen;
  };
  const draw = (id, traces, layout) => Plotly.react($(id), traces, {
    font: FONT, paper_bgcolor: "white", plot_bgcolor: "white", margin: { l: 62, r: 16, t: 28, b: 46 }, ...layout }, CONFIG);

  // --- what the runs are ---------------------------------------------------------------------------------------------
  for (const run of runs) {
    run.count = run.visited.bits.length;
    run.at = new Map(run.visited.bits.map((bits, i) => [bits, i]));
    run.onFront = new Map(run.front.map((solution, k) => [run.at.get(solution.bits), k]));
  }
  const value = (run, of, i, metric) => of === BASELINE ? (metric === "evaluation" ? null : run.baselines[i][metric])
    : metric === "evaluation" ? i + 1 : run.visited[metric][i];

  const drawRuns = () => {
    $("title").textContent = `Search report: ${runs.map((run) => run.label).join(", ")}`;
    const head = [["run", "text"], ["experiment", "text"], ["model", "text"], ["architecture", "text"], ["objectives", "text"],
      ["frames"], ["generations"], ["seed"], ["candidates"], ["feasible"], ["front"], ["lowest error %"], ["error limit %"],
      ["memory limit MiB"], ["hypervolume"]];
    $("runs").append(table(head, runs.map((run, r) => {
      const errors = run.visited.error.filter((x, i) => x !== null && run.visited.feasible[i]);
      const made = row([run.label, run.name, run.model, run.arch, run.objectives.join(", "), run.steps, run.generations, run.seed,
        run.count, run.visited.feasible.filter(Boolean).length, run.front.length,
        figure(errors.length ? errors.reduce((a, b) => Math.min(a, b)) : null), figure(run.errorLimit), figure(run.memoryLimit),
        figure(run.growth && run.growth.shares.at(-1))], head);
      made.firstChild.prepend(element("span", { textContent: "● ", style: `color:${colour(r)}` }));
      return made;
    })));
    const apart = [["model", "models"], ["steps", "numbers of frames"], ["arch", "architectures"]]
      .filter(([key]) => new Set(runs.map((run) => run[key])).size > 1).map(([, text]) => text);
    $("runs-note").textContent = apart.length ? `The runs have different ${apart.join(" and ")}.` : "";
  };

  // --- candidates and fronts -------------------------------------------------------------------------------------------
  const filters = {};
  let selected = null;

  const makeControls = () => {
    const known = Object.keys(names).filter((m) => m === "evaluation" || runs.some((run) => run.visited[m].some((x) => x !== null)));
    const goals = data.objectives;
    const x = goals.find((m) => m !== "error") || known.find((m) => m !== goals[0]);
    const y = goals.includes("error") ? "error" : goals.find((m) => m !== x) || "latency_ms";
    const third = goals.find((m) => m !== x && m !== y);
    options($("axis-x"), known.map((m) => [m, names[m]]), x);
    options($("axis-y"), known.map((m) => [m, names[m]]), y);
    const values = runs.flatMap((run) => [...run.visited[x] || [], ...run.baselines.map((s) => s[x])]).filter((v) => v > 0);
    $("log-x").checked = values.reduce((a, b) => Math.max(a, b), 0) > 10 * values.reduce((a, b) => Math.min(a, b), Infinity);
    options($("axis-colour"), [["run", "run"], ...known.map((m) => [m, names[m]])], runs.length === 1 && third ? third : "run");
    for (const id of ["axis-x", "axis-y", "axis-colour", "log-x", "log-y", "show-front", "show-feasible", "show-infeasible", "show-baselines"])
      $(id).addEventListener("change", () => drawFront());
    for (const metric of known) makeFilter(metric);
    $("reset").addEventListener("click", () => { Object.values(filters).forEach((filter) => filter.reset()); drawFront(); });
  };

  const makeFilter = (metric) => {
    let [low, high] = [Infinity, -Infinity];
    for (const run of runs) for (const [of, count] of [[VISITED, run.count], [BASELINE, run.baselines.length]])
      for (let i = 0; i < count; i++) {
        const x = value(run, of, i, metric);
        if (x !== null) { low = Math.min(low, x); high = Math.max(high, x); }
      }
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

  const passes = (run, of, i) => Object.entries(filters).every(([metric, { range }]) => {
    if (!range || (of === BASELINE && metric === "evaluation")) return true;
    const x = value(run, of, i, metric);
    return x !== null && x >= range[0] && x <= range[1];
  });

  const drawFront = () => {
    const [x, y, hue] = ["axis-x", "axis-y", "axis-colour"].map((id) => $(id).value);
    const traces = [];
    let shown = 0, all = 0;
    runs.forEach((run, r) => {
      const groups = { infeasible: [], feasible: [], front: [], baselines: [] };
      for (let i = 0; i < run.count; i++)
        groups[run.onFront.has(i) ? "front" : run.visited.feasible[i] ? "feasible" : "infeasible"].push([VISITED, i]);
      run.baselines.forEach((_, i) => groups.baselines.push([BASELINE, i]));
      all += run.count;
      const looks = {
        infeasible: { size: 5, opacity: 0.45, symbol: `${symbol(r)}-open` },
        feasible: { size: 5, opacity: hue === "run" ? 0.35 : 0.7, symbol: symbol(r) },
        front: { size: 11, opacity: 1, symbol: symbol(r), line: { width: 1, color: "#1d2733" } },
        baselines: { size: 11, opacity: 1, symbol: "diamond-open", line: { width: 2 } },
      };
      for (const [group, marker] of Object.entries(looks)) {
        const points = $(`show-${group}`).checked
          ? groups[group].filter(([of, i]) => value(run, of, i, x) !== null && value(run, of, i, y) !== null && passes(run, of, i)) : [];
        if (group !== "baselines") shown += points.length;
        const hues = hue === "run" ? colour(r) : points.map(([of, i]) => value(run, of, i, hue));
        traces.push({
          type: SCATTER, mode: "markers", name: safe(group === "front" ? run.label : `${run.label}, ${group}`), legendgroup: `${r}`,
          showlegend: group === "front", x: points.map(([of, i]) => value(run, of, i, x)), y: points.map(([of, i]) => value(run, of, i, y)),
          customdata: points.map(([of, i]) => [r, of, i]),
          marker: { ...marker, color: hues, ...(hue === "run" ? {} : { coloraxis: "coloraxis" }) },
          text: points.map(([of, i]) => `${safe(titleOf(r, of, i))}<br>${tip(run, of, i)}`),
          hovertemplate: "%{text}<extra></extra>",
        });
      }
    });
    if (selected) {
      const [r, of, i] = selected;
      const at = [value(runs[r], of, i, x), value(runs[r], of, i, y)];
      if (!at.includes(null)) traces.push({ type: "scatter", mode: "markers", x: [at[0]], y: [at[1]], hoverinfo: "skip", showlegend: false,
        marker: { size: 21, symbol: "circle-open", color: "#c0392b", line: { width: 2.5 } } });
    }
    const limits = (metric, line) => metric !== "error" ? [] : runs.filter((run) => run.errorLimit !== null).map((run) => ({
      type: "line", line: { color: colour(runs.indexOf(run)), width: 1, dash: "dot" }, ...line(run.errorLimit) }));
    const kind = (axis) => $(`log-${axis}`).checked ? "log" : "linear";
    draw("front", traces, {
      xaxis: { title: { text: names[x] }, type: kind("x"), ...GRID }, yaxis: { title: { text: names[y] }, type: kind("y"), ...GRID },
      shapes: [...limits(y, (e) => ({ xref: "paper", x0: 0, x1: 1, y0: e, y1: e })), ...limits(x, (e) => ({ yref: "paper", y0: 0, y1: 1, x0: e, x1: e }))],
      legend: { orientation: "h", y: 1.06, x: 0, itemsizing: "constant" }, hovermode: "closest", uirevision: `${x} ${y} ${kind("x")} ${kind("y")}`,
      coloraxis: { colorscale: "Viridis", showscale: hue !== "run", colorbar: { title: { text: SHORT[hue] || "", side: "right" }, thickness: 14 } },
    });
    $("shown").textContent = `${shown.toLocaleString("en")} of ${all.toLocaleString("en")} candidates shown`;
  };

  const titleOf = (r, of, i) => {
    const run = runs[r];
    if (of === BASELINE) return `${run.label}, ${run.baselines[i].solution} for everything`;
    return run.onFront.has(i) ? `${run.label}, solution ${run.front[run.onFront.get(i)].solution}` : `${run.label}, candidate ${i + 1}`;
  };
  const tip = (run, of, i) => Object.keys(metrics).filter((m) => value(run, of, i, m) !== null)
    .map((m) => `${figure(value(run, of, i, m))} ${SHORT[m]}`).join("<br>");

  // --- one solution ----------------------------------------------------------------------------------------------------
  const pairs = (bits) => bits.split(",").map((part) => {
    const [site, pair] = part.split("=");
    return [site, ...pair.split("x").map(Number)];
  });
  const BITS_SCALE = { colorscale: [[0, "#fff7bc"], [0.33, "#fec44f"], [0.67, "#d95f0e"], [1, "#7f2704"]], zmin: 1, zmax: 4, showscale: false };
  const heat = (x, y, widths, extra = {}) => ({
    type: "heatmap", x, y, z: widths.map((line) => line.map(Math.log2)), text: widths, texttemplate: "%{text}", xgap: 2, ygap: 2,
    hovertemplate: "%{x}, %{y}: %{text} bits<extra></extra>", ...BITS_SCALE, ...extra });

  const select = (r, of, i, redraw = true) => {
    selected = [r, of, i];
    const run = runs[r];
    const detail = of === BASELINE ? run.baselines[i] : run.onFront.has(i) ? run.front[run.onFront.get(i)] : null;
    const bits = detail ? detail.bits : run.visited.bits[i];
    const beacon = detail ? detail.beacon : run.visited.beacon[i];
    $("solution").dataset.bits = bits;
    $("solution-title").textContent = `Solution: ${titleOf(r, of, i)}`;
    $("solution-choice").value = detail ? `${r} ${of} ${i}` : "";
    const feasible = of === BASELINE || run.visited.feasible[i] ? [] : [element("div", {}, element("b", { textContent: "over a limit" }))];
    const cycles = detail ? detail.cycles : run.visited.cycles[i];
    $("solution-figures").replaceChildren(
      ...Object.keys(metrics).map((m) => element("div", {}, element("b", { textContent: `${figure(value(run, of, i, m))} ` }), element("span", { textContent: SHORT[m] }))),
      element("div", {}, element("b", { textContent: `${cycles.toLocaleString("en")} ` }), element("span", { textContent: "cycles" })), ...feasible,
      ...(beacon ? [element("div", { textContent: `error with the parameters of the beacon ${beacon}` })] : []));
    const sites = pairs(bits);
    draw("bits", [heat(sites.map(([site]) => safe(site)), ["activations", "weights"], [sites.map((p) => p[2]), sites.map((p) => p[1])])],
      { margin: { l: 80, r: 16, t: 6, b: 36 }, xaxis: { type: "category" }, yaxis: { type: "category" } });
    $("simulated").hidden = !detail;
    $("unsimulated").hidden = !!detail;
    if (detail) drawLayers(detail);
    $("commands").replaceChildren(...(detail ? detail.commands : commandsOf(run, i)).map((text) => element("div", { className: "command" },
      element("code", { textContent: text }),
      element("button", { textContent: "copy", onclick: () => navigator.clipboard && navigator.clipboard.writeText(text) }))));
    if (redraw) drawFront();
  };

  const commandsOf = (run, i) => {
    const { evaluate, trace, simulate } = run.commands, bits = run.visited.bits[i];
    const errs = evaluate[run.visited.beacon[i]] && run.visited.error[i] !== null ? [`${evaluate[run.visited.beacon[i]]} --bits ${bits}`] : [];
    return trace ? [...errs, `${trace} --bits ${bits} --out candidate-${i + 1}.yaml`, `mohaq simulate candidate-${i + 1}.yaml ${simulate}`] : errs;
  };

  const drawLayers = (detail) => {
    const { layers } = detail, labels = layers.map((layer) => safe(layer.name));
    const kinds = (key) => [...new Set(layers.flatMap((layer) => Object.keys(layer[key])))];
    const stalls = kinds("stalls"), parts = kinds("energy");
    const bar = (name, x, color, unit) => ({ type: "bar", orientation: "h", name, y: labels, x, marker: { color },
      hovertemplate: `%{y}, ${name}: %{x:,.6~g} ${unit}<extra></extra>` });
    const height = 142 + 17 * layers.length;
    const layout = (text, unit) => ({ height, barmode: "stack",
      title: { text, x: 0, y: 1, yref: "container", yanchor: "top", pad: { t: 6 }, font: { size: 13 } }, margin: { l: 80, r: 10, t: 84, b: 40 },
      xaxis: { title: { text: unit }, ...GRID }, yaxis: { autorange: "reversed", type: "category", dtick: 1 }, legend: { orientation: "h", y: 1, yanchor: "bottom", x: 0, traceorder: "normal" }, bargap: 0.25 });
    draw("cycles", [bar("computing", layers.map((l) => l.compute), data.stallColours.computing, "cycles"),
      ...stalls.map((s, k) => bar(`waiting: ${s}`, layers.map((l) => l.stalls[s] || 0), data.stallColours[s] || OTHER_COLOURS[(k + 3) % 8], "cycles"))],
      layout("Cycles of each layer", "cycles"));
    draw("energy", parts.map((p, k) => bar(p, layers.map((l) => l.energy[p] || 0), OTHER_COLOURS[k % 8], "µJ")), layout("Energy of each layer", "µJ"));
    const head = [["layer", "text"], ["cycles"], ["computing"], ...stalls.map((s) => [`waiting: ${s}`]), ["utilisation"], ["µJ"], ...parts.map((p) => [`${p} µJ`])];
    const sum = (object) => Object.values(object).reduce((a, b) => a + b, 0);
    const whole = (x) => (x || 0).toLocaleString("en");
    $("layers").replaceChildren(table(head, layers.map((l) => row([l.name, whole(l.cycles), whole(l.compute), ...stalls.map((s) => whole(l.stalls[s])),
      `${(100 * l.utilisation).toFixed(0)} %`, figure(sum(l.energy)), ...parts.map((p) => figure(l.energy[p] || 0))], head))));
  };

  const makeChoice = () => {
    const choice = $("solution-choice");
    choice.append(element("option", { value: "", textContent: "another candidate", disabled: true }));
    const text = (s) => `${s.solution}: ${s.error === null ? "" : `${figure(s.error)} %, `}${figure(s.latency_ms)} ms`;
    runs.forEach((run, r) => choice.append(element("optgroup", { label: run.label },
      ...run.front.map((s) => element("option", { value: `${r} ${VISITED} ${run.at.get(s.bits)}`, textContent: text(s) })),
      ...run.baselines.map((s, i) => element("option", { value: `${r} ${BASELINE} ${i}`, textContent: text(s) })))));
    choice.addEventListener("change", () => select(...choice.value.split(" ").map(Number)));
  };

  // --- bits across the front -------------------------------------------------------------------------------------------
  const drawFrontBits = () => {
    const run = runs[Number($("front-bits-run").value)];
    if (!run.front.length) return;
    const lines = run.front.map((s) => pairs(s.bits)), sites = lines[0].map(([site]) => safe(site));
    const labels = run.front.map((s) => `${s.solution}: ${s.error === null ? `${figure(s.latency_ms)} ms` : `${s.error.toFixed(2)} %`}`);
    const layout = (text) => ({ height: 110 + Math.max(4, lines.length) * 17, title: { text, x: 0, font: { size: 13 } }, margin: { l: 100, r: 10, t: 34, b: 36 },
      xaxis: { type: "category" }, yaxis: { type: "category", autorange: "reversed", dtick: 1 } });
    draw("front-weights", [heat(sites, labels, lines.map((line) => line.map((p) => p[1])))], layout("weights"));
    draw("front-activations", [heat(sites, labels, lines.map((line) => line.map((p) => p[2])))], layout("activations"));
  };
  const makeFrontBits = () => {
    $("front-bits-note").textContent = "One line a solution of the front, in its order; a click shows it above.";
    options($("front-bits-run"), runs.map((run, r) => [r, run.label]), 0);
    $("front-bits-run").addEventListener("change", drawFrontBits);
    drawFrontBits();
    for (const id of ["front-weights", "front-activations"]) if ($(id).on) $(id).on("plotly_click", (event) => {
      const r = Number($("front-bits-run").value);
      select(r, VISITED, runs[r].at.get(runs[r].front[event.points[0].pointIndex[0]].bits));
    });
  };

  // --- hypervolume -----------------------------------------------------------------------------------------------------
  const drawHypervolume = () => {
    const { objectives, reference, factor } = data.hypervolume;
    if (!runs.some((run) => run.growth)) {
      $("hypervolume-note").textContent = "The runs have no objective, or no feasible candidate, in common.";
      $("hypervolume").hidden = true;
      return;
    }
    $("hypervolume-note").textContent = `Of ${objectives.join(", ")}: the share that the feasible candidates dominate of the box between the best ` +
      `value of each objective and the reference point, among the feasible candidates of all runs shown here. The reference point lies ${factor} times as far from ` +
      `the best value as the worst does: ${Object.entries(reference).map(([name, x]) => `${name} ${figure(x)}`).join("; ")}. ` +
      "Candidates that the memory limit screened out are not counted as evaluations. Shares of another report have another box.";
    draw("hypervolume", runs.map((run, r) => ({ type: "scatter", mode: "lines", name: safe(run.label), x: run.growth.evaluations, y: run.growth.shares,
      line: { shape: "hv", color: colour(r), width: 2 }, hovertemplate: "%{x} evaluations: %{y:.4f}<extra></extra>" })),
      { xaxis: { title: { text: "evaluations" }, ...GRID, rangemode: "tozero" }, yaxis: { title: { text: "hypervolume (share)" }, ...GRID }, showlegend: true });
  };

  // --- closed form -----------------------------------------------------------------------------------------------------
  const drawClosedForm = () => runs.forEach((run, r) => {
    const found = run.closedForm, place = $("closed-form");
    place.append(element("h3", { textContent: run.label }));
    if (!found) {
      place.append(element("p", { textContent: "No two feasible candidates with an error and a closed form." }));
      return;
    }
    const { visited } = run, median = (xs) => xs.sort((a, b) => a - b)[Math.floor(xs.length / 2)];
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
      customdata: at.map((i) => [r, VISITED, i]), marker, text: at.map((i) => tip(run, VISITED, i)), hovertemplate: "%{text}<extra></extra>" });
    const either = new Set([...closed, ...simulated]), most = found.candidates.reduce((a, i) => Math.max(a, up(i)), 0);
    const traces = [
      series("on neither front", found.candidates.filter((i) => !either.has(i)), { size: 5, color: "#b8c0cc" }),
      series("on both", found.closedFormFront.filter((i) => simulated.has(i)), { size: 10, color: "#009e73" }),
      series("simulated only", found.simulatedFront.filter((i) => !closed.has(i)), { size: 10, color: "#0072b2", symbol: "square" }),
      series("closed form only", found.misses.map((m) => m.position), { size: 11, color: "#d55e00", symbol: "triangle-up" }),
    ];
    if (widest) traces.push({ type: "scatter", mode: "lines", name: "equal", x: [0, most], y: [0, most], hoverinfo: "skip", line: { color: "#5d6b7a", width: 1, dash: "dash" } });
    draw(plot.id, traces, { xaxis: { title: { text: names.mohaq_speedup }, ...GRID }, legend: { orientation: "h", y: 1.12, x: 0 },
      yaxis: { title: { text: widest ? `simulated speedup over ${widest.solution}` : names.latency_ms }, ...GRID }, hovermode: "closest" });
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
  });
  const choose = (point) => { select(...point); $("solution").scrollIntoView({ behavior: "smooth" }); };

  drawRuns();
  makeControls();
  makeChoice();
  const first = runs.findIndex((run) => run.front.length || run.baselines.length);
  if (first >= 0) {
    const run = runs[first];
    select(first, ...(run.front.length ? [VISITED, run.at.get(run.front[0].bits)] : [BASELINE, 0]), false);
  } else $("solution").hidden = true;
  drawFront();
  $("front").on("plotly_click", (event) => { if (event.points[0].customdata) select(...event.points[0].customdata); });
  makeFrontBits();
  drawHypervolume();
  drawClosedForm();
})();

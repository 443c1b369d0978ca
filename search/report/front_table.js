// --- the front as a table, and the best of it within what a design may take -----------------------------------------
const MOST_SOLUTIONS = 500;  // rows
const BUDGETS = ["latency_ms", "energy_uj", "memory_mib", "area_mm2"];  // figures that a limit can be set on
let frontOrder = null;  // a column of the table, and whether the largest come first

const solutionsOf = () => runs.flatMap((run, r) => run.front.map((s) => ({ r, run, at: s.at, solution: s.solution })));
const figureOf = (s, metric) => value(s.run, VISITED, s.at, metric);
const limitsOf = () => BUDGETS.filter((m) => $(`under-${m}`) && $(`under-${m}`).value !== "").map((m) => [m, Number($(`under-${m}`).value)]);
const isWithin = (s, limits) => limits.every(([m, most]) => figureOf(s, m) !== null && figureOf(s, m) <= most);

// The solution of least error within the limits, of several the first by its costs; null where there is none.
const bestWithin = (solutions, limits) => {
  const by = ["error", ...BUDGETS], before = (a, b) => {
    const metric = by.find((m) => figureOf(a, m) !== figureOf(b, m));
    return metric && compared(figureOf(a, metric), figureOf(b, metric), false) < 0;
  };
  return solutions.filter((s) => figureOf(s, "error") !== null && isWithin(s, limits)).reduce((a, b) => a === null || before(b, a) ? b : a, null);
};

const drawFrontTable = () => {
  const all = solutionsOf(), limits = limitsOf(), best = bestWithin(all, limits);
  const known = Object.keys(metrics).filter((m) => all.some((s) => figureOf(s, m) !== null));
  const columns = [["solution", "text", (s) => s.solution], ...(runs.length > 1 ? [["run", "text", (s) => s.run.label]] : []),
    ...known.map((m) => [READINGS[m], "", (s) => figureOf(s, m)]),
    ...(varied ? [["hardware", "text", (s) => hardwareOf(s.run, s.run.points.variant[s.at])]] : [])];
  const [by, falling] = frontOrder || [columns.findIndex(([, kind]) => kind === ""), false];
  all.sort((a, b) => compared(columns[by][2](a), columns[by][2](b), falling) || a.r - b.r || a.at - b.at);
  const head = columns.map(([text, kind]) => [text, kind]);
  const rows = all.slice(0, MOST_SOLUTIONS).map((s) => {
    const made = dotted(row(columns.map(([, , of]) => typeof of(s) === "string" ? of(s) : figure(of(s))), head), s.r);
    made.className = `choice${isWithin(s, limits) ? "" : " out"}${limits.length && best && best.r === s.r && best.at === s.at ? " best" : ""}`;
    made.onclick = () => choose([s.r, VISITED, s.at]);
    return made;
  });
  $("front-table").replaceChildren(orderable(table(head, rows), by, falling, (k) => {
    frontOrder = [k, k === by && !falling];
    drawFrontTable();
  }));
  $("front-table-note").textContent = "A click on a heading orders, a click on a row shows that solution below." +
    (all.length > rows.length ? ` The table shows the first ${rows.length} of ${whole(all.length)} solutions in this order.` : "");
  return best;
};

// Says which solution is best within the limits, and shows it.
const answerBudget = () => {
  const best = drawFrontTable(), limits = limitsOf(), all = solutionsOf();
  if (!limits.length) { $("best-within").textContent = ""; return; }
  const told = (s) => ["error", ...BUDGETS].filter((m) => metrics[m] && figureOf(s, m) !== null).map((m) => `${figure(figureOf(s, m))} ${READINGS[m]}`).join(", ");
  const least = limits.map(([m]) => `${figure(all.map((s) => figureOf(s, m)).filter((x) => x !== null).reduce((a, b) => Math.min(a, b), Infinity))} ${READINGS[m]}`);
  $("best-within").textContent = best ? `Least error within: ${titleOf(best.r, VISITED, best.at)}: ${told(best)}.`
    : `No solution of the front is within. The least of each, not all of one solution: ${least.join(", ")}.`;
  if (best) select(best.r, VISITED, best.at);
};

const makeFrontTable = () => {
  const all = solutionsOf();
  $("front-section").hidden = !all.length;
  if (!all.length) return;
  const offered = all.some((s) => figureOf(s, "error") !== null) ? BUDGETS.filter((m) => (m !== "area_mm2" || varied) && all.some((s) => figureOf(s, m) !== null)) : [];
  $("budget").hidden = !offered.length;
  for (const metric of offered) {
    const input = element("input", { id: `under-${metric}`, type: "number", min: 0, step: "any", ariaLabel: `${names[metric]}: at most` });
    input.addEventListener("change", answerBudget);
    $("budgets").append(element("label", {}, "≤ ", input, ` ${READINGS[metric]}`));
  }
  drawFrontTable();
};

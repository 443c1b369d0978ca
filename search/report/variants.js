// --- variants of hardware side by side -------------------------------------------------------------------------------
const MOST_VARIANTS = 100, JOINT = 3;  // rows; the column of points on the joint front
let order = null;  // a column of the table, and whether the largest come first

// By variant, the best of a figure among the points of at most an error; null where the points on this page do not
// tell: the figure is no objective and points are left out.
const bestOf = (run, { metric, maximised }, limit) => {
  const best = new Array(run.variants.length).fill(null);
  const told = ["error", metric].every((m) => run.objectives.includes(m)) || run.others.shown === run.others.total;
  if (!told) return best;
  const errors = column(run, "error"), values = column(run, metric), { variant, feasible } = run.points;
  for (let i = 0; i < run.count; i++) {
    if (!feasible[i] || (errors[i] !== null && errors[i] > limit)) continue;
    const v = variant[i];
    if (values[i] !== null && (best[v] === null || (maximised ? values[i] > best[v] : values[i] < best[v]))) best[v] = values[i];
  }
  return best;
};

const drawVariants = () => {
  const limit = $("variants-limit").value === "" ? Infinity : Number($("variants-limit").value);
  const at = Number.isFinite(limit) ? `, ≤ ${limit} %` : "";
  const columns = [  // heading, kind, what it sorts by and shows
    ["variant", "", (v) => v.number], ["hardware: what differs", "text", (v) => v.short], ["mm²", "", (v) => v.area_mm2],
    ["on the joint front", "", (v) => v.joint], ["on its own front", "", (v) => v.own], ["hypervolume", "", (v) => v.hypervolume],
    ...data.best.map(({ unit }, k) => [`best ${unit}${at}`, "", (v) => v.best[k]]),
  ];
  const all = runs.flatMap((run, r) => {
    const best = data.best.map((wanted) => bestOf(run, wanted, limit));
    return run.variants.map((v, number) => ({ ...v, r, number, label: run.label, best: best.map((of) => of[number]) }));
  });
  const [by, falling] = order || [JOINT, true];
  all.sort((a, b) => compared(columns[by][2](a), columns[by][2](b), falling) || b.joint - a.joint || b.hypervolume - a.hypervolume || a.r - b.r || a.number - b.number);
  const head = columns.map(([text, kind]) => [text, kind]);
  const rows = all.slice(0, MOST_VARIANTS).map((v) => {
    const made = dotted(row(columns.map(([, , of], k) => k === 0 ? (runs.length > 1 ? `${v.label} ${v.number}` : v.number) : typeof of(v) === "string" ? of(v) : figure(of(v))), head), v.r);
    Object.assign(made, { className: "choice", title: v.name, onclick: () => { showOnly(v.r, v.number); $("plane").scrollIntoView({ behavior: "smooth" }); } });
    return made;
  });
  $("variants").replaceChildren(orderable(table(head, rows), by, falling, (k) => {
    order = [k, k === by ? !falling : [JOINT, JOINT + 1, JOINT + 2].includes(k)];
    drawVariants();
  }));
  const never = all.filter((v) => v.joint === 0 && runs[v.r].isCodesign).length, count = all.filter((v) => runs[v.r].isCodesign).length;
  $("variants-note").textContent = `${whole(never)} of ${whole(count)} variants are on their run's joint front nowhere. ` +
    (all.length > rows.length ? `The table shows the first ${rows.length} of ${whole(all.length)} rows in this order; variants.csv in the run's folder has all. ` : "") +
    "A click on a heading orders, a click on a row shows that hardware's points alone above. Hypervolumes are those of a variant's own front, in the box described below.";
};

const makeVariants = () => {
  if (!varied) { $("variants-section").hidden = true; return; }
  const errors = runs.flatMap((run) => column(run, "error").filter((x, i) => x !== null && run.points.feasible[i]));
  const lowest = errors.reduce((a, b) => Math.min(a, b), Infinity);
  $("variants-limit").parentElement.hidden = !errors.length;
  if (errors.length) $("variants-limit").value = Math.ceil(2 * (lowest + 1)) / 2;  // about a point more than the lowest
  $("variants-limit").addEventListener("change", drawVariants);
  drawVariants();
};

const showOnly = (r, variant) => {
  $("hardware").value = runs[r].isCodesign ? `${r} ${variant}` : "";
  drawFront();
};

// --- what the axes of points span, and their ticks -------------------------------------------------------------------
const SPAN_MARGIN = 0.05, FEW_TICKS = 3;

// The ends of an axis around values, in its own scale: logarithms where that is logarithmic. Null: there are none.
const spanOf = (values, isLog) => {
  let [low, high] = [Infinity, -Infinity];
  for (const x of values) if (x !== null && (!isLog || x > 0)) { low = Math.min(low, x); high = Math.max(high, x); }
  if (!(high >= low)) return null;
  if (isLog) [low, high] = [Math.log10(low), Math.log10(high)];
  const margin = SPAN_MARGIN * (high - low) || SPAN_MARGIN * Math.max(Math.abs(high), 1);
  return [low - margin, high + margin];
};

// Ticks of a logarithmic axis, as `search.runs.plot_axes` has them: 1, 2 and 5 and their multiples by ten; more where
// these are few, evenly spaced ones in the end.
const logTicks = ([from, to]) => {
  const [low, high] = [10 ** from, 10 ** to], inside = (ticks) => ticks.filter((x) => low <= x && x <= high);
  const decades = Array.from({ length: Math.ceil(to) - Math.floor(from) + 1 }, (_, k) => Math.floor(from) + k);
  if (decades.length > 12) return inside(decades.map((k) => Number(`1e${k}`)));
  for (const steps of [[1, 2, 5], [1, 2, 3, 4, 6, 8]]) {
    const seen = inside(decades.flatMap((k) => steps.map((step) => Number(`${step}e${k}`))));
    if (seen.length >= FEW_TICKS) return seen;
  }
  const raw = (high - low) / 4, power = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].find((s) => s * power >= raw) * power;
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k += 1) ticks.push(Number((k * step).toPrecision(12)));
  return ticks;
};
// In full: plotly writes 20 as a small 2 behind 10.
const ticksOf = (range) => {
  const ticks = logTicks(range);
  return { tickmode: "array", tickvals: ticks, ticktext: ticks.map((x) => x.toLocaleString("en", { maximumSignificantDigits: 6 })) };
};
const axisFor = (metric, isLog, values) => {
  const range = spanOf(values, isLog);
  return { title: { text: axisOf(metric) }, type: isLog ? "log" : "linear", ...GRID, ...(range ? { range } : {}), ...(range && isLog ? ticksOf(range) : {}) };
};
// After a zoom, the ticks of what is seen now.
const retick = (id) => {
  const changes = {};
  for (const name of ["xaxis", "yaxis"]) {
    const axis = $(id)._fullLayout[name];
    if (axis.type !== "log") continue;
    const { tickmode, tickvals, ticktext } = ticksOf(axis.range);
    if (JSON.stringify(axis.tickvals) !== JSON.stringify(tickvals))
      Object.assign(changes, { [`${name}.tickmode`]: tickmode, [`${name}.tickvals`]: tickvals, [`${name}.ticktext`]: ticktext });
  }
  if (Object.keys(changes).length) Plotly.relayout($(id), changes);
};

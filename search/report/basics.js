// What all scripts of the page of `mohaq report` use. They run in one scope and draw the JSON in #data with plotly.js.
// A point is [run, of, position]: of the run's points (VISITED) or of its baselines (BASELINE).
const data = JSON.parse(document.getElementById("data").textContent);
const { runs, metrics } = data;
const $ = (id) => document.getElementById(id);
const VISITED = 0, BASELINE = 1;
// Okabe and Ito's palette, which colour-blind readers can tell apart.
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d"];
const SYMBOLS = ["circle", "square", "triangle-up", "cross", "x", "star", "pentagon"];
const OTHER_COLOURS = ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#f0e442", "#999999"];
// No button sends a chart to a cloud, and there is none to send it to.
const CONFIG = { displaylogo: false, responsive: true, showSendToCloud: false, plotlyServerURL: "", modeBarButtonsToRemove: ["sendChartToCloud"] };
const FONT = { family: 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif', size: 12, color: "#1d2733" };
const GRID = { gridcolor: "#e6eaee", zeroline: false };
const colour = (r) => COLOURS[r % COLOURS.length];
const symbol = (r) => SYMBOLS[r % SYMBOLS.length];
// plotly reads tags in text, and names of data in templates
const safe = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("%{", "&#37;{");
// A word of a command for a shell; what is not printable has been made visible before.
const shellWord = (text) => /^[\w@%+=:,.\/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
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
const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SIGNIFICANT = [3, 4].map((digits) => new Intl.NumberFormat("en", { maximumSignificantDigits: digits }));
const figure = (x, digits = 4) => x === null || x === undefined ? "–"
  : (Math.abs(x) >= 1000 ? WHOLE : SIGNIFICANT[digits - 3]).format(x);
const whole = (x) => WHOLE.format(x || 0);
const table = (head, rows) => element("table", {},
  element("thead", {}, element("tr", {}, ...head.map(([text, kind]) => element("th", { className: kind || "", textContent: text })))),
  element("tbody", {}, ...rows));
const row = (cells, head) => element("tr", {},
  ...cells.map((text, i) => element("td", { className: head[i][1] || "", textContent: text })));
const dotted = (made, r) => {  // a row with its run's colour
  made.firstChild.prepend(element("span", { textContent: "● ", style: `color:${colour(r)}` }));
  return made;
};
// Order of two values, unknown ones last.
const compared = (a, b, falling) => a === b ? 0 : a === null ? 1 : b === null ? -1
  : (typeof a === "string" ? a.localeCompare(b) : a - b) * (falling ? -1 : 1);
// A table whose headings order it: that of column `by` shows how, a click or Enter on one calls `reorder` with its column.
const orderable = (made, by, falling, reorder) => {
  [...made.querySelectorAll("th")].forEach((cell, k) => {
    cell.classList.add("choice");
    Object.assign(cell, { tabIndex: 0, onclick: () => reorder(k), onkeydown: (event) => { if (event.key === "Enter") reorder(k); } });
    if (k !== by) return;
    cell.textContent += falling ? " ↓" : " ↑";
    cell.ariaSort = falling ? "descending" : "ascending";
  });
  return made;
};
const options = (select, pairs, chosen) => {
  select.replaceChildren(...pairs.map(([value, text]) => element("option", { value, textContent: text })));
  select.value = chosen;
};
const draw = (id, traces, layout) => Plotly.react($(id), traces, {
  font: FONT, paper_bgcolor: "white", plot_bgcolor: "white", margin: { l: 62, r: 16, t: 28, b: 46 }, ...layout }, CONFIG);

// --- the best policy of each hardware on all of them ----------------------------------------------------------------
const makePolicies = () => {
  $("policies-section").hidden = !data.policies.length;
  data.policies.forEach((matrix, number) => drawPolicies(matrix, number));
};
const drawPolicies = (matrix, number) => {
  const place = $("policies");
  const kinds = [...new Set(matrix.policies.flatMap((policy) => Object.keys(policy.kinds)))];
  place.append(element("h3", { textContent: `${runs[matrix.runs[0]].model}, ${runs[matrix.runs[0]].steps} frames` }));
  const least = (name, k) => Math.min(...matrix.policies.map((policy) => policy[name][k]).filter((x) => x !== null));
  for (const [name, unit] of [["latency_ms", "ms"], ["energy_uj", "µJ"]]) {
    const head = [["best policy of", "text"], ["error %"], ...matrix.hardware.map((hardware) => [`${unit} on ${hardware}`])];
    place.append(element("div", { className: "scroll" }, table(head, matrix.policies.map((policy) => dotted(row([
      runs[policy.run].label, policy.error.toFixed(2),
      ...policy[name].map((x, k) => x === null ? "cannot run" : `${figure(x)} (${(x / least(name, k)).toFixed(2)})`)], head), policy.run)))));
  }
  const head = [["best policy of", "text"], ...kinds.map((kind) => [`${kind}: bits of weights × activations`])];
  place.append(element("div", { className: "scroll" }, table(head, matrix.policies.map((policy) => dotted(row([runs[policy.run].label,
    ...kinds.map((kind) => { const k = policy.kinds[kind]; return k ? `${k.weights.toFixed(1)} × ${k.activations.toFixed(1)}` : "–"; })], head), policy.run)))));
  for (const policy of matrix.policies.filter((policy) => policy.layers.length)) {
    const plot = element("div", { id: `policies-${number}-${policy.run}`, style: "height:260px" });
    place.append(element("h4", { textContent: `${runs[policy.run].label}: weights up, activations down` }), plot);
    drawPolicy(plot.id, policy.layers);
  }
};
// Widths of a policy's layers in their order, those of weights up and of activations down, and what each layer does with a byte.
const drawPolicy = (id, layers) => {
  const names = layers.map((layer) => safe(layer.name)), kinds = [...new Set(layers.map((layer) => layer.kind))];
  const bars = (kind, side, sign) => ({ type: "bar", name: kind, legendgroup: kind, showlegend: sign > 0,
    x: names.filter((_, i) => layers[i].kind === kind), y: layers.filter((layer) => layer.kind === kind).map((layer) => sign * layer[side]),
    customdata: layers.filter((layer) => layer.kind === kind).map((layer) => layer[side]),
    hovertemplate: `%{x}: %{customdata} bits of ${side}<extra>${kind}</extra>`, marker: { color: colour(KINDS_OF_LAYERS.indexOf(kind)) } });
  const most = Math.max(...layers.flatMap((layer) => [layer.weights, layer.activations])), ticks = [-most, -most / 2, 0, most / 2, most];
  draw(id, [...kinds.flatMap((kind) => [bars(kind, "weights", 1), bars(kind, "activations", -1)]),
    { type: "scatter", mode: "lines+markers", name: "MACs a byte", x: names, y: layers.map((layer) => layer.macs_per_byte), yaxis: "y2",
      line: { color: "#4d4d4d", width: 1 }, marker: { size: 5 } }],
  { barmode: "overlay", xaxis: { type: "category", categoryarray: names, ...GRID },
    yaxis: { title: { text: "bits" }, tickvals: ticks, ticktext: ticks.map((tick) => String(Math.abs(tick))), ...GRID },
    yaxis2: { title: { text: "MACs a byte" }, overlaying: "y", side: "right", type: "log", showgrid: false },
    legend: { orientation: "h", y: 1.2, x: 0 } });
};
const KINDS_OF_LAYERS = ["depthwise", "pointwise", "convolution", "recurrent", "product"];

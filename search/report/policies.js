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
  const sites = pairs(matrix.policies[0].bits).map(([site]) => safe(site));
  for (const [what, at] of [["weights", 1], ["activations", 2]]) {
    const plot = element("div", { id: `policies-${number}-${what}`, style: "height:240px" });
    place.append(plot);
    draw(plot.id, matrix.policies.map((policy) => ({ type: "bar", name: safe(runs[policy.run].label), x: sites, y: pairs(policy.bits).map((p) => p[at]),
      marker: { color: colour(policy.run) } })), { barmode: "group", xaxis: { type: "category", ...GRID }, yaxis: { title: { text: `bits of ${what}` }, ...GRID },
      legend: { orientation: "h", y: 1.2, x: 0 } });
  }
};

// --- from top to bottom ----------------------------------------------------------------------------------------------
drawRuns();
makeControls();
makeChoice();
const first = runs.findIndex((run) => run.front.length || run.baselines.length);
if (first >= 0) {
  const run = runs[first];
  select(first, ...(run.front.length ? [VISITED, run.front[0].at] : [BASELINE, 0]));
} else $("solution").hidden = true;
drawFront();
moveRing();
$("front").on("plotly_relayout", () => retick("front"));
for (const event of ["plotly_afterplot", "plotly_relayouting"]) $("front").on(event, moveRing);
$("front").on("plotly_click", (event) => { if (event.points[0].customdata) select(...event.points[0].customdata); });
makeFrontTable();
makeVariants();
drawSurvey();
makePolicies();
makeFrontBits();
drawHypervolume();
drawClosedForm();

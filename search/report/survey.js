// --- the survey's objectives -----------------------------------------------------------------------------------------
const drawSurvey = () => {
  const { solutions, flexibility, context } = data.survey;
  $("survey-section").hidden = !solutions.length;
  const names = [...new Set(solutions.flatMap((solution) => Object.keys(solution.figures)))];
  const head = [["objective", "text"], ...solutions.map((solution) => [solution.title])];
  const made = table(head, names.map((name) => row([name, ...solutions.map((solution) => solution.figures[name] ?? "–")], head)));
  [...made.querySelectorAll("th")].slice(1).forEach((cell, k) => {
    cell.prepend(element("span", { textContent: "● ", style: `color:${colour(solutions[k].run)}` }));
  });
  $("survey").append(made);
  $("survey-note").textContent = `${flexibility}.`;
  const published = [["accelerator", "text"], ["technology", "text"], ["network", "text"], ["published figures", "text"]];
  $("survey-context").append(table(published, context.map((accelerator) => row(accelerator, published))));
};

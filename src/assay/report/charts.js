"use strict";
(() => {
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  function themed(trace) {
    const painted = { ...trace, marker: { ...trace.marker, color: color(trace.meta) }, line: { color: color(trace.meta), width: 2 } };
    if (trace.error_y) painted.error_y = { ...trace.error_y, color: color("ink"), thickness: 1.2, width: 3 };
    if (trace.name) painted.name = trace.name[0].toUpperCase() + trace.name.slice(1);
    return painted;
  }

  function axis(given = {}) {
    return {
      gridcolor: color("line"), linecolor: color("line"), zerolinecolor: color("line"),
      automargin: true, fixedrange: true, ...given,
      ...(given.title && { title: { font: { size: 12 }, ...given.title } }),
    };
  }

  function layout(given) {
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: color("soft") },
      margin: { l: 36, r: 8, t: 28, b: 30 }, bargap: 0.32, bargroupgap: 0.08, dragmode: false,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      hoverlabel: { bgcolor: color("card"), bordercolor: color("line"), font: { color: color("ink") } },
      ...given, xaxis: axis({ showgrid: false, ...given.xaxis }), yaxis: axis(given.yaxis),
    };
  }

  const plots = report.figures.map((figure) => {
    const plot = el("div", { class: "plot", role: "img", "aria-label": `${figure.title}. ${figure.caption}` });
    document.getElementById(figure.place || "figures").append(
      el("figure", { class: "card", id: `figure-${figure.name}` }, el("h3", {}, figure.title), el("figcaption", {}, figure.caption), plot));
    return [plot, figure];
  });

  function draw() {
    for (const [plot, figure] of plots) {
      // paper is as wide as it is: nothing measures it again
      const size = matchMedia("print").matches ? { width: plot.clientWidth, height: plot.clientHeight } : {};
      Plotly.react(plot, figure.data.map(themed), { ...layout(figure.layout), ...size }, { displayModeBar: false, responsive: true });
    }
  }

  draw();
  for (const media of ["(prefers-color-scheme: dark)", "print"]) matchMedia(media).addEventListener("change", draw);
})();

// Draws what the server worked out; every hole in the data stays a hole.
const section = document.querySelector("[data-chart]");
const state = section.querySelector(".chart-state");
const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
const ink = isDark ? "#a3b5b1" : "#4d5f5c";
const grid = isDark ? "#2c3a37" : "#e3eae8";
const colours = isDark
  ? ["#6cc5be", "#f2c063", "#9dbbe0", "#cdb4ee", "#ff8a80"] : ["#0f6b6b", "#b06f00", "#3d5a80", "#6a4c93", "#b3261e"];
const options = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };

function layout(extra) {
  const axis = { gridcolor: grid, linecolor: grid, zeroline: false, tickfont: { color: ink } };
  return {
    margin: { l: 52, r: 52, t: 8, b: 36 }, paper_bgcolor: "transparent", plot_bgcolor: "transparent", hovermode: "x unified",
    font: { color: ink, family: "system-ui, sans-serif" }, legend: { orientation: "h", y: 1.14 },
    xaxis: { ...axis, type: "date" }, yaxis: axis, ...extra,
  };
}

// Plotly fills across holes, so each stretch with values is an outline of its own.
function outline(data) {
  const x = [], y = [];
  let from = 0;
  for (let i = 0; i <= data.x.length; i += 1) {
    if (i < data.x.length && data.minimum[i] !== null) continue;
    if (i > from) {
      const stretch = Array.from({ length: i - from }, (_, k) => from + k);
      for (const k of stretch) { x.push(data.x[k]); y.push(data.maximum[k]); }
      for (const k of stretch.reverse()) { x.push(data.x[k]); y.push(data.minimum[k]); }
      x.push(null); y.push(null);
    }
    from = i + 1;
  }
  return { x, y };
}

function band(data, colour) {
  const name = data.name + (data.verified ? "" : " (unverified)") + (data.simulated ? " (sim)" : "");
  return [
    { ...outline(data), type: "scatter", mode: "lines", fill: "toself", fillcolor: colour + "38", line: { width: 0 },
      hoverinfo: "skip", showlegend: false, legendgroup: data.name },
    { x: data.x, y: data.mean, type: "scatter", mode: "lines", connectgaps: false, legendgroup: data.name, name,
      line: { color: colour, width: 1.6 }, hovertemplate: "%{y:.2f} " + data.unit },
  ];
}

function shades(alarms) {
  return alarms.map((alarm) => ({ type: "rect", xref: "x", yref: "paper", x0: alarm.from, x1: alarm.to, y0: 0, y1: 1,
    fillcolor: colours[4], opacity: 0.16, line: { width: 1, color: colours[4] } }));
}

function notes(alarms) {
  return alarms.map((alarm) => ({ x: alarm.from, y: 1, xref: "x", yref: "paper", text: "⚠", showarrow: false, hovertext: alarm.text,
    font: { color: colours[4], size: 15 }, xanchor: "left", yanchor: "top" }));
}

function drawBatch(data) {
  const look = (key, name, colour, extra) => ({ ...data.culture[key], name, type: "scatter", mode: "lines+markers",
    line: { color: colour, width: 1.4 }, marker: { size: 6 }, ...extra });
  const times = Object.values(data.environment).flat().flatMap((trace) => [trace.x[0], trace.x.at(-1)]).filter(Boolean);
  const range = times.length ? [Math.min(...times), Math.max(...times)] : undefined;
  const passages = data.passages.map((p) => ({ type: "line", xref: "x", yref: "paper", x0: p.at, x1: p.at, y0: 0, y1: 1,
    line: { color: ink, width: 1, dash: "dot" } }));
  Plotly.newPlot("plot-culture", [
    look("confluence", "confluence [%]", colours[0]),
    look("viability", "viability [%]", colours[1], { mode: "markers" }),
    look("viable_density", "viable density [×10⁶/mL]", colours[2], { mode: "markers", yaxis: "y2", marker: { size: 7, symbol: "diamond" } }),
  ], layout({ shapes: passages, yaxis: { range: [0, 104], gridcolor: grid },
    yaxis2: { overlaying: "y", side: "right", rangemode: "tozero", showgrid: false }, xaxis: { type: "date", range, gridcolor: grid } }), options);
  for (const name of ["temperature", "co2"]) {
    const traces = data.environment[name].flatMap((trace, i) => band(trace, colours[i % 4]));
    Plotly.newPlot("plot-" + name, traces, layout({ shapes: shades(data.alarms), annotations: notes(data.alarms),
      xaxis: { type: "date", range, gridcolor: grid } }), options);
  }
}

function drawChamber(data) {
  const place = document.getElementById("plots");
  data.channels.forEach((trace, i) => {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    const plot = document.createElement("div");
    caption.textContent = `${trace.title} [${trace.unit}] · ${trace.device}`;
    plot.className = "plot";
    figure.append(caption, plot);
    place.append(figure);
    Plotly.newPlot(plot, band({ ...trace, name: trace.name }, colours[i % 4]), layout({ showlegend: false }), options);
  });
}

async function draw() {
  const answer = await fetch(section.dataset.chart);
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const data = await answer.json();
  (section.dataset.kind === "batch" ? drawBatch : drawChamber)(data);
  state.textContent = "Times are UTC. The band spans minimum to maximum; holes are times without a value.";
  section.dataset.drawn = "true";
}

draw().catch((error) => { state.textContent = `Charts could not be drawn: ${error.message}. The tables below hold every number.`; });

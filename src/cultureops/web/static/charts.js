// Draws what the server worked out; every hole in the data stays a hole.
const section = document.querySelector("[data-chart]");
const state = section.querySelector(".chart-state");
const isNarrow = innerWidth < 600;
const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
const ink = isDark ? "#a3b5b1" : "#4d5f5c";
const grid = isDark ? "#2c3a37" : "#e3eae8";
const offsetMs = 60_000 * Number(section.dataset.offsetMin);
const local = (at) => (at === null ? null : at + offsetMs); // Plotly shows what it takes for UTC
const colours = isDark
  ? ["#6cc5be", "#f2c063", "#9dbbe0", "#cdb4ee", "#ff8a80"] : ["#0f6b6b", "#b06f00", "#3d5a80", "#6a4c93", "#b3261e"];
const options = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
// A new one each time: Plotly writes into what it is given.
const axis = (extra) => ({ gridcolor: grid, linecolor: grid, zeroline: false, tickfont: { color: ink }, ...extra });

function layout(extra) {
  return {
    margin: { l: 48, r: 48, t: 8, b: 36 }, paper_bgcolor: "transparent", plot_bgcolor: "transparent", hovermode: "x unified",
    hoverlabel: { bgcolor: isDark ? "#18211f" : "#ffffff", bordercolor: grid, font: { color: isDark ? "#e6eeec" : "#14211f" } },
    font: { color: ink, family: "system-ui, sans-serif" }, legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, showlegend: true, dragmode: "pan",
    xaxis: axis({ type: "date" }), yaxis: axis(), ...extra,
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
      for (const k of stretch) { x.push(local(data.x[k])); y.push(data.maximum[k]); }
      for (const k of stretch.reverse()) { x.push(local(data.x[k])); y.push(data.minimum[k]); }
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
    { x: data.x.map(local), y: data.mean, type: "scatter", mode: "lines", connectgaps: false, legendgroup: data.name, name,
      line: { color: colour, width: 1.6 }, hovertemplate: "%{y:.2f} " + data.unit },
  ];
}

function span(from, to, colour, opacity) {
  return { type: "rect", layer: "below", xref: "x", yref: "paper", x0: local(from), x1: local(to), y0: 0, y1: 1,
    fillcolor: colour, opacity, line: { width: 0 } };
}

function note(mark, at, text, colour, y) {
  return { x: local(at), y, xref: "x", yref: "paper", text: mark, hovertext: text, showarrow: false,
    font: { color: colour, size: 12 }, xanchor: "left", yanchor: "top", captureevents: true };
}

function marks(data) {
  const alarms = data.alarms, gaps = data.gaps;
  return {
    shapes: [...gaps.map((gap) => span(gap.from, gap.to, ink, 0.14)), ...alarms.map((alarm) => span(alarm.from, alarm.to, colours[4], 0.16))],
    annotations: [...alarms.map((alarm) => note(isNarrow ? "⚠" : "⚠ " + alarm.label, alarm.from, alarm.text, colours[4], 1)),
      ...gaps.map((gap) => note("∅", gap.from, gap.text, ink, 0.14))],
  };
}

function drawCulture(data, range) {
  const look = (key, name, colour, extra) => ({ ...data.culture[key], x: data.culture[key].x.map(local), name, type: "scatter",
    mode: "lines+markers", line: { color: colour, width: 1.6 }, marker: { size: 6, color: colour }, ...extra });
  const passages = data.passages.map((passage) => ({ type: "line", xref: "x", yref: "paper", x0: local(passage.at), x1: local(passage.at),
    y0: 0, y1: 1, line: { color: ink, width: 1, dash: "dot" } }));
  const names = data.passages.map((passage) => ({ ...note(isNarrow ? "" : passage.text, passage.at, passage.text, ink, 0.14),
    xanchor: "right", font: { color: ink, size: 11 } }));
  const traces = [look("confluence", "confluence [%]", colours[0])];
  if (data.culture.viability.x.length) traces.push(
    look("viability", "viability [%]", colours[1], { mode: "markers", marker: { size: 8, symbol: "square", color: colours[1] } }),
    look("viable_density", "viable density [×10⁶/mL]", colours[2],
      { mode: "markers", yaxis: "y2", marker: { size: 9, symbol: "diamond", color: colours[2] } }));
  Plotly.newPlot("plot-culture", traces, layout({
    shapes: passages, annotations: names, xaxis: axis({ type: "date", range }),
    yaxis: axis({ range: [0, 104] }), yaxis2: axis({ overlaying: "y", side: "right", rangemode: "tozero", showgrid: false }),
  }), options);
}

function drawBatch(data) {
  const traced = [...Object.values(data.environment).flat(), ...Object.values(data.culture)];
  const times = traced.flatMap((trace) => [trace.x[0], trace.x.at(-1)]).filter(Boolean);
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const range = () => (times.length ? [local(first), local(last + 0.015 * (last - first))] : undefined);
  drawCulture(data, range());
  for (const name of ["temperature", "co2"]) {
    const traces = data.environment[name].flatMap((trace, i) => band(trace, colours[i % 4]));
    Plotly.newPlot("plot-" + name, traces, layout({ ...marks(data), xaxis: axis({ type: "date", range: range() }) }), options);
  }
}

function drawChamber(data) {
  const place = document.getElementById("plots");
  const plots = data.channels.map((trace) => {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    const plot = document.createElement("div");
    caption.textContent = `${trace.title} [${trace.unit}] · ${trace.device}${trace.verified ? "" : " (unverified)"}`;
    plot.className = "plot";
    figure.append(caption, plot);
    place.append(figure);
    return plot;
  });
  data.channels.forEach((trace, i) => {
    Plotly.newPlot(plots[i], band(trace, colours[i % 4]), layout({
      showlegend: false, margin: { l: 48, r: 16, t: 8, b: 36 }, xaxis: axis({ type: "date", range: [local(data.from), local(data.to)] }) }), options);
  });
}

async function draw() {
  const answer = await fetch(section.dataset.chart);
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const data = await answer.json();
  (section.dataset.kind === "batch" ? drawBatch : drawChamber)(data);
  state.textContent = `Times are ${section.dataset.offset}. The band spans minimum to maximum; holes are times without a value. `
    + "Drag to move, pinch or use the buttons to zoom, double-click for all.";
  section.dataset.drawn = "true";
}

draw().catch((error) => { state.textContent = `Charts could not be drawn: ${error.message}. The tables below hold every number.`; });

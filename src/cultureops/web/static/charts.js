// Draws a batch: the culture with its forecast, and the air of exactly the chambers it stood in.
import { axis, band, colours, ink, isNarrow, layout, local, note, options, span } from "./plot.js";

const section = document.querySelector("[data-chart]");
const state = section.querySelector(".chart-state");

function marks(data) {
  return {
    shapes: [
      ...data.gaps.map((gap) => span(gap.from, gap.to, ink, 0.14)),
      ...data.alarms.map((alarm) => span(alarm.from, alarm.to, colours[4], 0.16)),
    ],
    annotations: [
      ...data.alarms.map((alarm) => note(isNarrow ? "⚠" : "⚠ " + alarm.label, alarm.from, alarm.text, colours[4], 1)),
      ...data.gaps.map((gap) => note("∅", gap.from, gap.text, ink, 0.14)),
    ],
  };
}

// A level that the recipe sets, from one time to another.
function level(y, from, to, colour) {
  return { type: "line", xref: "x", yref: "y", x0: local(from), x1: local(to), y0: y, y1: y,
    line: { color: colour, width: 1.2, dash: "dash" } };
}

// What is within 8 of 10 cases widens from the last look to the target: earliest up one side, latest down the other.
function fan(data) {
  const { pct, earliest, median, latest } = data.culture.fan;
  if (!pct.length) return [];
  return [
    { x: [...earliest.map(local), ...latest.map(local).reverse()], y: [...pct, ...[...pct].reverse()], type: "scatter",
      mode: "lines", fill: "toself", fillcolor: colours[0] + "2e", line: { width: 0 }, hoverinfo: "skip",
      name: "forecast, 8 of 10 cases" },
    { x: median.map(local), y: pct, type: "scatter", mode: "lines", name: "forecast",
      line: { color: colours[0], width: 1.6, dash: "dot" }, hovertemplate: "%{y:.0f} % expected" },
  ];
}

// One line for each passage: between two of them the cells were taken off.
function looks(seen) {
  const x = [], y = [], up = [], down = [], symbols = [];
  seen.x.forEach((at, i) => {
    if (i && seen.passage[i] !== seen.passage[i - 1]) for (const column of [x, y, up, down, symbols]) column.push(null);
    x.push(local(at));
    y.push(seen.y[i]);
    up.push(seen.high[i] === null ? 0 : Math.max(0, seen.high[i] - seen.y[i]));
    down.push(seen.low[i] === null ? 0 : Math.max(0, seen.y[i] - seen.low[i]));
    symbols.push(seen.unsure[i] ? "circle-open" : "circle");
  });
  return {
    x, y, name: "confluence [%]", type: "scatter", mode: "lines+markers", connectgaps: false,
    line: { color: colours[0], width: 1.6 }, marker: { size: 7, color: colours[0], symbol: symbols },
    error_y: { type: "data", symmetric: false, array: up, arrayminus: down, color: colours[0], thickness: 1, width: 3 },
  };
}

// Limits at one height share one line of words.
function named(limits) {
  const words = new Map();
  for (const { y, text } of limits) words.set(y, [...(words.get(y) ?? []), text]);
  return [...words].map(([y, texts]) => [y, texts.join("; ")]);
}

function drawCulture(data, range) {
  const { culture, passages, limits } = data;
  const counted = (key, name, colour, extra) => (
    { x: culture[key].x.map(local), y: culture[key].y, name, type: "scatter", mode: "markers", ...extra,
      marker: { size: 8, color: colour, ...extra.marker } });
  const traces = [looks(culture.confluence), ...fan(data)];
  const hasCounts = culture.viability.x.length > 0;
  if (hasCounts) traces.push(
    counted("viability", "viability [%]", colours[1], { marker: { symbol: "square" } }),
    counted("viable_density", "viable density [×10⁶/mL]", colours[2], { yaxis: "y2", marker: { symbol: "diamond", size: 9 } }));
  const drawn = limits.filter((limit) => limit.of === "confluence" || hasCounts);
  const ends = culture.fan.latest.length ? Math.max(data.to, culture.fan.latest.at(-1)) : data.to;
  Plotly.newPlot("plot-culture", traces, layout({
    shapes: [
      ...passages.map((passage) => ({ type: "line", xref: "x", yref: "paper", x0: local(passage.at), x1: local(passage.at),
        y0: 0, y1: 1, line: { color: ink, width: 1, dash: "dot" } })),
      ...drawn.map((limit) => level(limit.y, data.from, ends, limit.of === "confluence" ? colours[0] : colours[1])),
    ],
    annotations: [
      ...passages.map((passage) => ({ ...note(isNarrow ? "" : passage.text, passage.at, passage.text, ink, 0.14),
        xanchor: "right", font: { color: ink, size: 11 } })),
      ...named(drawn).map(([y, text]) => ({ x: 0, xref: "paper", y, yref: "y", text, showarrow: false,
        xanchor: "left", yanchor: "bottom", font: { color: ink, size: 11 } })),
    ],
    xaxis: axis({ type: "date", range: [range[0], Math.max(range[1], local(ends))] }),
    yaxis: axis({ range: [0, 104] }),
    yaxis2: axis({ overlaying: "y", side: "right", rangemode: "tozero", showgrid: false }),
  }), options);
}

function drawEnvironment(data, name, range) {
  const traces = data.environment[name];
  const place = document.getElementById("plot-" + name);
  if (!traces.some((trace) => trace.x.length)) {
    place.textContent = "No reading of it while the batch stood somewhere.";
    place.className = "calm";
    return;
  }
  // Where the recipe asks for other conditions (a cold room after an incubator) each has an axis of its own.
  const asked = [...new Set(traces.map((trace) => `${trace.low} ${trace.high}`))];
  const axisOf = (trace) => { const n = asked.indexOf(`${trace.low} ${trace.high}`); return n ? `y${n + 1}` : "y"; };
  const axes = Object.fromEntries(asked.map((_, n) => [n ? `yaxis${n + 1}` : "yaxis",
    axis({ domain: [n + 1 === asked.length ? 0 : 1 - (n + 0.92) / asked.length, 1 - n / asked.length] })]));
  const marked = marks(data);
  const limits = traces.flatMap((trace) => [trace.low, trace.high].filter((limit) => limit !== null)
    .map((limit) => ({ ...level(limit, trace.from, trace.to, colours[4]), yref: axisOf(trace) })));
  const drawn = traces.flatMap((trace, i) => band(trace, colours[i % 4]).map((part) => ({ ...part, yaxis: axisOf(trace) })));
  Plotly.newPlot(place, drawn, layout({
    ...marked, ...axes, shapes: [...marked.shapes, ...limits],
    xaxis: axis({ type: "date", range, anchor: asked.length > 1 ? `y${asked.length}` : "y" }),
  }), options);
}

async function draw() {
  const answer = await fetch(section.dataset.chart);
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const data = await answer.json();
  // From when the batch was opened: a chart without a value still shows its own time, not the year 2000.
  const range = [local(data.from), local(data.to + 0.015 * (data.to - data.from))];
  drawCulture(data, range);
  for (const name of ["temperature", "co2"]) drawEnvironment(data, name, range);
  state.textContent = `Times are ${section.dataset.offset}. The band spans minimum to maximum; holes are times without a value. `
    + "Drag to move, pinch or use the buttons to zoom, double-click for all.";
  section.dataset.drawn = "true";
}

// A plot in a folded section has no width; it is drawn to the right one when it is opened.
for (const part of document.querySelectorAll("details.part")) {
  part.addEventListener("toggle", () => {
    if (part.open) for (const plot of part.querySelectorAll(".js-plotly-plot")) Plotly.Plots.resize(plot);
  });
}

draw().catch((error) => { state.textContent = `Charts could not be drawn: ${error.message}. The tables below hold every number.`; });

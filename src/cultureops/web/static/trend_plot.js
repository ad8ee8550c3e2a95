// Draws a chamber's curves above each other and, below them on the same time, what happened and who stood in it.
import { axis, colours, ink, isNarrow, layout, local, options, outline, plain } from "./plot.js";

const RED = colours[4];
const AMBER = colours[1];
const MOST_SHAPES = 120;
const CURVE_PX = isNarrow ? 150 : 170;
const LANE_PX = 30;
const LEFT = isNarrow ? 72 : 110;
const TIME = { type: "date", fixedrange: true, tickangle: 0, nticks: isNarrow ? 4 : 10 };
const quiet = { ...options, displayModeBar: false, doubleClick: false };

const range = (view) => [local(view.from), local(view.to)];
const place = (i) => (i ? `y${i + 1}` : "y");

export const edges = { left: LEFT, right: 16 };

function heading(channel) {
  const marks = [channel.verified ? "" : "unverified", channel.simulated ? "simulated" : ""].filter(Boolean).join(", ");
  return plain(`${channel.title} [${channel.unit}] · ${channel.device}${marks ? ` · ${marks}` : ""}`);
}

// From the lowest to the highest that is seen, and limits and setpoints that are near.
function heights(channel, view, levels) {
  let low = Infinity, high = -Infinity;
  channel.x.forEach((at, i) => {
    if (at < view.from || at > view.to || channel.minimum[i] === null) return;
    low = Math.min(low, channel.minimum[i]);
    high = Math.max(high, channel.maximum[i]);
  });
  if (low > high) return undefined;
  const least = 10 * 10 ** -channel.decimals;
  const spread = Math.max(high - low, least);
  for (const level of levels) if (level > low - spread && level < high + spread) [low, high] = [Math.min(low, level), Math.max(high, level)];
  const middle = (low + high) / 2, half = 0.65 * Math.max(high - low, least);
  return [middle - half, middle + half];
}

function traces(channel, i, settings) {
  const colour = colours[i % 4], yaxis = place(i);
  const line = { type: "scatter", mode: "lines", xaxis: "x", yaxis, connectgaps: false };
  const setting = settings.filter((row) => row.channel === channel.channel);
  return [
    { ...line, ...outline(channel), fill: "toself", fillcolor: colour + "38", line: { width: 0.7, color: colour + "80" }, hoverinfo: "skip" },
    { ...line, x: setting.flatMap((row) => [local(row.from), local(row.to), null]),
      y: setting.flatMap((row) => [row.value, row.value, null]), line: { color: ink, width: 1, dash: "dot" }, hoverinfo: "skip" },
    { ...line, x: channel.x.map(local), y: channel.mean, name: plain(channel.title), line: { color: colour, width: 1.6 },
      customdata: channel.x.map((_, k) => [channel.minimum[k], channel.maximum[k]]),
      hovertemplate: `%{y:.${channel.decimals + 1}f} ${plain(channel.unit)} (%{customdata[0]} to %{customdata[1]})` },
  ];
}

function shapes(channels, marks, view, now) {
  const found = [];
  const across = (mark, yref, fillcolor, opacity) => found.push({ type: "rect", layer: "below", xref: "x", yref, x0: local(mark.from),
    x1: local(mark.to ?? now), y0: 0, y1: 1, fillcolor, opacity, line: { width: 0 } });
  channels.forEach((channel, i) => {
    const own = (rows) => rows.filter((row) => row.channel === channel.channel).slice(-MOST_SHAPES);
    for (const alarm of own(marks.alarms)) across(alarm, `${place(i)} domain`, RED, 0.16);
    const limits = own(marks.limits), named = new Map(limits.map((limit) => [limit.value, limit]));
    for (const limit of limits) found.push({ type: "line", xref: "x", yref: place(i), x0: local(limit.from),
      x1: local(limit.from < view.to ? Math.min(limit.to, view.to) : limit.to), // so that its name is seen
      y0: limit.value, y1: limit.value, line: { color: RED, width: 1, dash: "dash" },
      label: { text: isNarrow || named.get(limit.value) !== limit ? "" : plain(limit.text), textposition: "end", font: { size: 10, color: RED } } });
  });
  for (const state of marks.states.slice(-MOST_SHAPES)) across(state, "paper", AMBER, 0.14);
  return found;
}

// Curves: one above the other, all on one time.
export function drawCurves(element, channels, marks, view, now) {
  const count = Math.max(1, channels.length), gap = 0.34 / count / 2;
  const axes = {}, headings = [];
  channels.forEach((channel, i) => {
    const top = 1 - i / count - gap / 1.2, bottom = 1 - (i + 1) / count;
    const levels = [...marks.limits, ...marks.settings].filter((row) => row.channel === channel.channel).map((row) => row.value);
    axes[i ? `yaxis${i + 1}` : "yaxis"] = axis({ domain: [bottom, top], range: heights(channel, view, levels), fixedrange: true, nticks: 5 });
    headings.push({ x: 0, y: top, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom", showarrow: false,
      text: heading(channel), font: { color: colours[i % 4], size: 13 } });
  });
  element.style.height = `${count * CURVE_PX + 40}px`;
  return Plotly.react(element, channels.flatMap((channel, i) => traces(channel, i, marks.settings)), layout({
    ...axes, annotations: headings, shapes: shapes(channels, marks, view, now), showlegend: false, dragmode: false, hoversubplots: "axis",
    margin: { l: LEFT, r: edges.right, t: 6, b: 34 },
    xaxis: axis({ ...TIME, range: range(view), anchor: place(count - 1), side: "bottom" }),
  }), quiet);
}

function lane(name, rows, colour, now) {
  return { type: "bar", orientation: "h", y: rows.map(() => plain(name, 24)), base: rows.map((row) => local(row.from)),
    x: rows.map((row) => Math.max(1, (row.to ?? now) - row.from)), hovertext: rows.map((row) => plain(row.text)), hoverinfo: "text",
    marker: { color: colour, line: { color: colour, width: 1 } }, width: 0.62, textposition: "none" };
}

// Lanes: alarms, missing values, doors, events, and a lane for each batch.
export function drawLanes(element, marks, view, now) {
  const batches = new Map();
  for (const stay of marks.stays) batches.set(stay.batch, [...(batches.get(stay.batch) ?? []), { ...stay, text: `${stay.batch}: ${stay.vessels}` }]);
  const rows = [
    ...[...batches].reverse().map(([batch, stays]) => lane(batch, stays, colours[2], now)),
    lane("State", marks.states, AMBER, now), lane("No value", marks.gaps, ink, now), lane("⚠ Alarm", marks.alarms, RED, now),
  ];
  rows.push({ type: "scatter", mode: "markers", y: marks.events.map(() => "Event"), x: marks.events.map((event) => local(event.at)),
    hovertext: marks.events.map((event) => plain(event.text)), hoverinfo: "text", marker: { symbol: "diamond", size: 9, color: colours[3] } });
  const names = [...[...batches.keys()].reverse().map((name) => plain(name, 24)), "Event", "State", "No value", "⚠ Alarm"];
  element.style.height = `${names.length * LANE_PX + 16}px`;
  return Plotly.react(element, rows, layout({
    showlegend: false, dragmode: false, hovermode: "closest", barmode: "overlay", margin: { l: LEFT, r: edges.right, t: 4, b: 8 },
    xaxis: axis({ ...TIME, range: range(view), showticklabels: false }),
    yaxis: axis({ type: "category", categoryorder: "array", categoryarray: names, range: [-0.5, names.length - 0.5], fixedrange: true,
      tickfont: { color: ink, size: isNarrow ? 10 : 12 } }),
  }), quiet);
}

export function show(elements, view) {
  for (const element of elements) if (element.layout) Plotly.relayout(element, { "xaxis.range": range(view) });
}

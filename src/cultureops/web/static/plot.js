// What every chart here shares: the colours of the page, the look of an axis, bands, spans and notes for Plotly.
export const isNarrow = innerWidth < 600;
export const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
export const ink = isDark ? "#a3b5b1" : "#4d5f5c";
export const grid = isDark ? "#2c3a37" : "#e3eae8";
export const colours = isDark
  ? ["#6cc5be", "#f2c063", "#9dbbe0", "#cdb4ee", "#ff8a80"]
  : ["#0f6b6b", "#b06f00", "#3d5a80", "#6a4c93", "#b3261e"];
export const options = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };

const placed = document.querySelector("[data-offset-min]");
const offsetMs = 60_000 * Number(placed ? placed.dataset.offsetMin : 0);

// Plotly shows what it is given as UTC, so the site's offset is added before.
export const local = (at) => (at === null ? null : at + offsetMs);
export const utc = (shown) => shown - offsetMs;

// Plotly reads some HTML in texts; a name is a name, and a long one is cut.
export function plain(text, longest = 160) {
  const whole = String(text);
  const short = whole.length > longest ? whole.slice(0, longest - 1) + "…" : whole;
  return short.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

// A new one each time: Plotly writes into what it is given.
export const axis = (extra) => (
  { gridcolor: grid, linecolor: grid, zeroline: false, tickfont: { color: ink }, ...extra }
);

export function layout(extra) {
  return {
    margin: { l: 48, r: 48, t: 8, b: 36 },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    hovermode: "x unified",
    hoverlabel: {
      bgcolor: isDark ? "#18211f" : "#ffffff",
      bordercolor: grid,
      font: { color: isDark ? "#e6eeec" : "#14211f" },
    },
    font: { color: ink, family: "system-ui, sans-serif" },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom" },
    showlegend: true,
    dragmode: "pan",
    xaxis: axis({ type: "date" }),
    yaxis: axis(),
    ...extra,
  };
}

// Plotly fills across holes, so each stretch with values is an outline of its own.
export function outline(data) {
  const x = [], y = [];
  let from = 0;
  for (let i = 0; i <= data.x.length; i += 1) {
    if (i < data.x.length && data.minimum[i] !== null) continue;
    if (i > from) {
      for (let k = from; k < i; k += 1) { x.push(local(data.x[k])); y.push(data.maximum[k]); }
      for (let k = i - 1; k >= from; k -= 1) { x.push(local(data.x[k])); y.push(data.minimum[k]); }
      x.push(null);
      y.push(null);
    }
    from = i + 1;
  }
  return { x, y };
}

// A channel as its mean within the band from minimum to maximum: two traces.
export function band(data, colour) {
  const name = data.name + (data.verified ? "" : " (unverified)") + (data.simulated ? " (sim)" : "");
  return [
    {
      ...outline(data), type: "scatter", mode: "lines", fill: "toself", fillcolor: colour + "38",
      line: { width: 0 }, hoverinfo: "skip", showlegend: false, legendgroup: data.name,
    },
    {
      x: data.x.map(local), y: data.mean, type: "scatter", mode: "lines", connectgaps: false,
      legendgroup: data.name, name, line: { color: colour, width: 1.6 }, hovertemplate: "%{y:.2f} " + data.unit,
    },
  ];
}

export function span(from, to, colour, opacity) {
  return {
    type: "rect", layer: "below", xref: "x", yref: "paper", x0: local(from), x1: local(to), y0: 0, y1: 1,
    fillcolor: colour, opacity, line: { width: 0 },
  };
}

export function note(mark, at, text, colour, y) {
  return {
    x: local(at), y, xref: "x", yref: "paper", text: mark, hovertext: text, showarrow: false,
    font: { color: colour, size: 12 }, xanchor: "left", yanchor: "top", captureevents: true,
  };
}

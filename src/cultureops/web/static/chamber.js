// A chamber's trend: what is here is moved and drawn at once, what is missing is asked for while the hand moves.
import { Curves } from "./trend_data.js";
import { watch } from "./gestures.js";
import { drawCurves, drawLanes, edges, show } from "./trend_plot.js";

const section = document.getElementById("trend");
const state = section.querySelector(".chart-state");
const plots = document.getElementById("curves");
const clock = document.getElementById("now");
const told = document.getElementById("window");
const written = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short", timeZone: document.body.dataset.zone });
const SPAN_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const SHORTEST_MS = 10_000;
const LONGEST_MS = 400 * 86_400_000;
const ASK_AFTER_MS = 70;
const SETTLE_AFTER_MS = 450;
const FOLLOW_EVERY_MS = 3_000;
const TABLES_EVERY_MS = 30_000;
const nothing = { alarms: [], limits: [], settings: [], states: [], gaps: [], events: [], stays: [] };

const curves = new Curves(section.dataset.trend);
const [curvePlot, lanePlot] = [document.createElement("div"), document.createElement("div")];
let view = { from: Number(section.dataset.from), to: Number(section.dataset.to) };
let span = section.dataset.span;
let marks = nothing;
let asking = null, asked = 0, settling = 0, drawing = 0;

const labNow = () => Math.max(curves.now, Date.parse(clock.dateTime));
const spanMs = (name) => Number.parseInt(name, 10) * SPAN_MS[name.at(-1)];
const query = () => (span ? `span=${span}` : `from=${new Date(view.from).toISOString()}&to=${new Date(view.to).toISOString()}`);
const pixels = () => Math.max(100, plots.clientWidth - edges.left - edges.right);

function say(text) {
  if (state.textContent !== text) state.textContent = text;
}

// The window in words: at once, as the hand moves.
function tell() {
  const stamp = (at) => {
    const time = document.createElement("time");
    time.dateTime = new Date(at).toISOString();
    time.textContent = written.format(at);
    return time;
  };
  told.replaceChildren(stamp(view.from), " to ", stamp(view.to), span ? ", up to now" : "");
}

function redraw() {
  tell();
  const channels = curves.channels(view, pixels());
  return Promise.all([drawCurves(curvePlot, channels, marks, view, labNow()), drawLanes(lanePlot, marks, view, labNow())]).then(() => {
    const widths = channels.map((channel) => channel.width_ms).filter(Boolean);
    say(channels.length
      ? `Times are ${section.dataset.offset}. The band spans minimum to maximum in stretches of ${spoken(Math.min(...widths))}; holes are times `
        + "without a value. Drag to move, pinch or hold Ctrl and turn the wheel to zoom, or use the keys and buttons."
      : "No instrument measures in this chamber.");
    Object.assign(section.dataset, { drawn: "true", from: Math.round(view.from), to: Math.round(view.to), span });
  });
}

function spoken(ms) {
  if (!Number.isFinite(ms)) return "nothing";
  if (ms < 60_000) return `${ms / 1000} s`;
  if (ms < 3_600_000) return `${ms / 60_000} min`;
  return `${ms / 3_600_000} h`;
}

// One question at a time: a newer one overtakes it.
async function ask(isForced = false) {
  if (!isForced && curves.shows(view, pixels())) return;
  asking?.abort();
  const mine = (asking = new AbortController());
  try {
    await curves.ask(curves.around(view, pixels()), mine.signal);
    if (asking === mine) await redraw();
  } catch (error) {
    if (error.name !== "AbortError") say(`Curves could not be fetched: ${error.message}. The tables below hold the figures.`);
  }
}

async function askMarks() {
  const wanted = query();
  const around = curves.around(view, 1);
  const answer = await fetch(`${section.dataset.marks}?from=${around.from}&to=${around.to}`);
  if (!answer.ok || wanted !== query()) return;
  marks = await answer.json();
  await redraw();
}

// The tables and links of the window, as the server writes them.
async function refreshTables() {
  const wanted = query();
  const answer = await fetch(`${section.dataset.page}?${wanted}`);
  if (!answer.ok || wanted !== query()) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-window][id]")) {
    const next = fresh.getElementById(part.id);
    const isRead = part.contains(document.activeElement) || part.querySelector("details[open]");
    if (next && !isRead && next.outerHTML !== part.outerHTML) part.replaceWith(document.adoptNode(next));
  }
  for (const link of section.querySelectorAll("[data-move]")) {
    const next = fresh.querySelector(`[data-move="${link.dataset.move}"]`);
    if (next) link.href = next.getAttribute("href");
  }
}

function settle({ isKept = true } = {}) {
  clearTimeout(settling);
  settling = setTimeout(() => {
    if (isKept && location.search !== `?${query()}`) history.pushState(null, "", `?${query()}`);
    for (const link of section.querySelectorAll(".spans a")) {
      if (link.dataset.span === span) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    for (const work of [ask(), askMarks(), refreshTables()]) work.catch(() => {}); // the next move asks again
  }, SETTLE_AFTER_MS);
}

// Show a window at once, out of what is here, and ask for what is missing.
function go(from, to, { isKept = true } = {}) {
  const length = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, to - from));
  const end = Math.min(Math.max(to, length), Math.max(labNow(), view.to));
  view = { from: Math.max(0, end - length), to: end };
  drawing ||= requestAnimationFrame(() => { drawing = 0; tell(); show([curvePlot, lanePlot], view); });
  clearTimeout(asked);
  asked = setTimeout(() => { redraw(); ask(); }, ASK_AFTER_MS);
  settle({ isKept });
}

const pan = (share) => { span = ""; const by = share * (view.to - view.from); go(view.from + by, view.to + by); };
function zoom(factor, share) {
  span = "";
  const length = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, factor * (view.to - view.from)));
  const middle = view.from + share * (view.to - view.from);
  go(middle - share * length, middle + (1 - share) * length);
}
function follow(name, kept) {
  span = name;
  go(labNow() - spanMs(name), labNow(), kept);
}

section.addEventListener("click", (event) => {
  const link = event.target.closest("[data-move], [data-span]");
  if (!link || link === section || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const moves = { earlier: () => pan(-0.5), later: () => pan(0.5), in: () => zoom(0.5, 0.5), out: () => zoom(2, 0.5) };
  if (link.dataset.move) moves[link.dataset.move]();
  else follow(link.dataset.span);
});
addEventListener("popstate", () => {
  const said = new URLSearchParams(location.search);
  const [from, to] = [Date.parse(said.get("from")), Date.parse(said.get("to"))];
  span = "";
  if (Number.isFinite(from) && Number.isFinite(to)) go(from, to, { isKept: false });
  else follow(said.get("span") ?? "24h", { isKept: false });
});

// As lab time goes on a window that ends now goes with it, once it is a pixel or two behind.
let following = false;
let tablesAt = performance.now();
async function keepUp() {
  const late = labNow() - view.to;
  if (!span || following || document.hidden || late < Math.max(1_000, spanMs(span) / 1_000)) return;
  following = true;
  view = { from: labNow() - spanMs(span), to: labNow() };
  curves.age();
  const isTime = performance.now() - tablesAt > TABLES_EVERY_MS;
  if (isTime) tablesAt = performance.now();
  await Promise.allSettled([ask(true), askMarks(), isTime ? refreshTables() : null]);
  setTimeout(() => { following = false; }, FOLLOW_EVERY_MS);
}
new MutationObserver(keepUp).observe(clock, { attributeFilter: ["datetime"] });

async function begin() {
  plots.hidden = false;
  plots.append(curvePlot, lanePlot);
  watch(plots, { pan, zoom, home: () => follow(span || "24h") });
  curves.now = labNow();
  await ask(true);
  await askMarks();
  // The coarse whole, so that wherever a hand goes something is there.
  const whole = { from: Math.max(0, Math.round(labNow() - 62 * SPAN_MS.d)), to: Math.round(labNow()), points: 600 };
  await curves.ask(whole, undefined);
  section.dataset.whole = "true";
}
begin().catch((error) => say(`Curves could not be drawn: ${error.message}. The tables below hold the figures.`));

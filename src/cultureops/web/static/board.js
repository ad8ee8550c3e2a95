// Keeps a page alive: values, ages and marks in place as the lab says them; sections anew when facts change.
import { isLive, on, open } from "./live.js";
import { refresh, refreshSoon } from "./sections.js";

const clock = document.getElementById("now");
const pace = document.getElementById("pace");
const places = new Map([...document.querySelectorAll("[data-channel]")].map((place) => [place.dataset.channel, partsOf(place)]));
const setpoints = new Map([...document.querySelectorAll("[data-setpoint]")].map((place) => [place.dataset.setpoint, place]));
const written = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short", timeZone: document.body.dataset.zone });
const REFRESH_MS = 60_000;
const here = location.pathname.split("/").map(decodeURIComponent);
const ownBatch = here[1] === "batches" ? here[2] : undefined;
const ownChamber = here[1] === "chambers" ? here[2] : undefined;
let toldNow = Date.parse(clock.dateTime);
let heardAt = performance.now();
let knownAlarms;

function partsOf(place) {
  const find = (name) => place.querySelector(`.${name}`);
  const chamber = place.closest("[data-chamber]")?.dataset.chamber;
  return { place, chamber, value: find("value"), quality: find("quality"), reason: find("reason"), age: find("age") };
}

// What is the same already costs no layout: a board has hundreds of these, told each second.
function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

function mark(place, name, value) {
  const text = String(value);
  if (place.dataset[name] !== text) place.dataset[name] = text;
}

// Between messages lab time goes on as real time does, unless a demo paces it and still answers.
function labNow() {
  const rate = isLive() ? Number(document.body.dataset.rate) : 1;
  return toldNow + rate * (performance.now() - heardAt);
}

function spoken(ageMs) {
  const seconds = Math.max(0, Math.round(ageMs / 1000));
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}

function showTime() {
  const now = labNow();
  write(clock, written.format(now));
  // What a gateway reads that is out of reach is old from then on, however young its last value is.
  const away = new Set([...document.querySelectorAll("[data-away]")].map((one) => one.dataset.away));
  for (const { place, chamber, age } of places.values()) {
    const at = Number(place.dataset.at);
    const isStale = !at || away.has(chamber) || now - at > 3 * Number(place.dataset.period);
    mark(place, "stale", isStale);
    const said = at ? (isStale ? "stale, " : "") + spoken(now - at) : "never read";
    if (age) write(age, said);
    else if (place.title !== said) place.title = said;
  }
}

function stateText(place, value) {
  if (value === null) return `${place.dataset.title}: no value`;
  if (place.dataset.on) return value ? place.dataset.on : place.dataset.off;
  return `${place.dataset.title} ${value.toFixed(Number(place.dataset.decimals))}`;
}

function show([channel, value, quality, reason, at]) {
  const setpoint = setpoints.get(channel);
  if (setpoint) write(setpoint, value === null ? "–" : value.toFixed((setpoint.textContent.split(".")[1] ?? "").length));
  const parts = places.get(channel);
  if (!parts) return;
  const { place } = parts;
  mark(place, "quality", quality);
  mark(place, "at", at);
  if (place.dataset.title) {
    write(parts.value, stateText(place, value));
    mark(place, "noticed", place.dataset.on !== undefined && value !== null && Number(Boolean(value)) === Number(place.dataset.noticedAt));
    return;
  }
  write(parts.value, value === null ? "–" : value.toFixed(Number(place.dataset.decimals)));
  write(parts.quality, quality);
  write(parts.reason, reason);
}

function isOurs(alarm) {
  if (ownBatch !== undefined) return alarm.batch_ids.includes(ownBatch);
  return ownChamber === undefined || alarm.chamber === ownChamber;
}

function showAlarms(alarms) {
  document.dispatchEvent(new CustomEvent("alarms", { detail: alarms }));
  const wanted = alarms.filter(isOurs).map((alarm) => alarm.rule_id + alarm.state + alarm.raised_at + alarm.batch_ids).sort().join();
  if (knownAlarms !== wanted) refreshSoon("alarms");
  knownAlarms = wanted;
  const ringing = new Set(alarms.map((alarm) => alarm.chamber));
  for (const card of document.querySelectorAll("[data-chamber]")) {
    mark(card, "alarm", ringing.has(card.dataset.chamber));
    card.querySelector(".alarm-flag").hidden = !ringing.has(card.dataset.chamber);
  }
}

function showProgress() {
  if (!pace?.dataset.until) return;
  const left = Number(pace.dataset.until) - toldNow;
  if (left <= 0) return location.reload();
  const done = Math.max(0, 100 - (100 * left) / Number(pace.dataset.total));
  document.getElementById("fast").value = done;
  document.getElementById("fast-pct").textContent = `${Math.round(done)} %`;
}

// The last hours are drawn on the server; each drawing stays good for ten minutes.
async function showSparks() {
  const drawn = [...places.values()].filter(({ place }) => place.classList.contains("measure"));
  if (!drawn.length || document.hidden) return;
  const answer = await fetch("/board/sparks");
  if (!answer.ok) return;
  const sparks = await answer.json();
  for (const { place } of drawn) {
    const spark = sparks[place.dataset.channel];
    const old = place.querySelector(".spark");
    if (!spark || old?.dataset.drawn === spark) continue;
    const next = new DOMParser().parseFromString(spark, "text/html").querySelector("svg");
    next.dataset.drawn = spark;
    if (old) old.replaceWith(next);
    else place.querySelector(".figure").after(next);
  }
}

function hear(said) {
  toldNow = said.now_ms;
  heardAt = performance.now();
  if (clock.dateTime !== said.now) clock.dateTime = clock.title = said.now;
  said.readings?.forEach(show);
  showTime();
  showProgress();
}

let wasLost = false;
on("readings", hear);
on("still", hear);
on("alarms", ({ alarms }) => showAlarms(alarms));
on("batches", ({ batch_ids }) => { if (ownBatch === undefined || batch_ids.includes(ownBatch)) refreshSoon("batches"); });
on("behind", () => refreshSoon());
on("open", () => { if (wasLost) refreshSoon(); wasLost = false; });
on("lost", () => {
  wasLost = true;
  toldNow = labNow();
  heardAt = performance.now();
});
open();
setInterval(showTime, 1000);
setInterval(() => {
  if (document.hidden || !isLive()) return;
  refresh();
  showSparks().catch(() => {});
}, REFRESH_MS);
showTime();

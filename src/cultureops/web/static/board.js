// Keeps a page alive: patches values in place as the lab says them, and takes sections anew when facts change.
const link = document.getElementById("link");
const clock = document.getElementById("now");
const pace = document.getElementById("pace");
const places = new Map([...document.querySelectorAll("[data-channel]")].map((place) => [place.dataset.channel, place]));
const setpoints = new Map([...document.querySelectorAll("[data-setpoint]")].map((place) => [place.dataset.setpoint, place]));
const written = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short", timeZone: document.body.dataset.zone });
const REFRESH_MS = 60_000;
let toldNow = Date.parse(clock.dateTime);
let heardAt = performance.now();

// Between messages lab time goes on as real time does, unless a demo paces it and still answers.
function labNow() {
  const rate = link.dataset.state === "live" ? Number(document.body.dataset.rate) : 1;
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
  clock.textContent = written.format(now);
  for (const place of places.values()) {
    const at = Number(place.dataset.at);
    const isStale = !at || now - at > 3 * Number(place.dataset.period);
    place.dataset.stale = String(isStale);
    const age = place.querySelector(".age");
    if (age) age.textContent = at ? (isStale ? "stale, " : "") + spoken(now - at) : "never read";
    else place.title = (isStale ? "stale, " : "") + (at ? spoken(now - at) : "never read");
  }
}

function stateText(place, value) {
  if (value === null) return `${place.dataset.title}: no value`;
  if (place.dataset.on) return value ? place.dataset.on : place.dataset.off;
  return `${place.dataset.title} ${value.toFixed(Number(place.dataset.decimals))}`;
}

function show([channel, value, quality, reason, at]) {
  if (channel.startsWith("batch:")) refreshSoon();
  const setpoint = setpoints.get(channel);
  if (setpoint) setpoint.textContent = value === null ? "–" : value.toFixed((setpoint.textContent.split(".")[1] ?? "").length);
  const place = places.get(channel);
  if (!place) return;
  const shown = place.querySelector(".value");
  place.dataset.quality = quality;
  place.dataset.at = at;
  if (place.dataset.title) {
    shown.textContent = stateText(place, value);
    place.dataset.noticed = String(place.dataset.on !== undefined && value !== null && Number(Boolean(value)) === Number(place.dataset.noticedAt));
    return;
  }
  shown.textContent = value === null ? "–" : value.toFixed(Number(place.dataset.decimals));
  place.querySelector(".quality").textContent = quality;
  place.querySelector(".reason").textContent = reason;
}

function showAlarms(alarms) {
  const wanted = alarms.map((alarm) => alarm.rule_id + alarm.state + alarm.batch_ids).sort().join();
  if (showAlarms.known !== wanted) refreshSoon();
  showAlarms.known = wanted;
  const ringing = new Set(alarms.map((alarm) => alarm.chamber));
  for (const card of document.querySelectorAll("[data-chamber]")) {
    const rings = ringing.has(card.dataset.chamber);
    card.dataset.alarm = String(rings);
    card.querySelector(".alarm-flag").hidden = !rings;
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

// A section in which somebody writes is left alone, and says that it is behind.
function isInUse(section) {
  const fields = [...section.querySelectorAll("input:not([type=hidden]), select")];
  return section.querySelector("details[open]") !== null || fields.some((field) => field === document.activeElement
    || (field.value !== field.defaultValue && field.defaultValue !== undefined) || field.checked !== field.defaultChecked);
}

async function refresh() {
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const section of document.querySelectorAll("[data-live][id]")) {
    const next = fresh.getElementById(section.id);
    if (!next || next.outerHTML === section.outerHTML) continue;
    const isHeld = isInUse(section);
    const changed = section.id === "alarms" && document.getElementById("alarms-changed");
    if (changed) changed.hidden = !isHeld;
    if (!isHeld) section.replaceWith(document.adoptNode(next));
  }
  for (const next of fresh.querySelectorAll(".measure .spark")) {
    const place = places.get(next.closest("[data-channel]").dataset.channel);
    const old = place?.querySelector(".spark");
    if (old) old.replaceWith(document.adoptNode(next));
    else place?.querySelector(".figure").after(document.adoptNode(next));
  }
}

let waiting = 0;
function refreshSoon() {
  waiting ||= setTimeout(() => {
    waiting = 0;
    refresh().catch(() => {}); // the link says that nobody answers
  }, 300);
}

const source = new EventSource("/stream");
source.addEventListener("readings", (event) => {
  const said = JSON.parse(event.data);
  toldNow = said.now_ms;
  heardAt = performance.now();
  clock.dateTime = clock.title = said.now;
  said.readings.forEach(show);
  showTime();
  showProgress();
});
source.addEventListener("alarms", (event) => showAlarms(JSON.parse(event.data).alarms));
source.onopen = () => { link.dataset.state = "live"; link.textContent = "live"; };
source.onerror = () => {
  toldNow = labNow();
  heardAt = performance.now();
  link.dataset.state = "lost";
  link.textContent = "not live: no answer";
};
setInterval(showTime, 1000);
setInterval(() => { if (!document.hidden && link.dataset.state === "live") refreshSoon(); }, REFRESH_MS);
showTime();

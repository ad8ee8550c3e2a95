// Keeps the board alive: patches values in place as the lab says them.
const link = document.getElementById("link");
const clock = document.getElementById("now");
const places = new Map([...document.querySelectorAll("[data-channel]")].map((place) => [place.dataset.channel, place]));
let labNow = Date.parse(clock.dateTime);
let heardAt = performance.now();

function spoken(ageMs) {
  const seconds = Math.max(0, Math.round(ageMs / 1000));
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}

function showAges() {
  const now = labNow + (link.dataset.state === "live" ? 0 : performance.now() - heardAt);
  for (const place of places.values()) {
    const at = Number(place.dataset.at);
    const isStale = !at || now - at > 3 * Number(place.dataset.period);
    place.dataset.stale = String(isStale);
    const age = place.querySelector(".age");
    if (age) age.textContent = at ? (isStale ? "stale, " : "") + spoken(now - at) : "never read";
  }
}

function show([channel, value, quality, reason, at]) {
  const place = places.get(channel);
  if (!place) return;
  const shown = place.querySelector(".value");
  place.dataset.quality = quality;
  place.dataset.at = at;
  if (value === null) shown.textContent = "–";
  else if (place.dataset.on) {
    shown.textContent = value ? place.dataset.on : place.dataset.off;
    place.dataset.lit = String(Boolean(value) !== (channel.endsWith("/mains")));
  } else shown.textContent = value.toFixed(Number(place.dataset.decimals));
  const word = place.querySelector(".quality");
  if (word) {
    word.textContent = quality;
    place.querySelector(".reason").textContent = reason;
  }
}

function showAlarms(alarms) {
  const count = document.getElementById("alarm-count");
  const wanted = alarms.map((alarm) => alarm.rule_id + alarm.state).sort().join();
  if (count) {
    const list = document.getElementById("alarms");
    const changed = document.getElementById("alarms-changed");
    if (showAlarms.known !== undefined && showAlarms.known !== wanted) {
      changed.hidden = false;
      if (!list || !list.contains(document.activeElement)) location.reload();
    }
    count.textContent = alarms.length;
  }
  showAlarms.known = wanted;
  const ringing = new Set(alarms.map((alarm) => alarm.chamber));
  for (const card of document.querySelectorAll("[data-chamber]")) {
    const rings = ringing.has(card.dataset.chamber);
    card.dataset.alarm = String(rings);
    card.querySelector(".alarm-flag").hidden = !rings;
  }
}

const written = new Intl.DateTimeFormat("sv-SE", {
  dateStyle: "short", timeStyle: "short", timeZone: document.querySelector(".clock small").textContent.trim(),
});
const source = new EventSource("/stream");
source.addEventListener("readings", (event) => {
  const said = JSON.parse(event.data);
  labNow = said.now_ms;
  heardAt = performance.now();
  clock.dateTime = clock.title = said.now;
  clock.textContent = written.format(said.now_ms);
  said.readings.forEach(show);
  showAges();
});
source.addEventListener("alarms", (event) => showAlarms(JSON.parse(event.data).alarms));
source.onopen = () => { link.dataset.state = "live"; link.textContent = "live"; };
source.onerror = () => { link.dataset.state = "lost"; link.textContent = "not live: no answer"; heardAt = performance.now(); };
setInterval(() => { if (performance.now() - heardAt > 1500) showAges(); }, 1000);
showAges();

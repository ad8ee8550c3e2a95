// Counts the running clocks of a batch on, second by second, from the times the server told. The alarms have clocks of
// their own: what stands here is for reading only.
const shown = document.getElementById("now");
const UNITS = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1_000, "s"]];
const WORDS = { ok: "within the limit", warning: "warning: most of it is used up", over: "over the limit" };
let told = { text: shown.dateTime, at: performance.now() };

// Lab time goes on from what the page was last told; where lab time runs at a pace of its own it is told only.
function labNow() {
  if (shown.dateTime !== told.text) told = { text: shown.dateTime, at: performance.now() };
  return Date.parse(told.text) + Number(document.body.dataset.rate) * (performance.now() - told.at);
}

// As spoken() in web/batch_clock.py.
function spoken(lengthMs) {
  const whole = Math.floor(Math.abs(lengthMs) / 1000) * 1000;
  for (let i = 0; i < UNITS.length - 1; i += 1) {
    const [unit, name] = UNITS[i], [next, smaller] = UNITS[i + 1];
    if (whole >= unit) return `${Math.floor(whole / unit)} ${name} ${String(Math.floor((whole % unit) / next)).padStart(2, "0")} ${smaller}`;
  }
  return `${whole / 1000} s`;
}

function say(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function count() {
  const now = labNow();
  for (const clock of document.querySelectorAll(".running")) {
    const { zeroAt, unitMs, limit, warning, endsAt } = clock.dataset;
    const used = Math.max(0, (now - Number(zeroAt)) / Number(unitMs));
    const level = used > Number(limit) ? "over" : used > Number(warning) ? "warning" : "ok";
    clock.dataset.level = level;
    say(clock.querySelector("[data-left]"), spoken(Number(endsAt) - now));
    say(clock.querySelector("[data-left-word]"), level === "over" ? "over the limit" : "left");
    say(clock.querySelector("[data-used]"), String(Math.round(used)));
    say(clock.querySelector("[data-level-word]"), WORDS[level]);
    clock.querySelector("progress").value = Math.min(used, Number(limit));
  }
  const state = document.querySelector("[data-clock-state]");
  if (state) say(state, "They count on by themselves.");
}

setInterval(count, 1000);
count();

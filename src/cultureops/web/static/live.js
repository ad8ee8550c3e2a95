// The line to the lab: kept open, noticed when it is dead, opened again. What is told goes to whoever asked for it.
const link = document.getElementById("link");
const SILENT_MS = 40_000; // the lab says something at least every 15 s
const AGAIN_MS = [2_000, 5_000, 15_000, 30_000];
const heeded = new Map();
let source;
let heardAt = Date.now(); // goes on while a phone sleeps
let failures = 0;
let again;

export const isLive = () => link.dataset.state === "live";

export function on(name, heed) {
  heeded.set(name, [...(heeded.get(name) ?? []), heed]);
}

function tell(name, said) {
  for (const heed of heeded.get(name) ?? []) heed(said);
}

function say(state, text) {
  if (link.dataset.state === state && link.textContent === text) return;
  link.dataset.state = state;
  link.textContent = text;
}

function lost() {
  say("lost", "not live: no answer");
  tell("lost");
}

// The browser gives up for good where the answer is no stream: signed out, or a lab that is starting.
async function refused() {
  clearTimeout(again);
  const answer = await fetch("/session", { redirect: "manual" }).catch(() => null);
  if (answer?.status === 401) return say("lost", "not live: signed out");
  again = setTimeout(open, AGAIN_MS[Math.min(failures++, AGAIN_MS.length - 1)]);
}

export function open() {
  source?.close();
  clearTimeout(again);
  heardAt = Date.now();
  const line = (source = new EventSource("/stream"));
  line.onopen = () => { failures = 0; say("live", "live"); tell("open"); };
  line.onerror = () => { lost(); if (line.readyState === EventSource.CLOSED) refused(); };
  for (const name of ["readings", "alarms", "batches", "behind", "still"]) {
    line.addEventListener(name, (event) => {
      heardAt = Date.now();
      tell(name, JSON.parse(event.data));
    });
  }
}

on("behind", ({ missed }) => {
  say("live", `live, ${missed} message${missed === 1 ? "" : "s"} skipped`);
  setTimeout(() => { if (isLive()) say("live", "live"); }, 10_000);
});

// A line that went away while the phone slept looks open for long: ask anew as soon as somebody looks.
function look() {
  if (document.hidden || source.readyState === EventSource.CLOSED || Date.now() - heardAt < SILENT_MS) return;
  lost();
  open();
}
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && source.readyState === EventSource.CLOSED) open();
  else look();
});
addEventListener("online", () => { if (!isLive()) open(); });
setInterval(look, 5_000);

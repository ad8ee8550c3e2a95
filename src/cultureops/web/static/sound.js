// A beep while an alarm waits, on a page that is open and whose owner switched it on; it says when it can't be heard.
const place = document.querySelector(".sound");
const button = document.getElementById("sound");
const said = document.getElementById("sound-said");
const link = document.getElementById("link");
const KEPT = "cultureops-sound";
const EVERY_MS = 5_000;
const [HIGH_HZ, LOW_HZ] = [880, 660];
let audio = null;
let waits = document.querySelector("#alarms [data-waits]") !== null;

function isOn() {
  return button.getAttribute("aria-pressed") === "true";
}

function tell() {
  const isHeard = audio?.state === "running";
  const isLive = link?.dataset.state === "live";
  button.textContent = isOn() ? "Sound is on" : "Sound is off";
  place.classList.toggle("mute", isOn() && !(isHeard && isLive));
  if (!isOn()) said.textContent = "";
  else if (!isHeard) said.textContent = "Can't sound yet: the browser wants a touch of this page first.";
  else if (!isLive) said.textContent = "Not live: no new alarm would be heard. Don't rely on this page.";
  else said.textContent = waits ? "An alarm waits: beeping." : "Beeps as soon as an alarm waits. Keep this page open.";
}

function beep() {
  if (!isOn() || !waits || audio?.state !== "running") return;
  for (const [hertz, after] of [[HIGH_HZ, 0], [LOW_HZ, 0.18]]) {
    const tone = audio.createOscillator();
    const loudness = audio.createGain();
    const at = audio.currentTime + after;
    tone.frequency.value = hertz;
    loudness.gain.setValueAtTime(0.25, at);
    loudness.gain.exponentialRampToValueAtTime(0.001, at + 0.16);
    tone.connect(loudness).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.17);
  }
}

async function switchTo(on) {
  button.setAttribute("aria-pressed", String(on));
  localStorage.setItem(KEPT, on ? "on" : "off");
  if (on) {
    audio ??= new AudioContext();
    audio.onstatechange = tell;
    audio.resume().catch(() => {}); // what stays silent is said below
  } else {
    await audio?.suspend();
  }
  tell();
  beep();
}

if (globalThis.AudioContext) {
  place.hidden = false;
  button.addEventListener("click", () => switchTo(!isOn()));
  document.addEventListener("pointerdown", () => { if (isOn()) audio?.resume(); });
  document.addEventListener("keydown", () => { if (isOn()) audio?.resume(); });
  document.addEventListener("alarms", (event) => {
    const before = waits;
    waits = event.detail.some((alarm) => alarm.wants_acknowledgement);
    tell();
    if (waits && !before) beep();
  });
  if (link) new MutationObserver(tell).observe(link, { attributes: true, attributeFilter: ["data-state"] });
  setInterval(beep, EVERY_MS);
  if (localStorage.getItem(KEPT) === "on") switchTo(true);
}

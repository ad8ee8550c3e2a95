// Takes the sections of the page anew every ten seconds while somebody looks at it.
const EVERY_MS = 10_000;
const link = document.getElementById("link");

function say(state, words) {
  link.dataset.state = state;
  link.textContent = words;
}

async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(EVERY_MS) });
    if (answer.redirected || !answer.ok) return say("lost", "not live: log in again");
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const section of document.querySelectorAll("[data-live][id]")) {
      const next = fresh.getElementById(section.id);
      if (next && next.innerHTML !== section.innerHTML) section.innerHTML = next.innerHTML; // the region itself stays: it is listened to
    }
    say("live", "live");
  } catch {
    say("lost", "not live: no answer");
  }
}

setInterval(renew, EVERY_MS);
document.addEventListener("visibilitychange", renew);
say("live", "live");

// Sending a step: nothing typed is lost whatever happens on the way, and nothing is recorded twice.
//
// Before each attempt the server is asked how things stand: who is logged in here, whether the record has changed since
// the form was opened, and whether this very entry is on record already (its answer may have been lost).
import { forget, keep } from "./draft.js";
import { shownTime } from "./lab_time.js";
import { button, link, list, notice } from "./notice.js";

const STANDING_MS = 5_000;
const ANSWERED_MS = 20_000;
const RETRY_MS = 5_000;

class NoLine extends Error {}
class LoggedOut extends Error {}

async function standing(form) {
  const asked = new URLSearchParams({ entry: form.elements.entry.value, version: form.dataset.version });
  let answer;
  try {
    answer = await fetch(`${form.getAttribute("action")}/standing?${asked}`, { signal: AbortSignal.timeout(STANDING_MS) });
  } catch {
    throw new NoLine();
  }
  if (new URL(answer.url).pathname === "/log-in") throw new LoggedOut();
  if (!answer.ok) throw new NoLine();
  return answer.json();
}

async function post(form, submitter) {
  const body = new URLSearchParams(new FormData(form, submitter));
  try {
    const answer = await fetch(form.action, { method: "POST", body, signal: AbortSignal.timeout(ANSWERED_MS) });
    return { answer, text: await answer.text() };
  } catch {
    throw new NoLine();
  }
}

const isSecret = (field) => field.type === "password" || /(^|_)code$/.test(field.name);

export function beginSending(form, draft, swap, signal) {
  const submit = form.querySelector("button.main");
  const label = submit.textContent;
  const said = notice(submit, "sending", true);
  const logIn = `/log-in?next=${encodeURIComponent(location.pathname + location.search)}`;
  let isBusy = false, isUnsent = false, retry = 0;

  function busy(is) {
    isBusy = is;
    submit.setAttribute("aria-disabled", is);
    submit.textContent = is ? "Sending …" : label;
  }

  function say(kind, text, ...more) {
    said.say(kind, text, ...more);
    said.line.scrollIntoView({ block: "nearest" });
  }

  // A form that could not be sent stays as it is, but for what nobody may find in it later.
  function stays(text, ...more) {
    isUnsent = true;
    for (const field of form.elements) if (isSecret(field)) field.value = "";
    draft.failed = true;
    draft.at ||= Date.now();
    const kept = keep(draft) ? "It is kept here." : "This browser can't keep it: leave this page open.";
    say("lost", `${text} ${kept}`, ...more);
  }

  function done(position) {
    isUnsent = false;
    forget(draft);
    const path = form.getAttribute("action").replace(/\/[^/]*$/, "");
    location.replace(`${path}?done=${encodeURIComponent(position)}`);
  }

  // What has changed since the form was opened is said before anything is sent; the next press sends it.
  function hasChanged(now) {
    if (now.user !== form.dataset.user) {
      stays(`Not sent: ${now.user} is logged in here now, and this was typed by ${form.dataset.user}. ` +
        `Who typed it logs in and sends it; until then`, link(`Log in as ${form.dataset.user}`, logIn, "_blank"));
      return true;
    }
    form.elements.csrf.value = now.csrf;
    if (now.since.length === 0) return false;
    form.dataset.version = now.version;
    say("warning", "Not sent yet: since you opened this form the record has changed. If yours still holds, press the button again.", list(now.since));
    return true;
  }

  async function attempt(submitter) {
    const now = await standing(form);
    if (now.recorded !== null) return done(now.recorded);
    if (hasChanged(now)) return undefined;
    wait();
    let sent;
    try {
      sent = await post(form, submitter);
    } catch (error) {
      draft.isUncertain = true; // it may have arrived: the next attempt asks first
      throw error;
    }
    return answered(sent);
  }

  function answered({ answer, text }) {
    const arrived = new URL(answer.url);
    if (answer.redirected && arrived.pathname !== "/log-in") {
      isUnsent = false;
      forget(draft);
      return location.replace(answer.url);
    }
    if (answer.status === 401 || arrived.pathname === "/log-in") throw new LoggedOut();
    const page = new DOMParser().parseFromString(text, "text/html");
    if (page.getElementById("step")) {
      isUnsent = false;
      draft.failed = draft.isUncertain = false;
      keep(draft);
      return swap(page);
    }
    const why = page.querySelector("main .calm")?.textContent ?? `the server answered ${answer.status}`;
    return stays(`Not recorded: ${why}.`);
  }

  function wait() {
    clearTimeout(retry);
    removeEventListener("online", look);
  }

  // Nothing goes out by itself when the line is back: a person looks at it and sends it.
  async function look() {
    clearTimeout(retry);
    if (isBusy || signal.aborted) return;
    try {
      const now = await standing(form);
      if (now.recorded !== null) return done(now.recorded);
      wait();
      if (!hasChanged(now)) say("ready", "The line is back, and nothing was recorded yet. " +
        `Type passwords anew where they are asked for, then press “${label.trim()}” again.`);
    } catch (error) {
      if (error instanceof LoggedOut) return loggedOut();
      retry = setTimeout(look, RETRY_MS);
    }
  }

  function watch() {
    wait();
    addEventListener("online", look, { signal });
    retry = setTimeout(look, RETRY_MS);
  }

  function loggedOut() {
    stays("Not sent: your log-in has ended. Log in, come back and press the button again.",
      link("Log in, in a new tab", logIn, "_blank"));
  }

  form.addEventListener("submit", async (event) => {
    if (event.submitter && event.submitter !== submit) return; // calculators have their own way
    event.preventDefault();
    if (isBusy) return;
    busy(true);
    try {
      await attempt(event.submitter ?? submit);
    } catch (error) {
      if (error instanceof LoggedOut) loggedOut();
      else if (!(error instanceof NoLine)) stays(`Not sent: ${error.message}.`);
      else {
        const at = shownTime(Date.now());
        stays(draft.isUncertain
          ? `No answer came at ${at}: it may or may not be recorded. When the line is back this page finds out; ` +
            "a step is recorded once, however often it is sent."
          : `Not sent at ${at}: no connection. When the line is back you are asked to send it.`, button("Try now", look));
        watch();
      }
    }
    busy(false);
  }, { signal });
  addEventListener("beforeunload", (event) => { if (isUnsent) event.preventDefault(); }, { signal });
  signal.addEventListener("abort", wait);
  if (draft.failed) look();
}

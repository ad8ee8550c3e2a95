// The form of a step: what is typed is kept, scans, values of instruments, plausibility, calculators, sending.
import { beginCalculating } from "./calculating.js";
import { beginChecking, fault, filled } from "./checking.js";
import { bringBack, draftsOf, forget, isKept, keep, newDraft, note, subjectOf } from "./draft.js";
import { labTime, shownTime } from "./lab_time.js";
import { button, list, notice } from "./notice.js";
import { beginScanning } from "./scanning.js";
import { beginSending } from "./sending.js";
import { beginAges, beginTaking } from "./taking.js";

let ending = new AbortController();

// Take the draft of this form for this tab alone: the same entry in two tabs would be one record of two forms.
async function claimed(draft) {
  if (!navigator.locks) return true;
  return new Promise((answer) => {
    navigator.locks.request(`cultureops.draft:${draft.entry}`, { ifAvailable: true }, (lock) => {
      answer(lock !== null);
      return lock && new Promise(() => {}); // held until the tab is closed
    });
  });
}

async function draftFor(form) {
  const subject = subjectOf(form);
  const own = form.elements.entry.value;
  const found = draftsOf(form.dataset.user).filter((draft) => draft.subject === subject);
  const same = found.find((draft) => draft.entry === own);
  if (same) return { draft: same, isBack: false };
  for (const draft of found) if (await claimed(draft)) return { draft, isBack: true };
  const made = newDraft(form);
  await claimed(made);
  return { draft: made, isBack: false };
}

// A form that was laid out otherwise (more rows, another box) is opened as it was.
function opensElsewhere(draft, lost) {
  if (!lost.length || draft.path === location.pathname + location.search) return false;
  location.replace(draft.path);
  return true;
}

function back(form, draft) {
  const lost = bringBack(draft, form);
  if (opensElsewhere(draft, lost)) return;
  form.elements.entry.value = draft.entry;
  const discard = button("Discard it", () => { forget(draft); location.reload(); });
  const more = [discard];
  if (lost.length) more.unshift("This found no place in the form:", list(lost.map(([name, text]) => `${name}: ${text}`)));
  if (draft.version !== form.dataset.version) more.unshift("The record has changed since then: look whether it still holds. ");
  const text = `Brought back what you typed at ${shownTime(draft.at)}. Nothing of it is recorded yet.`;
  notice(form.firstElementChild, "restored").say("restored", text, ...more);
}

// When the last field was changed goes along: a step that waited for the line was done then.
function stamp(form, draft) {
  form.elements.typed_at.value = (draft.at && labTime(draft.at)) || "";
}

function beginKeeping(form, draft, signal) {
  const said = notice(form.querySelector("button.main"), "kept");
  const take = (event) => {
    if (!isKept(event.target)) return;
    note(draft, form, event.target.name);
    stamp(form, draft);
    if (!keep(draft)) said.say("warning", "This browser keeps nothing: what you type is lost when the page is closed.");
  };
  for (const kind of ["input", "change"]) form.addEventListener(kind, take, { signal });
}

// The pair is judged by the server as soon as it is whole; a wrong one is a refusal, and goes on record as such.
async function judged(form) {
  const body = filled(form);
  body.set("act", "identify");
  const answer = await fetch(form.action, { method: "POST", body, signal: AbortSignal.timeout(5_000) });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const anew = page.getElementById("step");
  if (!anew) throw new Error("no form came back");
  form.dataset.version = anew.dataset.version; // the refusal itself is no news
  const said = page.querySelector("main .stop, main .changed[role=alert]")?.textContent ?? "not this batch's";
  return answer.ok ? "" : said.replace(/\s+/g, " ").trim().replace(/^(Stop\. |Not recorded: )?(batch [^:]*: )?(G2: )?/, "");
}

function beginIdentifying(form, draft, signal) {
  const place = document.getElementById("identify");
  const said = place && notice(place.lastElementChild, "pair", true);
  const judge = async () => {
    const wrong = await judged(form).catch(() => null);
    draft.version = form.dataset.version;
    if (wrong === null) return said.say("unknown", "? Not checked: no connection. The pair is judged when the step is sent.");
    if (!wrong) return said.say("right", "✓ Container and patient belong together.");
    said.say("wrong", `✕ STOP: ${wrong}`);
    navigator.vibrate?.([300, 100, 300]);
    for (const field of place.querySelectorAll("[data-scan]")) { // both are scanned anew, never one of them
      field.value = "";
      field.dispatchEvent(new Event("change", { bubbles: true }));
    }
    place.querySelector("[data-scan]").focus();
  };
  beginScanning(form, judge, signal);
  place?.addEventListener("input", () => said.hush(), { signal });
  place?.querySelector("[value=identify]")?.addEventListener("click", (event) => { event.preventDefault(); judge(); }, { signal });
}

// After an answer with problems the first of them has the focus.
function focusProblem(form) {
  for (const line of form.querySelectorAll("[data-field] .problem")) {
    if (line.textContent.trim()) fault(form, line.closest("[data-field]").dataset.field, line.textContent.trim());
  }
  const first = form.querySelector("[aria-invalid=true], [name=confirmed]") ?? document.querySelector("main [role=alert]:not([hidden]):not(:empty)");
  if (!first) return false;
  if (first.tabIndex < 0) first.tabIndex = -1;
  first.focus();
  return true;
}

// The scan that is still missing, else the first field.
const firstOf = (form) => [...form.querySelectorAll("[data-scan]")].find((field) => !field.value)
  ?? form.querySelector("input:not([type=hidden], [data-scan]), select");

async function begin() {
  const form = document.getElementById("step");
  if (!form) return;
  ending.abort();
  ending = new AbortController();
  const { signal } = ending;
  const { draft, isBack } = await draftFor(form);
  if (isBack) back(form, draft);
  else draft.version = form.dataset.version;
  stamp(form, draft);
  beginKeeping(form, draft, signal);
  const check = beginChecking(form, signal);
  beginTaking(form, signal);
  beginAges(form, signal);
  beginIdentifying(form, draft, signal);
  beginCalculating(form, signal);
  beginSending(form, draft, swap, signal);
  if (!focusProblem(form)) firstOf(form)?.focus({ preventScroll: true });
  if (isBack) check();
  form.dataset.ready = "true";
}

function swap(page) {
  document.title = page.title;
  document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
  scrollTo(0, 0);
  return begin();
}

begin();

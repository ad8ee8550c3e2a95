// What is typed and not recorded yet, kept in this browser: over a reload, a closed tab, an empty battery, a log-in
// that has ended. Never a password or a code; gone when it is recorded, after a day, and when its owner logs out.
const PREFIX = "cultureops.draft:";
const KEPT_MS = 24 * 3_600_000;
export const SCAN_GOOD_MS = 15 * 60_000; // a scan says what lies there now: an older one is made again
const SECRET = /(^|_)(password|code)$/;
const OWN = new Set(["csrf", "entry", "typed_at", "confirmed", "done_at", "act"]); // the page's, and answers to its questions
const LAYOUT = ["rows", "store", "rack", "box", "done"];

const key = (draft) => PREFIX + [draft.user, draft.subject, draft.entry].map(encodeURIComponent).join("/");

// What a draft is of: the step of one batch, and what else its address names (the event that is corrected).
export function subjectOf(form) {
  const query = new URLSearchParams(location.search);
  for (const name of LAYOUT) query.delete(name);
  query.sort();
  return `${form.dataset.batch} ${form.dataset.step} ${query}`.trim();
}

function* all() {
  for (let at = localStorage.length - 1; at >= 0; at--) {
    const name = localStorage.key(at);
    if (!name.startsWith(PREFIX)) continue;
    try {
      yield [name, JSON.parse(localStorage.getItem(name))];
    } catch {
      localStorage.removeItem(name);
    }
  }
}

const reading = (work, otherwise) => { try { return work(); } catch { return otherwise; } };

// Return what somebody has typed and not sent, the latest first; what is older than a day is thrown away.
export function draftsOf(user) {
  return reading(() => {
    const found = [];
    for (const [name, draft] of all()) {
      const isFresh = Math.abs(Date.now() - draft?.at) < KEPT_MS;
      if (!isFresh) localStorage.removeItem(name);
      else if (draft.user === user) found.push(draft);
    }
    return found.sort((one, other) => other.at - one.at);
  }, []);
}

export function forget(draft) {
  reading(() => localStorage.removeItem(key(draft)));
}

export function forgetAllOf(user) {
  for (const draft of draftsOf(user)) forget(draft);
}

// Keep a draft; false where this browser keeps nothing (storage full or forbidden).
export function keep(draft) {
  return reading(() => { localStorage.setItem(key(draft), JSON.stringify(draft)); return true; }, false);
}

export function newDraft(form) {
  const { user, batch, step, version } = form.dataset;
  const entry = form.elements.entry.value;
  const path = location.pathname + location.search;
  return { user, batch, step, version, entry, subject: subjectOf(form), path, at: 0, values: {} };
}

export const isKept = (field) => Boolean(field.name) && !SECRET.test(field.name) && !OWN.has(field.name)
  && !["password", "submit", "button", "file"].includes(field.type)
  && (field.type !== "hidden" || field.name.startsWith("collected."));

// Take down what a field holds now; names are of fields a hand has changed, so that all else stays as the page has it.
export function note(draft, form, name) {
  const fields = named(form, name);
  draft.values[name] = fields.filter((field) => !isTick(field) || field.checked).map((field) => field.value);
  const isScan = fields.some((field) => "scan" in field.dataset);
  if (isScan) draft.scannedAt = Date.now();
  if (!isScan || !draft.at) draft.at = Date.now(); // a step was done when it was typed, however late it is scanned anew
}

const isTick = (field) => field.type === "checkbox" || field.type === "radio";
const named = (form, name) => [...form.elements].filter((field) => field.name === name && isKept(field));

// Put what was typed back into a form; return what found no place there, as [name, text].
export function bringBack(draft, form) {
  const lost = [];
  const isOld = Math.abs(Date.now() - (draft.scannedAt ?? 0)) > SCAN_GOOD_MS; // whatever was typed since
  for (const [name, values] of Object.entries(draft.values)) {
    const fields = named(form, name);
    if (fields.some((field) => "scan" in field.dataset) && isOld) continue;
    if (fields.length === 0) lost.push([name, values.join(", ")]);
    fields.forEach((field, at) => {
      if (isTick(field)) field.checked = values.includes(field.value);
      else if (values[at] !== undefined) field.value = values[at];
      if (!isTick(field) && field.value !== values[at]) lost.push([name, values[at] ?? ""]);
      if (values[at] && field.closest("details")) field.closest("details").open = true;
    });
  }
  return lost.filter(([, text]) => text);
}

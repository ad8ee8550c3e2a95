// Plausibility while the form is filled in: the server judges what is there so far, and records nothing of it.
import { list, notice } from "./notice.js";

const WAIT_MS = 300;
const ANSWERED_MS = 5_000;
const SECRET = /(^|_)(password|code)$/;

// What a form holds, as a browser would send it, but for passwords and codes.
export function filled(form) {
  const data = new FormData(form);
  for (const name of [...data.keys()]) if (SECRET.test(name)) data.delete(name);
  return new URLSearchParams(data);
}

// Say what is wrong with a field beside it, in a way that is read out with the field.
export function fault(form, name, text) {
  const place = form.querySelector(`[data-field="${CSS.escape(name)}"]`);
  const line = place?.querySelector(".problem");
  if (!line) return false;
  line.id ||= `problem-${name}`;
  if (line.textContent !== text) line.textContent = text;
  if (text && line.closest("details")) line.closest("details").open = true;
  for (const field of place.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    const told = new Set((field.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean));
    told[text ? "add" : "delete"](line.id);
    field.setAttribute("aria-describedby", [...told].join(" "));
    if (text) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
  return true;
}

export function beginChecking(form, signal) {
  const said = notice(form.querySelector("button.main"), "plausible");
  const touched = new Set();
  let waiting = 0, asking = new AbortController();

  async function ask() {
    asking.abort();
    asking = new AbortController();
    const signals = [asking.signal, signal, AbortSignal.timeout(ANSWERED_MS)];
    const answer = await fetch(form.dataset.check, { method: "POST", body: filled(form), signal: AbortSignal.any(signals) });
    if (!answer.headers.get("content-type")?.startsWith("application/json")) return null;
    return answer.json();
  }

  function show({ refused = "", warnings = [], doubt = "", errors = {} }) {
    const names = new Set([...form.querySelectorAll("[data-field]")].map((place) => place.dataset.field));
    for (const name of names) {
      const text = errors[name] ?? Object.entries(errors).find(([one]) => one.startsWith(`${name}.`))?.[1] ?? "";
      fault(form, name, touched.has(name) ? text : "");
    }
    const isWhole = form.checkValidity() && Object.keys(errors).length === 0;
    const lines = [...warnings];
    if (doubt) lines.push(`${doubt}: a second person confirms it`);
    if (refused && isWhole) said.say("refused", `As it stands this would be refused: ${refused}`, list(lines));
    else if (lines.length) said.say("warning", "Look again before you record it:", list(lines));
    else said.hush();
  }

  const check = async () => {
    const answer = await ask().catch(() => null); // offline, or asked anew meanwhile: nothing is said
    if (answer) show(answer);
  };
  form.addEventListener("change", (event) => {
    const place = event.target.closest("[data-field]");
    if (place) touched.add(place.dataset.field);
    clearTimeout(waiting);
    waiting = setTimeout(check, WAIT_MS);
  }, { signal });
  signal.addEventListener("abort", () => clearTimeout(waiting));
  return check;
}

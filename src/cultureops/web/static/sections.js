// Takes parts of the page anew when the lab says that facts have changed: only what is marked data-live, only if it differs.
const SOON_MS = 250;
const SPREAD_MS = 500; // so that fifty screens do not ask in the same instant
const holder = document.querySelector("[data-parts]");
const filter = document.getElementById("filter");
const wanted = new Set();
let waiting = 0;
let asked = 0;

// The board names the parts it is made of; any other page is its own only part.
const parts = () => (holder ? holder.dataset.parts.split(" ") : [location.href]);

export function chosen() {
  const query = new URLSearchParams(filter ? new FormData(filter) : "");
  for (const [name, value] of [...query]) if (!value || (name === "show" && value === "all")) query.delete(name);
  return query.size ? `?${query}` : "";
}

// A section in which somebody writes is left alone, and says that it is behind.
function isInUse(section) {
  const isOpen = [...section.querySelectorAll("details[open]")].some((one) => one.querySelector("input:not([type=hidden]), select, textarea"));
  return isOpen || [...section.querySelectorAll("input:not([type=hidden]), select, textarea")].some((field) => field === document.activeElement
    || (field.value !== field.defaultValue && field.defaultValue !== undefined) || field.checked !== field.defaultChecked);
}

// Who has come to a link by keyboard stays on it, and what was unfolded stays so.
function replace(section, next) {
  const focused = section.contains(document.activeElement) ? document.activeElement : null;
  const unfolded = [...section.querySelectorAll("details[open][id]")].map((one) => one.id);
  section.replaceWith(document.adoptNode(next));
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
  const same = focused?.id ? `#${CSS.escape(focused.id)}` : focused?.getAttribute("href") && `[href="${CSS.escape(focused.getAttribute("href"))}"]`;
  if (same) next.querySelector(same)?.focus({ preventScroll: true });
}

function patch(fresh) {
  for (const section of document.querySelectorAll("[data-live][id]")) {
    const next = fresh.getElementById(section.id);
    if (!next || next.outerHTML === section.outerHTML) continue;
    if (section.dataset.live === "text") {
      if (section.textContent !== next.textContent) section.textContent = next.textContent;
      continue;
    }
    const isHeld = isInUse(section);
    const changed = section.id === "alarms" && document.getElementById("alarms-changed");
    if (changed) changed.hidden = !isHeld;
    if (!isHeld) replace(section, next);
  }
}

async function take(part, turn) {
  const answer = await fetch(holder ? part + chosen() : part);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (turn === asked) patch(fresh); // what was asked for earlier may come later
}

export function refresh(names = parts()) {
  clearTimeout(waiting);
  waiting = 0;
  wanted.clear();
  asked += 1;
  return Promise.all(names.map((part) => take(part, asked))).catch(() => {}); // the link says that nobody answers
}

// ``about``: "alarms" or "batches". Alarms mark batches too; a batch changes no alarm that does not say so itself.
export function refreshSoon(about = "alarms") {
  for (const part of parts()) if (about === "alarms" || !part.endsWith("/alarms")) wanted.add(part);
  waiting ||= setTimeout(() => refresh([...wanted]), SOON_MS + Math.random() * SPREAD_MS);
}

// The filter of the board works at once, and its address can be kept.
if (filter) {
  let typing = 0;
  const search = () => {
    history.replaceState(null, "", location.pathname + chosen());
    refresh(parts().filter((part) => part.endsWith("/batches")));
  };
  filter.querySelector("button").hidden = true; // Enter still sends it
  filter.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(typing); search(); });
  filter.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(search, 200); });
}

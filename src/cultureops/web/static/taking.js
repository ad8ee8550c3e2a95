// Values that an instrument shows now, put into a field by a button; what is edited afterwards was typed by hand.
import { labTime } from "./lab_time.js";

const GOOD_MS = 60_000; // an older value is asked for anew
const AGE_EVERY_MS = 5_000;

const age = (ms) => ms < 90_000 ? `${Math.max(0, Math.round(ms / 1000))} s` : `${Math.round(ms / 60_000)} min`;

// The same button as the server would show it now: a value that has stood on the page for long is none of now.
async function fresh(button, name) {
  const now = labTime();
  if (now === null || now - Number(button.dataset.at) < GOOD_MS) return button;
  const answer = await fetch(location.href, { signal: AbortSignal.timeout(5_000) });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return page.querySelector(`[data-field="${CSS.escape(name)}"] [data-take][data-channel="${CSS.escape(button.dataset.channel)}"]`);
}

function mark(place, isCollected) {
  place.toggleAttribute("data-collected", isCollected);
  let tag = place.querySelector(".collected-tag");
  if (!tag) {
    tag = Object.assign(document.createElement("p"), { className: "collected-tag" });
    tag.setAttribute("role", "status");
    place.append(tag);
  }
  tag.textContent = isCollected ? "✓ machine-collected" : "";
}

export function beginTaking(form, signal) {
  let isTaking = false;
  for (const place of form.querySelectorAll("[data-field]")) {
    const name = place.dataset.field;
    const field = form.elements[name];
    const origin = form.elements[`collected.${name}`];
    if (!(field instanceof HTMLElement) || !origin) continue;
    for (const tick of place.querySelectorAll(`[name="take.${CSS.escape(name)}"]`)) {
      tick.checked = false; // the way without scripts: unchecked, it says nothing
      (tick.closest("label") ?? tick).hidden = true;
    }
    if (origin.value) mark(place, true);
    field.addEventListener("input", () => {
      if (isTaking || !origin.value) return;
      origin.value = "";
      mark(place, false);
      origin.dispatchEvent(new Event("input", { bubbles: true }));
    }, { signal });
    for (const button of place.querySelectorAll("[data-take]")) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        const now = await fresh(button, name).catch(() => null);
        if (!now) return void (button.textContent = "No fresh value there now: type it, or try again");
        for (const one of ["channel", "at", "value"]) button.dataset[one] = now.dataset[one];
        if (now !== button) button.textContent = now.textContent;
        isTaking = true;
        field.value = button.dataset.value;
        origin.value = `${button.dataset.channel}@${button.dataset.at}`;
        for (const changed of [field, origin]) changed.dispatchEvent(new Event("input", { bubbles: true }));
        isTaking = false;
        mark(place, true);
        field.dispatchEvent(new Event("change", { bubbles: true }));
        field.focus();
      }, { signal });
    }
  }
}

// The age of a value goes on while the page stands.
export function beginAges(form, signal) {
  const buttons = [...form.querySelectorAll("[data-take]")];
  if (!buttons.length || labTime() === null) return;
  const tell = () => {
    for (const one of buttons) one.textContent = one.textContent.replace(/[0-9]+ (s|min) ago/, `${age(labTime() - Number(one.dataset.at))} ago`);
  };
  const ticking = setInterval(tell, AGE_EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(ticking));
}

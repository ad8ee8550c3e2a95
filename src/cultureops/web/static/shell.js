// The scan field of every page: the key / leads to it, and what a scanner types while nobody writes ends up in it.
const field = document.getElementById("scan");
const SLASH = "slash-key"; // a single key may bother whoever speaks to the screen: it can be switched off (WCAG 2.1.4)
const SCANNER_MS = 60; // between two letters; nobody types that fast
const SHORTEST_CODE = 3;

function isWriting() {
  return document.activeElement?.closest("input, select, textarea, [contenteditable]") !== null;
}

let heard = "";
let heardAt = 0;

function listen(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || isWriting()) return;
  const isFast = event.timeStamp - heardAt < SCANNER_MS;
  heardAt = event.timeStamp;
  if (event.key === "Enter") {
    if (!isFast || heard.length < SHORTEST_CODE) return;
    event.preventDefault(); // the button that happens to have the focus was not meant
    field.value = heard;
    heard = "";
    field.form.requestSubmit();
  } else if (event.key.length === 1) {
    heard = isFast ? heard + event.key : event.key;
    if (event.key === "/" && !isFast && localStorage.getItem(SLASH) !== "off") {
      event.preventDefault();
      field.focus();
      field.select();
    }
  }
}

// Pages that ask for scans of their own take them themselves.
if (field && !document.querySelector("[data-scan]")) addEventListener("keydown", listen);

const choice = document.getElementById("slash-key");
if (choice) {
  choice.checked = localStorage.getItem(SLASH) !== "off";
  choice.closest("[hidden]").hidden = false;
  choice.addEventListener("change", () => localStorage.setItem(SLASH, choice.checked ? "on" : "off"));
}

// What scrolls sideways can be scrolled with the keyboard too, and says what it is.
const looked = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const isScrolled = target.scrollWidth > target.clientWidth;
    const heading = target.closest("section[aria-labelledby]")?.getAttribute("aria-labelledby");
    target.toggleAttribute("tabindex", false);
    if (!isScrolled) continue;
    target.tabIndex = 0;
    target.role = "region";
    if (heading) target.setAttribute("aria-labelledby", heading);
    else target.ariaLabel = "Table";
  }
});
for (const table of document.querySelectorAll(".table")) looked.observe(table);

// On a phone the long sections of a batch are folded; whatever the address leads to is open.
const PHONE = matchMedia("(max-width: 40rem)").matches;
const AT_HAND = new Set(["at-hand", "growth"]);

function open() {
  const wanted = document.getElementById(location.hash.slice(1));
  for (let at = wanted; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  wanted?.scrollIntoView();
}

if (PHONE) for (const part of document.querySelectorAll("details.part")) part.open = AT_HAND.has(part.id);
open();
addEventListener("hashchange", open);
// The list of sections folds away once one is chosen.
for (const link of document.querySelectorAll(".sections a")) link.addEventListener("click", () => { link.closest("details").open = false; });
// On paper everything is open.
addEventListener("beforeprint", () => { for (const part of document.querySelectorAll("details.part")) part.open = true; });

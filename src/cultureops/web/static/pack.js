// While a pack is made: says how far it is, and shows the page anew once it is done. Asking keeps the work going.
const EVERY_MS = 2_000;

async function look() {
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!fresh.getElementById("pack-progress")) return location.reload();
  document.getElementById("making").replaceWith(document.adoptNode(fresh.getElementById("making")));
}

setInterval(() => look().catch(() => {}), EVERY_MS); // who can't be reached now is asked again

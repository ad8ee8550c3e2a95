// Tells a minute before that nobody has done anything here for long; only the server ends a session.
const WARNED_S = 60;
const DEED_EVERY_MS = 60_000;
const notice = document.getElementById("idle");
const csrf = document.querySelector("input[name=csrf]").value;
let endsAt = performance.now() + 1000 * Number(document.body.dataset.idleLeftS);
let toldAt = performance.now();

function goOn(answer) {
  if (answer.status === 401) return location.assign(`/log-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  return answer.json().then(({ idle_left_s }) => { endsAt = performance.now() + 1000 * idle_left_s; look(); });
}

// What a hand does on the page counts; what the page fetches by itself does not.
function stay() {
  toldAt = performance.now();
  return fetch("/session", { method: "POST", headers: { "x-csrf": csrf } }).then(goOn, () => {});
}

function look() {
  notice.hidden = endsAt - performance.now() > 1000 * WARNED_S;
}

for (const deed of ["keydown", "pointerdown"]) {
  addEventListener(deed, () => { if (performance.now() - toldAt > DEED_EVERY_MS) stay(); }, { passive: true });
}
document.getElementById("stay").addEventListener("click", stay);
setInterval(() => {
  if (endsAt - performance.now() > 1000 * WARNED_S) return;
  fetch("/session").then(goOn, () => {}); // another page of the same session may have been used since
}, 10_000);

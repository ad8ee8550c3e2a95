// What somebody has typed and not sent is said on every page; logging out on a shared tablet leaves nothing behind.
import { draftsOf, forgetAllOf } from "./draft.js";
import { shownTime } from "./lab_time.js";

const { user } = document.body.dataset;
const drafts = user ? draftsOf(user).filter((draft) => draft.path !== location.pathname + location.search) : [];
const place = document.getElementById("unsent");

if (place && drafts.length) {
  const links = drafts.map((draft) => {
    const text = `${draft.step} of ${draft.batch}, typed at ${shownTime(draft.at)}`;
    return Object.assign(document.createElement("a"), { href: draft.path, textContent: text, className: "action" });
  });
  place.append("Typed and not recorded: ", ...links);
  place.hidden = false;
}

document.querySelector('form[action="/log-out"]')?.addEventListener("submit", (event) => {
  const left = draftsOf(user);
  const what = left.length === 1 ? "a step that is" : `${left.length} steps that are`;
  const said = `You have typed ${what} not recorded. Log out and throw it away?`;
  if (left.length && !confirm(said)) return event.preventDefault();
  forgetAllOf(user);
});

// Lines that say something on a form: one element of its own for each matter, read out when it changes.
export function notice(before, id, isUrgent = false) {
  let line = document.getElementById(id);
  if (!line) {
    line = document.createElement("div");
    line.id = id;
    line.className = "notice";
    line.setAttribute("role", isUrgent ? "alert" : "status");
    line.tabIndex = -1;
    line.hidden = true;
    before.before(line);
  }
  return {
    line,
    // What is said is text, whatever it holds; ``more`` are elements of ours after it.
    say(kind, text, ...more) {
      line.dataset.kind = kind;
      line.replaceChildren(Object.assign(document.createElement("p"), { textContent: text }), ...more);
      line.hidden = !text;
    },
    hush() { line.hidden = true; line.replaceChildren(); },
  };
}

export function button(text, deed) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  made.addEventListener("click", deed);
  return made;
}

export function list(texts) {
  const made = document.createElement("ul");
  made.append(...texts.map((textContent) => Object.assign(document.createElement("li"), { textContent })));
  return made;
}

export const link = (text, href, target = "") =>
  Object.assign(document.createElement("a"), { textContent: text, href, target, className: "action" });

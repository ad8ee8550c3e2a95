// Calculators beside the fields: worked out by the server as soon as a number changes; "Use this" types a result in.
const WAIT_MS = 250;

function show(place, html) {
  const made = new DOMParser().parseFromString(html, "text/html").body;
  place.replaceChildren(...made.childNodes);
}

export function beginCalculating(form, signal) {
  for (const calculator of form.querySelectorAll("[data-calculator]")) {
    const results = calculator.querySelector(".results");
    let waiting = 0, asking = new AbortController();

    const workOut = async () => {
      asking.abort();
      asking = new AbortController();
      const data = new FormData();
      for (const field of calculator.querySelectorAll("input, select")) data.append(field.name, field.value);
      data.append("work", calculator.dataset.calculator);
      data.append("csrf", form.elements.csrf.value);
      try {
        const answer = await fetch(`${form.getAttribute("action")}/work-out`, {
          method: "POST", body: new URLSearchParams(data), headers: { accept: "application/json" },
          signal: AbortSignal.any([asking.signal, signal, AbortSignal.timeout(5_000)]),
        });
        if (answer.ok) show(results, (await answer.json()).html);
      } catch { /* asked anew meanwhile, or no line: the last result stays */ }
    };
    calculator.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(workOut, WAIT_MS); }, { signal });
    calculator.addEventListener("click", (event) => {
      const pressed = event.target.closest("button");
      if (!pressed) return;
      event.preventDefault();
      if (pressed.name === "work") return void workOut();
      const field = form.elements[pressed.dataset.field];
      if (!(field instanceof HTMLElement)) return;
      field.value = pressed.dataset.value;
      for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
      field.focus();
    }, { signal });
    signal.addEventListener("abort", () => clearTimeout(waiting));
  }
}

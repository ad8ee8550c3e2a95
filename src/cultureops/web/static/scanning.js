// Scanners type fast and end in Enter: a field takes what was scanned and hands on to the next one; nothing is sent by it.
const AIM = /^\][A-Za-z][0-9A-Za-z]/; // says which symbology was read (ISO/IEC 15424), and is no part of the code

export const scanned = (text) => text.trim().replace(AIM, "").trim();

const isTyped = (target) => target.matches("input, select") && !["submit", "button"].includes(target.type);

// The field to go on to: buttons are left out, but for the one that records.
function next(form, field) {
  const may = "input:not([type=hidden], [type=checkbox], [type=radio]), select, textarea, button.main";
  const fields = [...form.querySelectorAll(may)].filter((one) => !one.disabled && one.offsetParent !== null && !one.closest("details:not([open])"));
  return fields[fields.indexOf(field) + 1];
}

// ``onPair`` is called once for each whole set of scans: a wrong one goes on record, and once is enough.
export function beginScanning(form, onPair, signal) {
  const scans = [...form.querySelectorAll("[data-scan]")];
  let judged = "";

  const pair = () => {
    const codes = JSON.stringify(scans.map((field) => field.value));
    if (scans.length < 2 || codes === judged || !scans.every((field) => field.value)) return;
    judged = codes;
    onPair();
  };
  const take = (field) => { field.value = scanned(field.value); pair(); };

  form.addEventListener("keydown", (event) => {
    const field = event.target;
    if (event.key !== "Enter" || event.isComposing || !isTyped(field)) return;
    event.preventDefault(); // a step is recorded by its button alone: a scan in the wrong field must not send a form
    if (scans.includes(field)) take(field);
    const missing = scans.includes(field) && scans.find((one) => !one.value);
    (missing || next(form, field))?.focus();
  }, { signal });
  for (const field of scans) {
    field.addEventListener("change", () => take(field), { signal });
    field.addEventListener("focus", () => field.select(), { signal }); // a second scan takes the place of the first
    if (field === document.activeElement) field.select();
  }
  // What a scanner types while no field has the focus goes to the scan that is still missing.
  document.addEventListener("keydown", (event) => {
    const isText = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (isText && document.activeElement === document.body) scans.find((one) => !one.value)?.focus();
  }, { signal });
  pair();
}

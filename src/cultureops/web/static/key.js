// Security keys: what the key answers goes where the code of an authenticator would. All else works without scripts.
const can = Boolean(globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON);

async function ask(path, form) {
  const answer = await fetch(path, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (!answer.ok) throw new Error(new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".calm")?.textContent ?? "refused");
  return answer.json();
}

async function saying(form, work) {
  const place = form.querySelector("[data-key-said]");
  place.textContent = "touch your key";
  try {
    await work();
    place.textContent = "";
  } catch (error) {
    place.textContent = error.message;
  }
}

for (const button of can ? document.querySelectorAll("[data-key]") : []) {
  const { form } = button;
  button.parentElement.hidden = false;
  button.addEventListener("click", () => saying(form, async () => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await ask("/log-in/key", form));
    const answer = await navigator.credentials.get({ publicKey });
    form.elements.code.value = JSON.stringify(answer);
    form.requestSubmit();
  }));
}

for (const form of can ? document.querySelectorAll("[data-new-key]") : []) {
  form.querySelector("[data-key-said]").textContent = "";
  form.addEventListener("submit", (event) => {
    if (form.elements.answer.value) return;
    event.preventDefault();
    saying(form, async () => {
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(await ask("/account/keys/new", form));
      form.elements.answer.value = JSON.stringify(await navigator.credentials.create({ publicKey }));
      form.requestSubmit();
    });
  });
}

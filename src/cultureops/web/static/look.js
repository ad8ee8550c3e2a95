// A look that is made of an image: scans hand on to the next field, and Enter never records anything.
import { beginScanning } from "./scanning.js";

const form = document.getElementById("look");
if (form) beginScanning(form, () => {}, new AbortController().signal);

// Hands and keys on a stretch of time: drag or arrows move it, pinch, wheel or plus and minus zoom; up and down scrolls
// the page as everywhere.
const STEP = 0.25;
const FACTOR = 1.5;

export function watch(place, { pan, zoom, home }) {
  const held = new Map();
  const share = (x) => {
    const box = place.getBoundingClientRect();
    return Math.min(1, Math.max(0, (x - box.left) / box.width));
  };
  const spread = () => {
    const xs = [...held.values()];
    return Math.max(20, Math.abs(xs[0] - xs[1]));
  };

  place.addEventListener("pointerdown", (event) => {
    if (event.button === 0) held.set(event.pointerId, event.clientX);
  });
  addEventListener("pointermove", (event) => {
    if (!held.has(event.pointerId)) return;
    const width = place.getBoundingClientRect().width;
    const before = held.size === 2 ? spread() : 0;
    const moved = event.clientX - held.get(event.pointerId);
    held.set(event.pointerId, event.clientX);
    if (held.size === 2) {
      const xs = [...held.values()];
      zoom(before / spread(), share((xs[0] + xs[1]) / 2));
    }
    pan(-moved / width / held.size);
  });
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, (event) => held.delete(event.pointerId));

  // The wheel alone scrolls the page; with Ctrl, as a pad says for a pinch, it zooms; sideways it moves.
  place.addEventListener("wheel", (event) => {
    const isSideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
    if (!event.ctrlKey && !isSideways) return;
    event.preventDefault();
    if (event.ctrlKey) zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 120), share(event.clientX));
    else pan((event.deltaX || event.deltaY) / place.getBoundingClientRect().width);
  }, { passive: false });

  const keys = {
    ArrowLeft: () => pan(-STEP), ArrowRight: () => pan(STEP), Home: home,
    "+": () => zoom(1 / FACTOR, 0.5), "=": () => zoom(1 / FACTOR, 0.5), "-": () => zoom(FACTOR, 0.5),
  };
  place.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
}

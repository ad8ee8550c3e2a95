// The lab's clock on a page: as the server told it when the page was made, and on from there. A tablet's own may be wrong.
const shown = document.getElementById("now");
const rate = Number(document.body.dataset.rate);
const begun = { lab: shown ? Date.parse(shown.dateTime) : Date.now(), own: Date.now() };

// Lab time [ms UTC] at a time of this browser's clock; where lab time runs at another pace that can't be told: null.
export const labTime = (own = Date.now()) => rate === 1 ? Math.round(begun.lab + own - begun.own) : null;

// Hours and minutes in the site's zone, with the day where it is another one.
export function shownTime(own) {
  const at = labTime(own) ?? own;
  const timeZone = document.body.dataset.zone;
  const write = (style) => new Intl.DateTimeFormat("sv", { timeZone, ...style });
  const day = write({ dateStyle: "short" });
  const isToday = day.format(at) === day.format(labTime() ?? Date.now());
  return write(isToday ? { timeStyle: "short" } : { dateStyle: "short", timeStyle: "short" }).format(at);
}

// The curves a chamber's page has fetched so far, and which of them to draw: fine ones where there are, coarse elsewhere.
const MARGIN = 1; // windows asked for on either side of the one that is shown
const MOST_POINTS = 3000;
const LONGEST_MS = 400 * 86_400_000;
const ENOUGH = 1.6; // how much coarser than asked for anew a curve may be and still do
const TOO_FINE = 6;
const KEPT = 12;

export class Curves {
  constructor(address) {
    this.address = address;
    this.answers = [];
    this.now = 0;
  }

  // The window with margins that is asked for to show a view, ending now at the latest.
  around(view, pixels) {
    const length = view.to - view.from;
    const margin = Math.min(MARGIN * length, (LONGEST_MS - length) / 2);
    const to = Math.max(view.to, Math.min(view.to + margin, this.now || view.to));
    const from = Math.max(0, view.from - margin);
    const points = Math.max(1, Math.min(MOST_POINTS, Math.round((pixels * (to - from)) / length)));
    return { from: Math.round(from), to: Math.round(to), points };
  }

  // Whether what is here shows a view about as finely as an answer to it would.
  shows(view, pixels) {
    const length = view.to - view.from;
    const wanted = this.around(view, pixels);
    const resolution = (ENOUGH * (wanted.to - wanted.from)) / wanted.points;
    return this.answers.some((answer) => !answer.isOld && answer.resolution <= resolution
      && answer.from <= Math.max(0, view.from - 0.3 * MARGIN * length)
      && (answer.to >= view.to + 0.3 * MARGIN * length || answer.to >= this.now));
  }

  async ask(wanted, signal) {
    const answer = await fetch(`${this.address}?from=${wanted.from}&to=${wanted.to}&points=${wanted.points}`, { signal });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const found = await answer.json();
    this.now = Math.max(this.now, found.now);
    for (const channel of found.channels) channel.x = channel.mean.map((_, i) => channel.first_ms + (i + 0.5) * channel.width_ms);
    this.answers = this.answers.filter((other) => !(other.from >= found.from && other.to <= found.to && other.resolution >= wanted.resolution));
    this.answers.unshift({ ...found, resolution: (found.to - found.from) / wanted.points, isOld: false });
    this.answers.length = Math.min(this.answers.length, KEPT);
  }

  // What reaches up to the present goes on changing.
  age() {
    const last = Math.max(0, ...this.answers.map((answer) => answer.to));
    for (const answer of this.answers) if (answer.to >= Math.min(last, this.now)) answer.isOld = true;
  }

  // Each channel's best curve about a view: finer answers first, coarser ones fill what they leave open.
  channels(view, pixels) {
    const finest = (view.to - view.from) / pixels / TOO_FINE;
    const usable = this.answers.filter((answer) => answer.resolution >= finest);
    const layers = (usable.length ? usable : this.answers).slice().sort((one, other) => one.resolution - other.resolution || one.isOld - other.isOld);
    if (!layers.length) return [];
    return layers[0].channels.map((channel) => this.layered(channel, layers));
  }

  layered(channel, layers) {
    const rows = [];
    const covered = [];
    for (const layer of layers) {
      const curve = layer.channels.find((other) => other.channel === channel.channel);
      if (!curve) continue;
      const isOpen = (at) => !covered.some(([from, to]) => at >= from && at <= to);
      curve.x.forEach((at, i) => { if (isOpen(at)) rows.push([at, curve.minimum[i], curve.maximum[i], curve.mean[i]]); });
      covered.push([layer.from, layer.to]);
    }
    rows.sort((one, other) => one[0] - other[0]);
    const column = (i) => rows.map((row) => row[i]);
    return { ...channel, x: column(0), minimum: column(1), maximum: column(2), mean: column(3) };
  }
}

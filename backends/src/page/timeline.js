// The timeline: each actor from its first to its last beat of the first frame.

const timeline = { from: 0, to: 1, end: 1, draw: () => {} };

/** A round number of clocks between two marks, so that about `marks` fit. */
const roundStep = (clocks, marks) => {
  const raw = Math.max(1, clocks / marks);
  const unit = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((n) => n * unit).find((n) => n >= raw);
};

const zoom = (factor) => {
  const middle = (timeline.from + timeline.to) / 2;
  const half = Math.max(4, Math.min(timeline.end, (timeline.to - timeline.from) * factor)) / 2;
  show(middle - half, middle + half);
};

const move = (share) => {
  const by = (timeline.to - timeline.from) * share;
  show(timeline.from + by, timeline.to + by);
};

/** Shows these clocks, moved to where there are some. */
const show = (from, to) => {
  const span = Math.min(to - from, timeline.end);
  timeline.from = Math.max(0, Math.min(from, timeline.end - span));
  timeline.to = timeline.from + span;
  timeline.draw();
};

const drawTimeline = () => {
  const { actors, timing } = schedule;
  timeline.end = Math.max(timing.interval_clocks / timing.interval_frames, ...actors.map((a) => a.last_clock + 1));
  timeline.to = timeline.end;
  const order = [...actors].sort((a, b) => a.first_clock - b.first_clock || a.id - b.id);
  const tools = byId("timeline-tools");
  tool(tools, "+", () => zoom(0.5), "Zoom in");
  tool(tools, "\u2212", () => zoom(2), "Zoom out");
  tool(tools, "\u2190", () => move(-0.25), "Earlier");
  tool(tools, "\u2192", () => move(0.25), "Later");
  tool(tools, "Whole frame", () => show(0, timeline.end));
  byId("timeline").addEventListener("keydown", (event) => {
    const act = {
      "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), 0: () => show(0, timeline.end),
      ArrowLeft: () => move(-0.25), ArrowRight: () => move(0.25),
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    act();
    event.preventDefault();
  });
  keepDrawn("timeline-picture", (width) => {
    const narrow = width < 560;
    const left = narrow ? 2 : 190;
    const [rowHeight, bar] = narrow ? [34, 12] : [20, 12];
    const bottom = order.length * rowHeight + 6;
    const svg = picture(width, bottom + 36, `Timeline of ${order.length} actors over ${grouped(timeline.end)} cycles`);
    const axis = shape("g");
    svg.append(axis);
    const rows = order.map((actor, i) => {
      const slow = actor.id === bottleneck;
      const top = i * rowHeight + 4;
      const words = slow ? `${label(actor.id)}, slowest` : label(actor.id);
      const run = shape("rect", { y: narrow ? top + 15 : top + 2, height: bar, class: "run" });
      const node = shape("g", {
        class: slow ? "slow" : "", "data-actor": actor.id, "data-first": actor.first_clock, "data-last": actor.last_clock,
        "aria-label": `${label(actor.id)}: cycles ${grouped(actor.first_clock)} to ${grouped(actor.last_clock)}${slow ? ", the slowest" : ""}`,
      },
        shape("rect", { x: 0, y: top - 2, width, height: rowHeight, class: "strip" }),
        text(narrow ? 2 : left - 8, narrow ? top + 11 : top + 12, shortened(words, narrow ? width : left - 12),
          { "text-anchor": narrow ? "start" : "end", class: slow ? "slow-text" : "" }),
        run);
      svg.append(node);
      return { actor, node, run };
    });
    timeline.draw = () => {
      const { from, to } = timeline;
      const x = (clock) => left + ((width - left - 8) * (clock - from)) / (to - from);
      const inside = (at) => Math.max(left, Math.min(width - 8, at));
      for (const { actor, run } of rows) {
        const [begin, end] = [inside(x(actor.first_clock)), inside(x(actor.last_clock + 1))];
        const seen = actor.last_clock + 1 > from && actor.first_clock < to;
        run.setAttribute("x", begin.toFixed(2));
        run.setAttribute("width", seen ? Math.max(1, end - begin).toFixed(2) : 0);
      }
      axis.replaceChildren();
      const step = roundStep(to - from, (width - left) / 90);
      for (let clock = Math.ceil(from / step) * step; clock <= to; clock += step) {
        axis.append(shape("path", { d: `M${x(clock).toFixed(2)} 0V${bottom}`, class: "axis" }));
        const anchor = x(clock) > width - 40 ? "end" : clock === from ? "start" : "middle";
        axis.append(text(x(clock).toFixed(2), bottom + 14, grouped(clock), { "text-anchor": anchor, class: "quiet" }));
      }
      const interval = timing.interval_clocks / timing.interval_frames;
      if (interval >= from && interval <= to) {
        const at = x(interval);
        axis.append(shape("path", { d: `M${at.toFixed(2)} 0V${bottom + 20}`, class: "mark", "data-interval": timing.interval_clocks }));
        const words = `interval: ${grouped(interval)} cycles a frame`;
        axis.append(text(at.toFixed(2), bottom + 31, words, { "text-anchor": at > width / 2 ? "end" : "start" }));
      }
      svg.dataset.from = timeline.from;
      svg.dataset.to = timeline.to;
    };
    timeline.draw();
    explorable(rows.map(({ actor, node }) =>
      ({ node, key: `actor-${actor.id}`, show: () => tellActor("timeline", actor.id) })));
    byId("timeline-picture").replaceChildren(svg);
  });
  tellActor("timeline", bottleneck);
};

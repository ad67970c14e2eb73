// The graph: actors from top to bottom, channels as wires, skips as arcs on the right.

const ROW = 34;
const BOX = 24;

/** Actors so that writers stand in front of readers; those of small ids first. */
const inOrder = () => {
  const waiting = schedule.actors.map(() => 0);
  for (const channel of schedule.channels) channel.readers.forEach(([actor]) => waiting[actor]++);
  const ready = schedule.actors.map((a) => a.id).filter((id) => waiting[id] === 0);
  const order = [];
  while (ready.length > 0) {
    ready.sort((a, b) => a - b);
    const id = ready.shift();
    order.push(id);
    for (const channel of schedule.channels.filter((c) => c.writer === id)) {
      for (const [actor] of channel.readers) if (--waiting[actor] === 0) ready.push(actor);
    }
  }
  return order;
};

/** The actors of a longest path; the others stand beside it. */
const mainPath = (order) => {
  const longest = new Map(order.map((id) => [id, { steps: 0, from: null }]));
  for (const id of order) {
    for (const channel of schedule.channels.filter((c) => c.writer === id)) {
      for (const [actor] of channel.readers) {
        if (longest.get(id).steps + 1 > longest.get(actor).steps) longest.set(actor, { steps: longest.get(id).steps + 1, from: id });
      }
    }
  }
  let at = order.reduce((best, id) => (longest.get(id).steps > longest.get(best).steps ? id : best), order[0]);
  const main = new Set();
  for (; at !== null && at !== undefined; at = longest.get(at).from) main.add(at);
  return main;
};

/** Gives each span a lane in which none before it lies, short spans first; returns how many there are. */
const inLanes = (spans) => {
  const lanes = [];
  for (const span of [...spans].sort((a, b) => a.end - a.begin - (b.end - b.begin) || a.begin - b.begin)) {
    const free = lanes.findIndex((lane) => lane.every((other) => span.end <= other.begin || other.end <= span.begin));
    span.lane = free < 0 ? lanes.length : free;
    (lanes[span.lane] ??= []).push(span);
  }
  return lanes.length;
};

/** Skips with what the design has of them: their channels and the bits of these. */
const skipsOfDesign = () =>
  more.skips.map((skip) => {
    const channels = schedule.channels.filter((c) => c.skip !== null && skipOf(c) === skip);
    const bits = channels.reduce((sum, c) => sum + neededBits(c), 0);
    const kind = skip.rewrite === "keep" ? "kept" : skip.same_function ? "served" : "changed";
    return { ...skip, channels, bits, kind };
  });

const FUNCTIONS = { kept: "the function is the same", served: "the function is the same", changed: "another function" };

const tellSkip = (skip) => {
  const of = skip.channels.map((c) => `${grouped(c.needed_words)} words of ${wordBits(c)} bits${c.memory ? ` in ${madeOf(c.memory)}` : ""}`);
  tell("graph", `Skip ${skip.label}: ${skip.became}`, [
    ["sum", skip.names.join(", ")],
    ["shape", skip.shape],
    ["plan", `${skip.rewrite}; ${FUNCTIONS[skip.kind]}`],
    ["FIFO", of.join("; ") || "none of its own"],
    ["bits", `${grouped(skip.bits)} (${kbit(skip.bits)} kbit)`],
  ]);
};

const drawGraph = () => {
  const order = inOrder();
  const main = mainPath(order);
  const row = new Map(order.map((id, i) => [id, i]));
  const skips = skipsOfDesign();
  const arcs = skips.filter((s) => s.source !== null && s.join !== null && row.get(s.source) < row.get(s.join));
  for (const arc of arcs) [arc.begin, arc.end] = [row.get(arc.source), row.get(arc.join)];
  const isArc = (channel, reader) =>
    channel.skip !== null && arcs.some((a) => a.source === channel.writer && a.join === reader);
  const wires = schedule.channels.flatMap((channel) =>
    channel.readers.filter(([reader]) => !isArc(channel, reader)).map(([reader]) =>
      ({ channel, reader, begin: row.get(channel.writer), end: row.get(reader) })));
  const far = wires.filter((w) => w.end > w.begin + 1);
  const [farLanes, arcLanes] = [inLanes(far), inLanes(arcs)];
  const most = Math.max(1, ...arcs.map((a) => a.bits));
  keepDrawn("graph-picture", (width) => {
    const wordsWidth = width < 480 ? 92 : 150;
    const left = 4 + Math.min(7 * farLanes, 56);
    const indent = width < 480 ? 8 : 22;
    const boxWidth = Math.max(110, Math.min(340, width - left - wordsWidth - Math.min(60, 16 * arcLanes) - indent));
    const right = left + indent + boxWidth;
    const laneStep = Math.max(1, Math.min(18, (width - wordsWidth - right - 6) / Math.max(1, arcLanes)));
    const wordsAt = right + 12 + arcLanes * laneStep;
    const thickest = Math.max(3, Math.min(12, laneStep * 0.8));
    const svg = picture(width, order.length * ROW + 8, `Graph of ${order.length} actors and ${skips.length} skips`);
    const x = (id) => left + (main.has(id) ? 0 : indent);
    const y = (i) => 6 + i * ROW + BOX / 2;
    const items = [];

    for (const wire of wires) {
      const [from, to] = [y(wire.begin), y(wire.end)];
      const lane = left - 4 - (wire.lane ?? 0) * Math.min(7, 56 / Math.max(1, farLanes));
      const middle = left + indent + (boxWidth - indent) / 2;
      const path = wire.lane === undefined
        ? `M${middle} ${from + BOX / 2}V${to - BOX / 2}`
        : `M${x(wire.channel.writer)} ${from + 5}H${lane}V${to - 5}H${x(wire.reader)}`;
      svg.append(shape("path", { d: path, class: "wire", "data-channel": wire.channel.id }));
    }
    const words = new Map();
    for (const arc of arcs) {
      const lane = right + 6 + (arc.lane + 0.5) * laneStep;
      const [from, to] = [y(arc.begin) + 4, y(arc.end) - 4];
      const [out, back] = [x(arc.source), x(arc.join)].map((at) => at + boxWidth);
      const bend = Math.min(8, laneStep);
      const d = `M${out} ${from}H${lane - bend}Q${lane} ${from} ${lane} ${from + bend}V${to - bend}Q${lane} ${to} ${lane - bend} ${to}H${back}`;
      const thickness = Math.max(1.5, (thickest * arc.bits) / most);
      const said = `skip ${arc.label} ${arc.became}`;
      const atJoin = words.get(arc.join) ?? 0;
      words.set(arc.join, atJoin + 1);
      const fits = width < 480 ? `${arc.label} ${arc.became}` : `${said}, ${kbit(arc.bits)} kbit`;
      const node = shape("g", {
        class: arc.kind, "data-skip": arc.label, "data-bits": arc.bits, "data-plan": arc.rewrite,
        "aria-label": `${said}, ${FUNCTIONS[arc.kind]}, FIFO of ${kbit(arc.bits)} kbit, ${arc.shape}`,
      },
        shape("path", { d, class: "halo", "stroke-width": thickness + 8 }),
        shape("path", { d, class: "arc", "stroke-width": thickness.toFixed(2) }),
        text(wordsAt, Math.max((from + to) / 2, to - 14) + 4 + 13 * atJoin, fits));
      svg.append(node);
      items.push({ node, key: `skip-${arc.label}`, show: () => tellSkip(arc), at: arc.end + 0.5 });
    }
    for (const id of order) {
      const actor = schedule.actors[id];
      const slow = id === bottleneck;
      const fold = actor.fold ? `${actor.fold.pe}\u00d7${actor.fold.simd}` : actor.kind;
      const room = boxWidth - 20 - 6.8 * fold.length;
      const node = shape("g", {
        class: slow ? "slow" : "", "data-actor": id, "data-phases": actor.phases,
        "data-pe": actor.fold?.pe, "data-simd": actor.fold?.simd,
        "aria-label": `${label(id)}, ${actor.kind}, ${grouped(actor.phases)} cycles a frame${slow ? ", the slowest" : ""}`,
      },
        shape("rect", { x: x(id), y: y(row.get(id)) - BOX / 2, width: boxWidth, height: BOX, rx: 2, class: "box" }),
        text(x(id) + 7, y(row.get(id)) + 4, shortened(slow ? `${label(id)}, slowest` : label(id), room)),
        text(x(id) + boxWidth - 7, y(row.get(id)) + 4, fold, { "text-anchor": "end", class: "quiet" }));
      svg.append(node);
      items.push({ node, key: `actor-${id}`, show: () => tellActor("graph", id), at: row.get(id) });
    }
    explorable(items.sort((a, b) => a.at - b.at));
    const gone = skips.filter((s) => !arcs.some((a) => a.label === s.label));
    const notDrawn = gone.map((s) => `${s.label} (${s.became})`).join(", ");
    byId("graph-picture").replaceChildren(...[
      legend(arcs, most), svg,
      gone.length > 0 ? element("p", { class: "remark" }, `Not drawn, since an end of it is no actor of its own: skip ${notDrawn}.`) : "",
    ]);
  });
  tellActor("graph", bottleneck);
};

const legend = (arcs, most) => {
  const kinds = [
    ["kept", "kept: a FIFO from fork to sum"],
    ["served", "served by a convolution beside it; the function is the same"],
    ["changed", "removed or shortened; another function"],
  ];
  const sample = (kind) =>
    shape("svg", { width: 34, height: 10, viewBox: "0 0 34 10", class: "sample", "aria-hidden": "true" },
      shape("g", { class: kind }, shape("path", { d: "M1 5H33", class: "arc", "stroke-width": 3 })));
  const items = kinds.filter(([kind]) => arcs.some((a) => a.kind === kind))
    .map(([kind, words]) => element("li", {}, sample(kind), words));
  if (arcs.some((a) => a.bits > 0)) items.push(element("li", {}, `the thickest: ${kbit(most)} kbit`));
  items.push(element("li", {}, "in boxes: PE\u00d7SIMD, or the kind"));
  return element("ul", { class: "legend" }, ...items);
};

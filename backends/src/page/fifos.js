// The FIFOs: depth against peak of every channel, and the reason for the depth in words.

/** How many words a channel holds until the first frame has left. */
const heldOverTime = (channel) => {
  if (!more.occupancy) return element("p", { class: "remark" }, "How full it is over time was not found out: the design has too many events.");
  const { clocks, most } = more.occupancy;
  const words = most[channel.id];
  const [width, height, left, top, bottom] = [270, 118, 4, 16, 98];
  const high = Math.max(channel.needed_words, 1);
  const y = (n) => (bottom - ((bottom - top) * n) / high).toFixed(1);
  const x = (i) => (left + ((width - 2 * left) * i) / words.length).toFixed(1);
  const outline = words.map((n, i) => `L${x(i)} ${y(n)}H${x(i + 1)}`).join("");
  const said = `Words held in the first ${grouped(clocks)} cycles: at most ${grouped(Math.max(...words))} of ${grouped(channel.needed_words)}`;
  return shape("svg", { viewBox: `0 0 ${width} ${height}`, width, role: "img", "aria-label": said, "data-words": words.join(",") },
    shape("path", { d: `M${left} ${bottom}${outline}V${bottom}Z`, class: "peak" }),
    shape("path", { d: `M${left} ${y(channel.needed_words)}H${width - left}`, class: "mark" }),
    text(left, top - 4, `depth ${grouped(channel.needed_words)}`, { class: "quiet" }),
    text(left, bottom + 14, "0", { class: "quiet" }),
    text(width - left, bottom + 14, `cycle ${grouped(clocks)}`, { class: "quiet", "text-anchor": "end" }));
};

const tellChannel = (channel) => {
  const why = more.whys[channel.id];
  const skip = channel.skip === null ? null : skipOf(channel);
  const steps = why.circle.map(([step, times]) =>
    element("li", {}, more.steps[step] + (times > 1 ? ` (${grouped(times)} times)` : "")));
  tell("fifos", channelName(channel), [
    ["use", channel.skip === null ? channel.use : `skip ${labelOfNumber.get(channel.skip)}${skip ? `, ${skip.shape}` : ""}`],
    ["map", channel.map],
    ["depth", `${grouped(channel.needed_words)} words of ${grouped(wordBits(channel))} bits`],
    ["peak", `${grouped(channel.peak_words)} words`],
    ["held", channel.memory && `${grouped(channel.memory.allocated_words)} words in ${madeOf(channel.memory)}`],
    ["runs with", channel.least_running_words !== null ? `${grouped(channel.least_running_words)} words` : null],
    ["whole frame", `${grouped(channel.beats)} words`],
    ["proof", channel.evidence.proven ? "proven the least" : channel.evidence.kind],
  ],
    element("p", {}, "Words held until the first frame has left:"),
    heldOverTime(channel),
    element("p", {}, why.sentence),
    steps.length > 0 ? element("ol", {}, ...steps) : "");
};

const drawFifos = () => {
  const scales = {
    kbit: [(c, words) => words * wordBits(c), (bits) => `${kbit(bits)} kbit`],
    words: [(c, words) => words, (words) => `${grouped(words)} words`],
  };
  const state = { scale: "kbit", largest: false };
  const place = "fifos-picture";
  const draw = (width) => {
    const [of, said] = scales[state.scale];
    const channels = [...schedule.channels];
    if (state.largest) channels.sort((a, b) => of(b, b.needed_words) - of(a, a.needed_words) || a.id - b.id);
    const narrow = width < 560;
    const [left, right] = narrow ? [2, 84] : [250, 96];
    const [rowHeight, bar] = narrow ? [36, 12] : [21, 12];
    const held = (c) => Math.max(c.needed_words, c.memory?.allocated_words ?? 0);
    const most = Math.max(1, ...channels.map((c) => of(c, held(c))));
    const wide = (c, words) => Math.max(words > 0 ? 1 : 0, ((width - left - right) * of(c, words)) / most).toFixed(2);
    const svg = picture(width, channels.length * rowHeight + 6, `Depth and peak of ${channels.length} channels`);
    const items = channels.map((c, i) => {
      const top = i * rowHeight + 4;
      const at = narrow ? top + 16 : top + 1;
      const name = channelName(c) + (c.skip === null ? "" : `, skip ${labelOfNumber.get(c.skip)}`);
      const node = shape("g", {
        class: c.skip === null ? "" : "of-skip", "data-channel": c.id,
        "data-depth": c.needed_words, "data-peak": c.peak_words, "data-held": c.memory?.allocated_words,
        "aria-label": `${name}: depth ${grouped(c.needed_words)}, peak ${grouped(c.peak_words)} words of ${grouped(wordBits(c))} bits`,
      },
        shape("rect", { x: 0, y: top - 3, width, height: rowHeight, class: "strip" }),
        text(narrow ? 2 : left - 8, narrow ? top + 11 : top + 11, shortened(name, narrow ? width : left - 12),
          { "text-anchor": narrow ? "start" : "end" }),
        shape("rect", { x: left, y: at, width: wide(c, held(c)), height: bar, class: "held" }),
        shape("rect", { x: left, y: at, width: wide(c, c.peak_words), height: bar, class: "peak" }),
        shape("rect", { x: left, y: at, width: wide(c, c.needed_words), height: bar, class: "depth" }),
        text(left + Number(wide(c, held(c))) + 6, at + 10, said(of(c, c.needed_words)), { class: "quiet" }));
      svg.append(node);
      return { node, key: `channel-${c.id}`, show: () => tellChannel(c) };
    });
    explorable(items);
    const key = ["frame: depth", "filled: most words held at once", "pale: what the primitives hold beyond it"];
    byId(place).replaceChildren(element("ul", { class: "legend" }, ...key.map((words) => element("li", {}, words))), svg);
  };
  const tools = byId("fifos-tools");
  const again = () => draw(Math.floor(byId(place).clientWidth) || 640);
  choice(tools, "Scale", [["in kbit", "kbit"], ["in words", "words"]], (scale) => {
    state.scale = scale;
    again();
  });
  choice(tools, "Order", [["from input to output", false], ["largest first", true]], (largest) => {
    state.largest = largest;
    again();
  });
  keepDrawn(place, draw);
  const deepest = schedule.channels.reduce((a, b) => (neededBits(b) > neededBits(a) ? b : a));
  tellChannel(deepest);
};

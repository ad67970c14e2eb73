// What the views share: the data, elements, numbers as people read them, what is chosen. Names are set as text alone.
"use strict";

window.addEventListener("error", (event) => {
  document.documentElement.dataset.fault = event.message;
});

const byId = (id) => document.getElementById(id);
const schedule = JSON.parse(byId("schedule").textContent);
const more = JSON.parse(byId("more").textContent);

/** An element of HTML with its attributes and children; text children are text. */
const element = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);

/** An element of SVG. */
const shape = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

const filled = (made, attributes, children) => {
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
};

const text = (x, y, words, attributes = {}) => shape("text", { x, y, ...attributes }, words);

/** A picture as wide as its place. */
const picture = (width, height, label, role = "group") =>
  shape("svg", { viewBox: `0 0 ${width} ${height}`, width, role, "aria-label": label });

/** A whole number with its thousands apart. */
const grouped = (n) => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");

/** Bits in units of 1,000, cut off as in the tables. */
const kbit = (bits) => `${grouped(Math.floor(bits / 1000))}.${Math.floor((bits % 1000) / 100)}`;

/** The end of a name says more than its beginning. */
const shortened = (name, pixels) => {
  const most = Math.max(4, Math.floor(pixels / 6.8));
  const letters = Array.from(name);
  return letters.length <= most ? name : "\u2026" + letters.slice(letters.length + 1 - most).join("");
};

const label = (actor) => more.labels[actor];
const wordBits = (channel) => channel.lanes * channel.bits;
const neededBits = (channel) => channel.needed_words * wordBits(channel);
const readersOf = (channel) => channel.readers.map(([actor]) => label(actor)).join(", ");
const channelName = (channel) => `${label(channel.writer)} \u2192 ${readersOf(channel)}`;
const madeOf = (memory) =>
  memory.count > 0 ? `${grouped(memory.count)} ${memory.primitive}${memory.shape ? " " + memory.shape : ""}` : memory.primitive;
const bottleneck = schedule.timing.bottleneck;

/** The skip of the network as given that a channel carries. */
const labelOfNumber = new Map(more.carried);
const skipOf = (channel) => more.skips.find((skip) => skip.label === labelOfNumber.get(channel.skip));

/** Between views: what is read about is marked in all of them. */
const choose = (key) => {
  document.querySelectorAll(".chosen").forEach((old) => old.classList.remove("chosen"));
  document.querySelectorAll(`[data-key="${key}"]`).forEach((now) => now.classList.add("chosen"));
};

/** Fills a view's place for details. */
const tell = (view, title, facts, ...rest) => {
  const list = element("dl");
  for (const [term, said] of facts) {
    if (said !== null && said !== undefined && said !== "") list.append(element("dt", {}, term), element("dd", {}, String(said)));
  }
  byId(`${view}-detail`).replaceChildren(element("h3", {}, title), list, ...rest);
};

/** All that is known of an actor. */
const tellActor = (view, id) => {
  const actor = schedule.actors[id];
  const inputs = schedule.channels.filter((c) => c.readers.some(([reader]) => reader === id));
  const outputs = schedule.channels.filter((c) => c.writer === id);
  const maps = (channels) => [...new Set(channels.map((c) => c.map))].join(", ");
  const fold = actor.fold;
  const form = fold && fold.form + (fold.form_parameter === null ? "" : `/${fold.form_parameter}`);
  const held = new Map();
  schedule.memories.forEach((memory, i) => {
    const [holder, content] = more.memories[i];
    if (holder === id) held.set(content, [...(held.get(content) ?? []), madeOf(memory)]);
  });
  const memories = [...held].map(([content, made]) => `${content}: ${made.join(", ")}`);
  const slow = id === bottleneck ? " (the slowest: it binds the rate)" : "";
  tell(view, label(id), [
    ["kind", actor.kind],
    ["reads", maps(inputs)],
    ["gives", maps(outputs)],
    ["PE", fold && fold.pe],
    ["SIMD", fold && fold.simd],
    ["form", form],
    ["ports", fold && fold.ports],
    ["multiplier", fold && `${grouped(fold.multipliers)}, ${fold.multiplier}`],
    ["interval", `${grouped(actor.phases)} cycles a frame${slow}`],
    ["at work", `cycles ${grouped(actor.first_clock)} to ${grouped(actor.last_clock)}`],
    ["lanes", `${actor.lanes_in} in, ${actor.lanes_out} out`],
    ["takes", `${grouped(actor.area.luts)} LUT, ${grouped(actor.area.ffs)} FF (estimates), ${grouped(actor.area.dsps)} DSP`],
    ["memories", memories.join("; ")],
    ["ONNX names", actor.names.join(", ")],
  ]);
};

/**
 * One stop of the tab key for a picture, arrow keys within it; what is focused, pointed at or clicked is shown.
 * `items` are `{ node, key, show }` in the order of reading.
 */
const explorable = (items) => {
  let current = 0;
  const stop = (index) => {
    items[current].node.setAttribute("tabindex", "-1");
    current = index;
    items[current].node.setAttribute("tabindex", "0");
  };
  items.forEach((item, index) => {
    const { node, key, show } = item;
    const now = () => {
      choose(key);
      show();
    };
    node.setAttribute("role", "button");
    node.setAttribute("tabindex", index === 0 ? "0" : "-1");
    node.dataset.key = key;
    node.addEventListener("focus", () => {
      stop(index);
      now();
    });
    node.addEventListener("pointerenter", now);
    node.addEventListener("click", () => {
      node.focus({ preventScroll: true });
      now();
    });
    node.addEventListener("keydown", (event) => {
      const to = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: items.length - 1 }[event.key];
      if (event.key === "Enter" || event.key === " ") now();
      else if (to === undefined || !items[to]) return;
      else items[to].node.focus();
      event.preventDefault();
    });
  });
};

/** A button among the tools of a view. */
const tool = (place, words, act, spoken) => {
  const button = element("button", { type: "button", "aria-label": spoken }, words);
  button.addEventListener("click", act);
  place.append(button);
  return button;
};

/** Buttons of which one is pressed. */
const choice = (place, spoken, options, act) => {
  const group = element("span", { role: "group", "aria-label": spoken });
  place.append(group);
  const buttons = options.map(([words, value], i) =>
    tool(group, words, () => {
      buttons.forEach((button, j) => button.setAttribute("aria-pressed", String(i === j)));
      act(value);
    }));
  buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === 0)));
};

/** Draws into a place, and again whenever that becomes wider or narrower. */
const keepDrawn = (place, draw) => {
  let drawn = 0;
  const again = () => {
    const width = Math.floor(byId(place).clientWidth) || 640;
    if (width !== drawn) {
      drawn = width;
      draw(width);
    }
  };
  again();
  new ResizeObserver(again).observe(byId(place));
};

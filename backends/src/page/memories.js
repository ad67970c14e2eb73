// The memories: what is taken of the device and by what, as bars of the figures in the table below them.

/** The table "What takes it" as `[use, amount]` by resource. */
const usesByResource = () => {
  const table = byId("uses-table");
  const fields = [...table.querySelectorAll("thead th")].map((th) => th.dataset.field);
  const rows = [...table.querySelectorAll("tbody tr")];
  return new Map(fields.slice(1).map((field, i) =>
    [field, rows.map((row) => [row.dataset.use, Number(row.cells[i + 1].dataset.v)])]));
};

const drawMemories = () => {
  const { taken, available } = schedule.resources;
  const heading = (field) => byId("uses-table").querySelector(`th[data-field="${field}"]`).textContent;
  const uses = usesByResource();
  const names = [...uses.values()][0].map(([use]) => use);
  const colour = (use) => `var(--s${names.indexOf(use) % 9})`;
  keepDrawn("memories-picture", (width) => {
    const narrow = width < 560;
    const left = narrow ? 2 : 130;
    const [rowHeight, bar] = [narrow ? 44 : 28, 16];
    const fields = [...uses.keys()].filter((field) => taken[field] > 0 || available?.[field] > 0);
    const words = fields.map((field) => `${heading(field)} ${grouped(taken[field])}${available ? ` of ${grouped(available[field])}` : ""}`);
    const svg = picture(width, fields.length * rowHeight, `Taken of the device: ${words.join("; ")}`, "img");
    fields.forEach((field, i) => {
      const whole = Math.max(available?.[field] ?? taken[field], taken[field], 1);
      const top = i * rowHeight + (narrow ? 18 : 4);
      const scale = (width - left - (narrow ? 4 : 190)) / whole;
      const said = available
        ? `${grouped(taken[field])} of ${grouped(available[field])}${available[field] > 0 ? `, ${((100 * taken[field]) / available[field]).toFixed(1)} %` : ""}`
        : grouped(taken[field]);
      svg.append(text(narrow ? 2 : left - 8, narrow ? top - 5 : top + 12, narrow ? `${heading(field)}: ${said}` : heading(field),
        { "text-anchor": narrow ? "start" : "end" }));
      let x = left;
      const group = shape("g", { "data-resource": field, "data-taken": taken[field], "data-available": available?.[field] },
        shape("rect", { x, y: top, width: (whole * scale).toFixed(2), height: bar, class: "held" }));
      for (const [use, amount] of uses.get(field).filter(([, amount]) => amount > 0)) {
        group.append(shape("rect", {
          x: x.toFixed(2), y: top, width: (amount * scale).toFixed(2), height: bar, style: `fill:${colour(use)};stroke:var(--paper)`,
          "data-use": use, "data-amount": amount,
        }, shape("title", {}, `${use}: ${grouped(amount)} ${heading(field)}`)));
        x += amount * scale;
      }
      svg.append(group);
      if (!narrow) svg.append(text(left + whole * scale + 8, top + 12, said, { class: "quiet" }));
    });
    const key = names.filter((use) => [...uses.values()].some((list) => list.some(([u, amount]) => u === use && amount > 0)));
    const sample = (use) => element("li", {}, element("i", { style: `background:${colour(use)}` }), use);
    byId("memories-picture").replaceChildren(element("ul", { class: "legend" }, ...key.map(sample)), svg);
  });
};

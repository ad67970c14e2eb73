// The start: pictures into their places, buttons into the heads of tables.

const inWords = new Intl.Collator("en", { numeric: true });

/** Sorts a table's rows by a column, numbers as numbers; rows without a value come last. */
const sortTable = (table, column, descending) => {
  const value = (row) => {
    const cell = row.cells[column];
    const data = cell.dataset.v;
    return data === undefined ? cell.textContent : Number(data);
  };
  const keyed = [...table.tBodies[0].rows].map((row, i) => ({ row, i, v: value(row) }));
  const sign = descending ? -1 : 1;
  keyed.sort((a, b) => {
    if (a.v === "" || b.v === "") return (a.v === "") - (b.v === "") || a.i - b.i;
    const numbers = typeof a.v === "number" && typeof b.v === "number";
    return sign * (numbers ? a.v - b.v : inWords.compare(String(a.v), String(b.v))) || a.i - b.i;
  });
  table.tBodies[0].append(...keyed.map(({ row }) => row));
};

const sortable = (table) => {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = element("button", { type: "button" }, head.textContent);
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortTable(table, column, descending);
    });
    head.replaceChildren(button);
  });
};

// Paper shows what is folded away.
const folded = [...document.querySelectorAll("details")];
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = folded.filter((details) => !details.open);
  opened.forEach((details) => (details.open = true));
});
window.addEventListener("afterprint", () => opened.forEach((details) => (details.open = false)));

document.documentElement.classList.add("scripted");
drawGraph();
drawTimeline();
drawFifos();
drawMemories();
document.querySelectorAll("main table").forEach(sortable);
document.documentElement.dataset.ready = "";

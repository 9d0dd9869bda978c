"use strict";
// Sorts tables by the column whose title is pressed: numbers as numbers, the largest first; what is empty stays last.
(() => {
  const value = (row, column) => row.cells[column].dataset.sort.trim();
  const number = (text) => (text === "" ? NaN : Number(text));

  function order(rows, column, rising) {
    const numeric = rows.every((row) => value(row, column) === "" || !Number.isNaN(number(value(row, column))));
    const compare = (a, b) => (numeric ? number(a) - number(b) : a.localeCompare(b, "en", { numeric: true }));
    return [...rows].sort((one, two) => {
      const [a, b] = [value(one, column), value(two, column)];
      if (a === "" || b === "") return (a === "") - (b === "");
      return rising ? compare(a, b) : compare(b, a);
    });
  }

  for (const table of document.querySelectorAll("table.data")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) =>
      head.querySelector("button").addEventListener("click", () => {
        const first = head.classList.contains("figure") ? "descending" : "ascending";
        const second = first === "ascending" ? "descending" : "ascending";
        const now = head.getAttribute("aria-sort") === first ? second : first;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", now);
        table.tBodies[0].append(...order([...table.tBodies[0].rows], column, now === "ascending"));
      }),
    );
  }
})();

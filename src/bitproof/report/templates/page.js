"use strict";
(() => {
  const THEMES = {
    light: { ink: "#1c2127", grid: "#e4e7ea", muted: "#98a2ad", paper: "#ffffff" },
    dark: { ink: "#d9dee4", grid: "#31373f", muted: "#6b7580", paper: "#1c2026" },
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const config = { responsive: true, displaylogo: false, modeBarButtons: [["toImage"]] };

  // Plots

  const themed = (layout, name) => {
    const { ink, grid, muted, paper } = THEMES[name];
    const axis = (own) => ({ ...own, gridcolor: grid, linecolor: grid, tickfont: { size: 11 } });
    return {
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: ink },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 12, r: 12, t: 12, b: 12 },
      legend: { orientation: "h", yanchor: "bottom", y: 1.02, x: 0, xanchor: "left" },
      hoverlabel: { bgcolor: paper, bordercolor: grid, font: { color: ink }, align: "left" },
      dragmode: false,
      modebar: { bgcolor: "rgba(0,0,0,0)", color: muted, activecolor: ink },
      ...layout,
      xaxis: axis(layout.xaxis),
      yaxis: axis(layout.yaxis),
    };
  };

  const plots = [...document.querySelectorAll(".plot")].map((element) => {
    const script = element.querySelector("script");
    const figure = JSON.parse(script.textContent);
    script.remove();
    return { element, figure };
  });

  const draw = (name) =>
    Promise.all(plots.map(({ element, figure }) => Plotly.react(element, figure.data, themed(figure.layout, name), config)));

  const current = () => (dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => draw(current()));
  addEventListener("beforeprint", () => draw("light"));
  addEventListener("afterprint", () => draw(current()));
  draw(current()).then(() => {
    const drawn = plots.filter(({ element }) => element.querySelector(".main-svg")).length;
    document.documentElement.dataset.plots = `${drawn}/${plots.length}`;
  });

  // Tables

  const value = (row, column) => {
    const cell = row.cells[column];
    const raw = cell.dataset.sort;
    if (raw === undefined) return null;
    return cell.classList.contains("num") ? Number(raw) : raw;
  };

  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => compare(value(a, column), value(b, column), up ? 1 : -1));
        table.tBodies[0].append(...rows);
      });
    });
  }

  for (const input of document.querySelectorAll("input.filter")) {
    const tools = input.closest(".tools");
    const rows = [...tools.nextElementSibling.querySelectorAll("tbody tr")];
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/);
      rows.forEach((row) => {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      });
      tools.querySelector(".shown").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
    });
  }

  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((details) => (details.open = true)));
})();

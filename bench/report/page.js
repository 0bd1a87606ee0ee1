// The page of `lowtide bench --html`: shows the results that it carries as JSON.
"use strict";

const results = JSON.parse(document.getElementById("results").textContent);
const allocators = results.allocators.map((each) => each.name);
const measured = results.workloads.filter((each) => each.results);
const metrics = [
  { key: "time", title: "Time per operation", unit: time },
  { key: "peak_rss", title: "Peak RSS", unit: kibibytes, binary: true },
  { key: "minor_faults", title: "Minor page faults", unit: count },
  { key: "idle_rss", title: "RSS after a second of idling", unit: kibibytes, binary: true, rare: true },
  { key: "mappings", title: "Mappings after idling", unit: count, rare: true },
  { key: "reload", title: "Time per operation after idling", unit: time, rare: true },
  { key: "system_calls", title: "System calls", unit: count, rare: true },
].filter(({ key, rare }) => !rare || measured.some((each) => Object.values(each.results).some((one) => one[key])));
const view = { metric: metrics[0], hidden: new Set() };

// --- numbers and elements

function scaled(value, units, step) {
  let unit = 0;
  for (; value >= step && unit + 1 < units.length; ++unit) value /= step;
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0) + units[unit];
}
function time(ns) { return scaled(ns, [" ns", " µs", " ms", " s"], 1000); }
function kibibytes(kib) { return scaled(kib, [" KiB", " MiB", " GiB"], 1024); }
function count(n) { return n < 1000 ? n.toFixed(0) : scaled(n / 1000, ["k", "M"], 1000); }
function times(ratio) { return ratio.toFixed(ratio < 9.995 ? 2 : ratio < 99.95 ? 1 : 0) + "×"; }
function grade(ratio) { return ratio <= 1.05 ? "good" : ratio <= 1.25 ? "" : ratio <= 2 ? "bad" : "worse"; }

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
function byId(id) { return document.getElementById(id); }
function color(name) { return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(); }
function seriesColor(index) { return color(`series-${index % 8}`); }

function valuesOf(workload, allocator) {
  const result = workload.results[allocator];
  return result[view.metric.key] ?? null;
}

// --- marks: each allocator has a shape besides its colour

const shapes = [
  (path, x, y, r) => path.arc(x, y, r, 0, 2 * Math.PI),
  (path, x, y, r) => path.rect(x - 0.85 * r, y - 0.85 * r, 1.7 * r, 1.7 * r),
  (path, x, y, r) => polygon(path, x, y, 1.25 * r, 4, 0),
  (path, x, y, r) => polygon(path, x, y, 1.25 * r, 3, -Math.PI / 2),
  (path, x, y, r) => polygon(path, x, y, 1.25 * r, 3, Math.PI / 2),
];
function polygon(path, x, y, r, corners, turn) {
  for (let i = 0; i < corners; ++i) {
    const angle = turn + (i * 2 * Math.PI) / corners;
    path[i === 0 ? "moveTo" : "lineTo"](x + r * Math.cos(angle), y + r * Math.sin(angle));
  }
  path.closePath();
}
function mark(index, x, y, r) {
  const path = new Path2D();
  shapes[index % shapes.length](path, x, y, r);
  return path;
}

// --- plots

const plots = [];

// Ticks of a logarithmic axis: steps within each decade (within each power of four, for bytes), the fewer the more
// there is to cover.
function ticks(min, max, binary) {
  const base = binary ? 4 : 10;
  const span = Math.log(max / min) / Math.log(base);
  const steps = binary ? (span < 1.2 ? [1, 1.25, 1.5, 2, 2.5, 3] : span < 4 ? [1, 2] : [1])
    : span < 0.5 ? [1, 1.1, 1.25, 1.5, 2, 3, 4, 5, 6, 8] : span < 1 ? [1, 1.5, 2, 3, 5, 7] : span < 3.3 ? [1, 2, 5] : [1];
  const list = [];
  for (let power = base ** Math.floor(Math.log(min) / Math.log(base)); power <= max; power *= base)
    for (const step of steps) if (power * step >= min && power * step <= max) list.push(power * step);
  return list;
}

// A plot of workloads side by side; `read` gives {median, min, max} in what the axis shows, or null.
function plot(into, workloads, read, { unit, binary }, height) {
  const shown = allocators.filter((each) => !view.hidden.has(each));
  const at = []; // what is at each x: the allocators of a workload lie side by side
  workloads.forEach((workload, w) =>
    shown.forEach((allocator, a) => {
      const x = w + ((a - (shown.length - 1) / 2) / Math.max(shown.length, 4)) * 0.6;
      at.push({ x, workload, allocator, index: allocators.indexOf(allocator), values: read(workload, allocator) });
    }));
  const present = at.filter((each) => each.values);
  if (present.length === 0) return;
  const least = Math.min(...present.map((each) => each.values.min)) / 1.12;
  const most = Math.max(...present.map((each) => each.values.max)) * 1.12;

  const axis = { stroke: color("faint"), grid: { stroke: color("line"), width: 1 }, ticks: { show: false } };
  const longest = Math.max(...workloads.map((each) => each.name.length));
  const tilted = (into.clientWidth - 90) / workloads.length < 7.5 * longest;
  const options = {
    width: Math.max(into.clientWidth - 20, 90 + 17 * workloads.length), // narrower, the names would overlap
    height: height + (tilted ? 4.6 * longest : 0),
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: [-0.5, workloads.length - 0.5] },
      y: { distr: 3, range: [least, most] },
    },
    series: [{}, { paths: () => null, points: { show: false } }],
    axes: [
      { ...axis, splits: () => workloads.map((_, i) => i), values: () => workloads.map((each) => each.name),
        rotate: tilted ? 45 : 0, size: tilted ? 20 + 4.6 * longest : 34, grid: { show: false } },
      { ...axis, splits: () => ticks(least, most, binary), filter: (_, splits) => splits,
        values: (_, splits) => splits.map((value) => unit(value).replace(/\.0+(?=\D|$)/, "")), size: 74 },
    ],
    hooks: {
      drawAxes: [(u) => drawBands(u, workloads.length)],
      draw: [(u) => present.forEach((each) => drawOne(u, each))],
      setCursor: [(u) => showTip(u, at, unit)],
    },
  };
  const made = new uPlot(options, [at.map((each) => each.x), at.map((each) => each.values?.median ?? null)], into);
  made.over.addEventListener("mouseleave", () => { byId("tip").hidden = true; });
  plots.push(made);
}

function drawBands(u, workloads) {
  u.ctx.save();
  u.ctx.fillStyle = color("line");
  u.ctx.globalAlpha = 0.25;
  for (let i = 0; i < workloads; i += 2) {
    const left = u.valToPos(i - 0.5, "x", true);
    u.ctx.fillRect(left, u.bbox.top, u.valToPos(i + 0.5, "x", true) - left, u.bbox.height);
  }
  u.ctx.restore();
}

function drawOne(u, { x, index, values }) {
  const [px, median, min, max] = [u.valToPos(x, "x", true), ...[values.median, values.min, values.max].map(
    (value) => u.valToPos(value, "y", true))];
  u.ctx.save();
  u.ctx.strokeStyle = u.ctx.fillStyle = seriesColor(index);
  u.ctx.lineWidth = 1.5 * devicePixelRatio;
  u.ctx.stroke(new Path2D(`M${px} ${min}L${px} ${max}`));
  u.ctx.fill(mark(index, px, median, 3.6 * devicePixelRatio));
  u.ctx.restore();
}

function showTip(u, at, unit) {
  const tip = byId("tip");
  const point = at[u.cursor.idx];
  tip.hidden = point === undefined || u.cursor.left < 0;
  if (tip.hidden) return;
  const { values } = point;
  tip.textContent = `${point.workload.name} on ${point.allocator}\n` +
    (values ? `${unit(values.median)}, from ${unit(values.min)} to ${unit(values.max)}\n` : "failed\n") +
    point.workload.about;
  const over = u.over.getBoundingClientRect();
  const left = over.left + u.cursor.left + 14;
  tip.style.left = `${Math.min(left, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${over.top + u.cursor.top + 14}px`;
}

function drawPlots() {
  for (const each of plots.splice(0)) each.destroy();
  byId("groups").replaceChildren();
  const relative = (workload, allocator) => {
    const values = valuesOf(workload, allocator);
    if (!values) return null;
    const best = values.median / values.ratio;
    return { median: values.ratio, min: values.min / best, max: values.max / best };
  };
  plot(byId("overview"), measured, relative, { unit: times }, 330);
  byId("groups-title").textContent = `${view.metric.title}, by group`;
  for (const group of new Set(measured.map((each) => each.group))) {
    const workloads = measured.filter((each) => each.group === group);
    const box = element("div", { className: workloads.length > 6 ? "plot full" : "plot" }, element("h4", {}, group));
    byId("groups").append(box);
    plot(box, workloads, valuesOf, view.metric, 220);
  }
}

// --- text and tables

function fillHead() {
  const { machine, settings } = results;
  byId("session").textContent = [results.date, machine.processor, `${machine.processors} processors`, machine.memory,
    `Linux ${machine.kernel}`, machine.libc, `huge pages: ${machine.huge_pages}`,
    `median of ${settings.repeat} runs` + (settings.scale === 1 ? "" : ` at ${settings.scale} of the work`),
    results.command].join(" · ");
  byId("allocators").append(...results.allocators.map((each) => element("div", {}, element("dt", {}, each.name),
    element("dd", {}, `${each.version} ${each.file}`.trim()))));
}

function fillTroubles() {
  const list = byId("troubles").querySelector("ul");
  if (results.interrupted) list.append(element("li", {}, "The session was interrupted: later workloads are missing."));
  for (const workload of results.workloads) {
    if (workload.skipped) list.append(element("li", {}, `${workload.name} skipped: ${workload.skipped}`));
    for (const [name, result] of Object.entries(workload.results ?? {}))
      if (result.status !== "ok")
        list.append(element("li", { className: "failed" }, `${workload.name} on ${name}: ${result.reason}`));
  }
  byId("troubles").hidden = list.children.length === 0;
}

function fillStandings() {
  const { workloads, allocators: standings } = results.summary;
  byId("basis").textContent = `Geometric mean of the multiples of the best, over the ${workloads} of ` +
    `${results.workloads.filter((each) => !each.baseline).length} workloads that every allocator completed; the same ` +
    "of the best of the others (at 1 or less, it is at their frontier or ahead of it); and the worst of them.";
  if (workloads === 0) return;
  const table = byId("standings");
  table.append(element("thead", {}, element("tr", {}, element("th"),
    ...metrics.flatMap((each) => [element("th", {}, each.title), element("th", {}, "to others"),
      element("th", {}, "worst")]))));
  const body = table.appendChild(element("tbody"));
  for (const name of allocators) {
    const row = element("tr", {}, element("th", {}, name));
    for (const { key } of metrics) {
      if (!standings[name][key]) {
        row.append(element("td"), element("td"), element("td"));
        continue;
      }
      const { geometric_mean: mean, to_others: others, worst, worst_workload: where } = standings[name][key];
      const best = Math.min(...allocators.map((each) => standings[each][key].geometric_mean));
      row.append(element("td", { className: mean === best ? "good" : "" }, mean.toFixed(3)),
        element("td", {}, others?.toFixed(3) ?? ""),
        element("td", { className: grade(worst) }, `${times(worst)} ${where}`));
    }
    body.append(row);
  }
}

function fillMedians() {
  const table = byId("medians");
  table.replaceChildren(element("thead", {}, element("tr", {}, element("th", {}, view.metric.title),
    ...allocators.map((each) => element("th", {}, each)))));
  const body = table.appendChild(element("tbody"));
  const { unit } = view.metric;
  let group = "";
  for (const workload of measured) {
    if (workload.group !== group) {
      group = workload.group;
      body.append(element("tr", { className: "group" }, element("th", { colSpan: allocators.length + 1 }, group)));
    }
    body.append(element("tr", { title: workload.about }, element("td", {}, workload.name), ...allocators.map((name) => {
      const values = valuesOf(workload, name);
      if (!values && workload.results[name].status === "ok") return element("td", {}, "–");
      if (!values) return element("td", { className: "failed", title: workload.results[name].reason }, "failed");
      const title = `${unit(values.min)} to ${unit(values.max)}\n${workload.about}`;
      return element("td", { className: grade(values.ratio), title }, unit(values.median) + " ",
        element("small", {}, times(values.ratio)));
    })));
  }
}

// --- controls

function addControls() {
  for (const metric of metrics) {
    const input = element("input", { type: "radio", name: "metric", checked: metric === view.metric });
    input.addEventListener("change", () => { view.metric = metric; draw(); });
    byId("metrics").append(element("label", {}, input, ` ${metric.title}`));
  }
  allocators.forEach((name, index) => {
    const input = element("input", { type: "checkbox", checked: true });
    input.addEventListener("change", () => {
      view.hidden[input.checked ? "delete" : "add"](name);
      drawPlots();
    });
    const canvas = element("canvas", { width: 18, height: 18, className: "key" });
    canvas.dataset.index = index;
    byId("shown").append(element("label", {}, input, canvas, name));
  });
}

function drawKeys() {
  for (const canvas of document.querySelectorAll("canvas.key")) {
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = seriesColor(Number(canvas.dataset.index));
    context.fill(mark(Number(canvas.dataset.index), 9, 9, 6));
  }
}

function draw() {
  drawKeys();
  drawPlots();
  fillMedians();
}

fillHead();
fillTroubles();
fillStandings();
addControls();
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
let settling;
addEventListener("resize", () => {
  clearTimeout(settling);
  settling = setTimeout(drawPlots, 150);
});

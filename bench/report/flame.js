// The page of `lowtide bench --flame`: shows the profiles that it carries as JSON, one at a time.
"use strict";

const profiles = JSON.parse(document.getElementById("profiles").textContent);
const origins = ["program", "allocator", "kernel"]; // in the order of their numbers in the JSON
const rowHeight = 18;
const workloads = profiles.workloads.filter((each) => graphsOf(each).length > 0);
const view = { workload: workloads[0], allocator: null, chart: null };

// --- elements and numbers

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
function byId(id) { return document.getElementById(id); }
function percent(part, whole) { return `${((100 * part) / whole).toFixed(1)}%`; }
function plural(samples) { return `${samples} ${samples === 1 ? "sample" : "samples"}`; }

// --- the profiles: a frame is [function, samples, callees...], a function [name, origin]

function graphsOf(workload) { return Object.entries(workload.graphs).filter(([, graph]) => graph.calls); }
function calls() { return view.workload.graphs[view.allocator].calls; }

// The samples of each origin, in the functions themselves.
function shares([number, samples, ...callees], sums = [0, 0, 0]) {
  sums[profiles.functions[number][1]] += samples - callees.reduce((sum, each) => sum + each[1], 0);
  for (const each of callees) shares(each, sums);
  return sums;
}

// As the chart wants it; it keeps notes of its own in there.
function tree([number, value, ...callees]) {
  const [name, origin] = profiles.functions[number];
  return { name, origin, value, children: callees.map(tree) };
}

// What there is room for; the tip has the whole name.
function brief(name) { return name.replaceAll("(anonymous namespace)::", "").replaceAll("lowtide::", ""); }

// --- the graph

// Called with the chart's svg; the rest is called as the pointer goes over frames.
const tip = Object.assign(() => {}, {
  show(event, { data }) {
    const box = byId("tip");
    box.textContent =
      `${data.name}\n${percent(data.value, calls()[1])}, ${plural(data.value)}\n${origins[data.origin]}`;
    box.hidden = false;
    box.style.left = "0"; // as wide as it likes to be
    box.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8))}px`;
    const below = event.clientY + 18;
    box.style.top = `${below + box.offsetHeight < innerHeight ? below : event.clientY - box.offsetHeight - 10}px`;
  },
  hide() { byId("tip").hidden = true; },
});

function draw() {
  const into = byId("graph");
  tip.hide();
  into.replaceChildren();
  const root = tree(calls());
  view.chart = d3.flamegraph().width(into.clientWidth).cellHeight(rowHeight).inverted(true).sort(true)
    .getName(({ data }) => brief(data.name))
    .minFrameSize(2).resetHeightOnZoom(true).transitionDuration(0).tooltip(tip)
    .setColorMapper(({ highlight, data }) => `var(--${highlight ? "match" : origins[data.origin]})`)
    .setSearchMatch(({ data }, word) => data.name.toLowerCase().includes(word.toLowerCase()))
    .setSearchHandler((_, samples, all) => {
      byId("found").textContent = `${percent(samples, all)} in ${plural(samples)}`;
    });
  d3.select(into).datum(root).call(view.chart);
  // The frames are there at once; only zooming moves them.
  d3.select(into).selectAll("g.frame rect").interrupt()
    .attr("width", function () { return this.parentNode.getAttribute("width"); });
  view.chart.transitionDuration(matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 250);
  byId("title").textContent = `${view.workload.name} on ${view.allocator}`;
  search();
}

function search() {
  const word = byId("search").value.trim();
  if (word) return view.chart.search(word);
  byId("found").textContent = plural(calls()[1]);
  view.chart.clear();
}

// --- what to look at

function fillHead() {
  byId("session").textContent =
    [profiles.date, profiles.processor, `Linux ${profiles.kernel}`, profiles.command].join(" · ");
  const troubles = byId("troubles").querySelector("ul");
  const tell = (text) => troubles.append(element("li", {}, text));
  if (profiles.interrupted) tell("The session was interrupted: later workloads are missing.");
  for (const workload of profiles.workloads) {
    if (workload.trouble) tell(`${workload.name} ${workload.trouble}`);
    for (const [name, { trouble }] of Object.entries(workload.graphs))
      if (trouble) tell(`${workload.name} on ${name}: ${trouble}`);
  }
  byId("troubles").hidden = troubles.children.length === 0;
}

function fillShares() {
  const table = byId("shares");
  table.replaceChildren(element("thead", {}, element("tr", {}, element("th"), element("th", {}, "samples"),
    ...origins.map((each) => element("th", {}, element("span", { className: `key ${each}` }), each)), element("th"))));
  const body = table.appendChild(element("tbody"));
  const most = Math.max(...graphsOf(view.workload).map(([, graph]) => graph.calls[1]));
  for (const [name, graph] of graphsOf(view.workload)) {
    const all = graph.calls[1];
    const sums = shares(graph.calls);
    const input = element("input", { type: "radio", name: "allocator", checked: name === view.allocator });
    input.addEventListener("change", () => { view.allocator = name; draw(); });
    const bar = element("div", {}, ...origins.map((each, i) => {
      const part = element("span", { className: each });
      part.style.width = `${(100 * sums[i]) / most}%`;
      return part;
    }));
    body.append(element("tr", {}, element("td", {}, element("label", {}, input, ` ${name}`)),
      element("td", {}, String(all)), ...sums.map((each) => element("td", {}, percent(each, all))), element("td", { className: "bar" }, bar)));
  }
}

function choose(workload) {
  view.workload = workload;
  if (!workload.graphs[view.allocator]?.calls) view.allocator = graphsOf(workload)[0][0];
  byId("about").textContent = workload.about;
  fillShares();
  draw();
}

fillHead();
if (workloads.length > 0) {
  byId("workloads").append(...workloads.map((each) => element("option", {}, each.name)));
  byId("workloads").addEventListener("change", (event) => choose(workloads[event.target.selectedIndex]));
  byId("search").addEventListener("input", search);
  byId("reset").addEventListener("click", () => { byId("search").value = ""; view.chart.resetZoom(); search(); });
  choose(workloads[0]);
  let settling;
  addEventListener("resize", () => {
    clearTimeout(settling);
    settling = setTimeout(draw, 150);
  });
} else {
  for (const each of document.querySelectorAll("main section:not(#troubles)")) each.hidden = true;
}

// What a dashboard draws, from numbers: bytes on each server, and file bytes on the wire, over the last seconds.

// Okabe and Ito's colours, as in rpclab.plots; a line has a pattern too, and bytes of one kind a name.
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const DASHES = ["", "5 1.5", "1.5 1", "6 1.5 1.5 1.5", "9 2"];
const KINDS = { original: "#0072b2", replica: "#e69f00", repair: "#cc79a7", restore: "#009e73" };
const LINES = 12; // servers that get a line each; of more one sees the band from fewest to most
const HEIGHT = 150, LEFT = 66, BOTTOM = 18, TOP = 8; // of a picture, in pixels

function place(name, names) {
  const number = /(\d+)$/.exec(name);
  return number ? Number(number[1]) - 1 : names.indexOf(name);
}

function table(heads, body, classes) {
  return make(
    "table", { class: `rpclab-table ${classes}` },
    make("thead", {}, make("tr", {}, ...heads.map(([text, number]) => make("th", { scope: "col", class: number ? "rpclab-number" : null }, text)))),
    body,
  );
}

function numbers(heads) {
  const body = make("tbody");
  const fill = (rows) => {
    body.replaceChildren(...rows.map((row) => make("tr", {}, ...row.map((cell, at) => make(at ? "td" : "th", at ? { class: "rpclab-number" } : { scope: "row" }, cell)))));
  };
  return { element: table(heads, body, ""), fill };
}

// A frame with bytes upwards and the last seconds to the right; returns how to place a point.
function frame(picture, seconds, top, suffix) {
  let step = 1;
  while (step * 4 < top) step *= 2;
  const high = Math.max(top * 1.05, step), width = Math.max(picture.clientWidth, 240);
  set(picture, "viewBox", `0 0 ${width} ${HEIGHT}`);
  const x = (second) => LEFT + (second / seconds) * (width - LEFT - 4);
  const y = (bytes) => HEIGHT - BOTTOM - (bytes / high) * (HEIGHT - BOTTOM - TOP);
  const parts = [];
  for (let bytes = 0; bytes <= high; bytes += step) {
    parts.push(svg("line", { x1: LEFT, x2: width - 4, y1: y(bytes), y2: y(bytes), class: "rpclab-rule" }));
    parts.push(svg("text", { x: LEFT - 5, y: y(bytes) + 4, "text-anchor": "end" }, sized(bytes) + suffix));
  }
  parts.push(svg("text", { x: LEFT, y: HEIGHT - 4 }, `${seconds} s ago`));
  parts.push(svg("text", { x: width - 4, y: HEIGHT - 4, "text-anchor": "end" }, "now"));
  return { x, y, parts };
}

function balancePicture() {
  const picture = svg("svg", { class: "rpclab-balance", role: "img" });
  const legend = make("ul", { class: "rpclab-legend" });
  const table = numbers([["server"], ["stored now", true], ["a minute ago", true]]);
  const element = make(
    "figure", {}, make("figcaption", {}, "Bytes stored on each server"), picture, legend,
    make("details", { class: "rpclab-numbers" }, make("summary", {}, "The same as numbers"), table.element),
  );
  const line = (values, at) => values.map((value, second) => `${second ? "L" : "M"}${at.x(second + 1).toFixed(1)} ${at.y(value).toFixed(1)}`).join("");
  const draw = ({ seconds, servers, gone }) => {
    const names = Object.keys(servers), all = Object.values(servers);
    const at = frame(picture, seconds, Math.max(1024, ...all.map((values) => Math.max(...values))), "");
    const parts = at.parts;
    const entry = (name, text, colour, dash) => make("li", {}, swatch(colour, dash), `${name} ${text}`);
    if (names.length <= LINES) {
      for (const name of names) {
        const number = place(name, names), colour = COLOURS[number % COLOURS.length];
        parts.push(svg("path", { d: line(servers[name], at), stroke: colour, "stroke-dasharray": DASHES[number % DASHES.length], class: "rpclab-line-of-one", opacity: gone.includes(name) ? 0.4 : 1 }));
      }
      legend.replaceChildren(...names.map((name) => {
        const number = place(name, names);
        return entry(name, `${sized(servers[name].at(-1))}${gone.includes(name) ? " (gone)" : ""}`, COLOURS[number % COLOURS.length], DASHES[number % DASHES.length]);
      }));
    } else {
      const of = (pick) => all[0].map((_, second) => pick(all.map((values) => values[second])));
      const mean = of((values) => values.reduce((a, b) => a + b, 0) / values.length), most = of((v) => Math.max(...v)), least = of((v) => Math.min(...v));
      const back = least.map((value, second) => `L${at.x(second + 1).toFixed(1)} ${at.y(value).toFixed(1)}`).reverse().join("");
      parts.push(svg("path", { d: `${line(most, at)}${back}Z`, fill: COLOURS[0], opacity: 0.3 }), svg("path", { d: line(mean, at), stroke: COLOURS[0], class: "rpclab-line-of-one" }));
      legend.replaceChildren(entry("most", sized(most.at(-1)), COLOURS[0], ""), entry("mean", sized(mean.at(-1)), COLOURS[0], ""), entry("fewest", sized(least.at(-1)), COLOURS[0], ""));
    }
    picture.replaceChildren(...parts);
    set(picture, "aria-label", names.length ? `Bytes stored now: ${names.slice(0, LINES).map((name) => `${name} ${sized(servers[name].at(-1))}`).join(", ")}` : "Nothing is stored yet");
    table.fill(names.map((name) => [name, sized(servers[name].at(-1)), sized(servers[name][0])]));
  };
  return { element, draw };
}

function swatch(colour, dash) {
  return svg("svg", { width: 22, height: 10, "aria-hidden": "true" }, svg("line", { x1: 0, x2: 22, y1: 5, y2: 5, stroke: colour, "stroke-width": 3, "stroke-dasharray": dash }));
}

function wirePicture() {
  const picture = svg("svg", { class: "rpclab-wire", role: "img" });
  const legend = make("ul", { class: "rpclab-legend" });
  const kinds = numbers([["bytes of"], ["in all", true], ["last minute", true]]);
  const pairs = numbers([["from"], ["to"], ["original", true], ["replica", true], ["repair", true], ["restore", true]]);
  const element = make(
    "figure", {}, make("figcaption", {}, "File bytes on the wire, each second"), picture, legend,
    make("details", { class: "rpclab-numbers" }, make("summary", {}, "The same as numbers"), kinds.element),
    make("details", { class: "rpclab-pairs" }, make("summary", {}, "Who sent how much to whom"), pairs.element),
  );
  const sum = (values = []) => values.reduce((a, b) => a + b, 0);
  const draw = ({ seconds, traffic, totals, pairs: sent }) => {
    const stacked = Array.from({ length: seconds }, (_, second) => sum(Object.values(traffic).map((values) => values[second])));
    const at = frame(picture, seconds, Math.max(1024, ...stacked), "/s");
    const below = Array(seconds).fill(0);
    for (const [kind, values] of Object.entries(traffic)) {
      values.forEach((bytes, second) => {
        if (!bytes) return;
        const foot = below[second], head = (below[second] += bytes);
        at.parts.push(svg("rect", { x: at.x(second) + 0.5, width: at.x(1) - at.x(0) - 1, y: at.y(head), height: at.y(foot) - at.y(head), fill: KINDS[kind] ?? "#7a7a7a" }));
      });
    }
    picture.replaceChildren(...at.parts);
    const all = Object.keys(KINDS);
    legend.replaceChildren(...all.map((kind) => make("li", {}, swatch(KINDS[kind], ""), `${kind} ${sized(totals[kind] ?? 0)}`)));
    set(picture, "aria-label", `File bytes that crossed the wire: ${all.map((kind) => `${kind} ${sized(totals[kind] ?? 0)}`).join(", ")}`);
    kinds.fill(all.map((kind) => [kind, sized(totals[kind] ?? 0), sized(sum(traffic[kind]))]));
    pairs.fill(sent.map(([from, to, sizes]) => [from, to, ...all.map((kind) => (sizes[kind] ? sized(sizes[kind]) : ""))]));
  };
  return { element, draw };
}

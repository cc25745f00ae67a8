// Okabe and Ito's colours, as in rpclab.plots; a line has a pattern too, and bytes of one kind a name.
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const DASHES = ["", "5 1.5", "1.5 1", "6 1.5 1.5 1.5", "9 2"];
const KINDS = { original: "#0072b2", replica: "#e69f00", repair: "#cc79a7", restore: "#009e73" };
const VERBS = { kill: "Kill", pause: "Pause", resume: "Resume", restart: "Restart" };
const LINES = 12; // servers that get a line each; of more one sees the band from fewest to most
const HEIGHT = 150, LEFT = 66, BOTTOM = 18, TOP = 8; // of a picture, in pixels

function place(name, names) {
  const number = /(\d+)$/.exec(name);
  return number ? Number(number[1]) - 1 : names.indexOf(name);
}

function nodeRow(node, model) {
  const cells = {};
  for (const name of ["word", "detail", "address", "files", "stored"]) cells[name] = make("span", { class: `rpclab-${name}` });
  const buttons = {};
  for (const [verb, text] of Object.entries(VERBS))
    buttons[verb] = button(text, `rpclab-${verb}`, () => model.send({ op: "node", name: node.name, verb }), `${text} ${node.name}`);
  const log = button("Log", "rpclab-log", () => model.send({ op: "log", name: node.name }), `Log of ${node.name}`);
  const element = make(
    "tr", { class: "rpclab-node" },
    make("th", { scope: "row" }, node.name, cells.address),
    make("td", {}, cells.word, cells.detail),
    make("td", { class: "rpclab-number" }, cells.files),
    make("td", { class: "rpclab-number" }, cells.stored),
    make("td", { class: "rpclab-deeds" }, buttons.kill, buttons.pause, buttons.resume, buttons.restart, log),
  );
  const update = (now) => {
    const kept = document.activeElement;
    node = now;
    set(element, "data-name", node.name);
    set(element, "data-word", node.word);
    set(element, "aria-busy", node.busy ? "true" : "false");
    for (const name in cells) say(cells[name], node[name]);
    for (const verb in buttons) {
      const can = node.verbs.includes(verb);
      if (verb === "pause" || verb === "resume") show(buttons[verb], verb === "pause" ? !node.verbs.includes("resume") : can);
      buttons[verb].disabled = node.busy || !can;
    }
    if (kept && kept.hidden && element.contains(kept)) (buttons.pause.hidden ? buttons.resume : buttons.pause).focus();
  };
  return { element, update };
}

function fileRow(file, model, page) {
  const cells = {};
  for (const name of ["size", "version", "copies", "words"]) cells[name] = make("span", { class: `rpclab-${name}` });
  const name = make("span", { class: "rpclab-name" });
  let asks = false;
  const ask = (really) => { asks = really; update(file); (really ? buttons.keep : buttons.delete).focus(); };
  const buttons = {
    restore: button("", "rpclab-restore", () => model.send({ op: "restore", key: file.key, size: file.bytes, page })),
    verify: button("Verify", "rpclab-verify", () => model.send({ op: "verify", key: file.key })),
    delete: button("Delete…", "rpclab-delete", () => ask(true)),
    really: button("Delete all versions", "rpclab-really", () => { ask(false); model.send({ op: "delete", key: file.key }); }),
    keep: button("Keep it", "rpclab-keep", () => ask(false)),
  };
  const element = make(
    "tr", { class: "rpclab-stored" },
    make("th", { scope: "row" }, name, cells.words),
    make("td", { class: "rpclab-number" }, cells.size),
    make("td", { class: "rpclab-number" }, cells.version),
    make("td", {}, cells.copies),
    make("td", { class: "rpclab-deeds" }, ...Object.values(buttons)),
  );
  const update = (now) => {
    file = now;
    set(element, "data-name", file.key);
    set(element, "aria-busy", file.busy ? "true" : "false");
    say(name, file.key);
    say(cells.size, file.size);
    say(cells.version, file.version);
    say(cells.copies, `${file.servers.join(", ") || "nowhere"}${file.short ? ` (${file.servers.length} of ${file.wanted})` : ""}`);
    cells.copies.classList.toggle("rpclab-short", file.short);
    say(cells.words, file.note);
    say(buttons.restore, file.bytes > model.get("limit") ? "Restore" : "Download");
    for (const each of ["restore", "verify", "delete"]) { show(buttons[each], !asks); buttons[each].disabled = file.busy; }
    for (const each of ["really", "keep"]) show(buttons[each], asks);
    for (const each of Object.values(buttons)) set(each, "aria-label", `${each.textContent}: ${file.key}`);
  };
  return { element, update };
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

// A small file that comes back: its pieces, in order, then a download of the browser's own.
function downloads(page) {
  const arriving = new Map();
  return (message, buffers) => {
    if (message.op !== "piece" || message.page !== page) return;
    const pieces = message.offset === 0 ? [] : arriving.get(message.key);
    if (!pieces) return;
    arriving.set(message.key, pieces);
    pieces.push(buffers[0]);
    const done = message.offset + buffers[0].byteLength;
    if (done < message.size) return;
    arriving.delete(message.key);
    const link = make("a", { href: URL.createObjectURL(new Blob(pieces)), download: message.name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };
}

function filesPart(model, page) {
  const body = make("tbody");
  const draw = keyed(body, (file) => fileRow(file, model, page));
  const count = make("span", { class: "rpclab-note rpclab-count" });
  const problem = make("p", { class: "rpclab-problem" });
  const id = `rpclab-search-${page}`;
  let waits = 0;
  const search = make("input", { id, type: "search", class: "rpclab-input rpclab-search", placeholder: "part of a name", oninput: () => {
    clearTimeout(waits);
    waits = setTimeout(() => { model.set("search", search.value); model.save_changes(); }, 200);
  } });
  search.value = model.get("search");
  const element = make(
    "div", { class: "rpclab-files" },
    make("div", { class: "rpclab-line" }, make("h4", {}, "Stored files"), make("label", { for: id }, "Search"), search, count),
    problem,
    make("div", { class: "rpclab-scroll", tabindex: 0, role: "region", "aria-label": "Stored files" },
      table([["file"], ["size", true], ["version", true], ["copies on"], ["what to do"]], body, "")),
  );
  const follow = () => {
    const files = model.get("files");
    if (!files.rows) return;
    draw(files.rows, (file) => file.key);
    say(problem, files.problem);
    const shown = files.rows.length;
    say(count, files.total === 0 ? "none yet" : shown < files.found ? `the first ${shown} of ${files.found}: search for others` : `${files.found} of ${files.total}`);
  };
  return { element, follow };
}

function logPart(model) {
  const title = make("h4", {}), text = make("pre", { tabindex: 0 });
  const close = button("Close", "rpclab-close", () => model.send({ op: "log", name: "" }));
  const element = make("div", { class: "rpclab-printed" }, make("div", { class: "rpclab-line" }, title, close), text);
  const follow = () => {
    const printed = model.get("printed");
    const opens = Boolean(printed.node) && element.hidden;
    show(element, Boolean(printed.node));
    say(title, `What ${printed.node} has printed`);
    set(text, "aria-label", `Log of ${printed.node}`);
    const below = text.scrollHeight - text.scrollTop - text.clientHeight < 30;
    say(text, printed.text || "nothing yet");
    if (below || opens) text.scrollTop = text.scrollHeight;
    if (opens) close.focus();
  };
  return { element, follow };
}

function render({ model, el }) {
  const page = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;
  const overview = make("p", { class: "rpclab-overview" });
  const status = make("p", { class: "rpclab-status", role: "status", "aria-live": "polite" });
  const trace = make("pre", { tabindex: 0 });
  const problem = make("p", {});
  const problems = make("div", { class: "rpclab-problem", role: "alert" }, problem, make("details", { class: "rpclab-traceback" }, make("summary", {}, "Traceback"), trace));
  const nodes = make("tbody"), drawNodes = keyed(nodes, (node) => nodeRow(node, model));
  const balance = balancePicture(), wire = wirePicture(), files = filesPart(model, page), log = logPart(model);
  const told = make("ol", { class: "rpclab-told", tabindex: 0, "aria-label": "What happened, the latest first" });
  const drawTold = keyed(told, ([seconds, words]) => ({ element: make("li", {}, make("span", { class: "rpclab-when" }, `${seconds.toFixed(1)} s`), words), update() {} }));
  const received = downloads(page);
  const name = model.get("cluster_name");
  el.append(make(
    "section", { class: "rpclab-body", "aria-label": `Dashboard of the cluster ${name}` },
    make("div", { class: "rpclab-line" }, make("h3", { class: "rpclab-title" }, `Cluster ${name}`), overview),
    make("div", { class: "rpclab-columns" },
      make("div", { class: "rpclab-pictures" },
        make("div", { class: "rpclab-nodes rpclab-scroll", tabindex: 0, role: "region", "aria-label": "Parts of the cluster" },
          table([["part"], ["state"], ["files", true], ["stored", true], ["what to do"]], nodes, "")),
        make("div", { class: "rpclab-said" }, status, problems),
        make("div", {},
          make("h4", {}, "What happened ", make("span", { class: "rpclab-note" }, "by the event logs, the latest first; seconds since the start")),
          told)),
      make("div", { class: "rpclab-pictures" }, balance.element, wire.element)),
    files.element, log.element,
  ));
  const follow = {
    "change:overview": () => say(overview, model.get("overview")),
    "change:status": () => say(status, model.get("status")),
    "change:nodes": () => drawNodes(model.get("nodes"), (node) => node.name),
    "change:figures": () => { if (model.get("figures").servers) { balance.draw(model.get("figures")); wire.draw(model.get("figures")); } },
    "change:files": files.follow,
    "change:told": () => { const seen = {}; drawTold(model.get("told"), ([s, w]) => { const key = `${s} ${w}`; seen[key] = (seen[key] ?? 0) + 1; return `${key} ${seen[key]}`; }); },
    "change:printed": log.follow,
    "change:problem": () => {
      const { text = "", traceback = "" } = model.get("problem");
      show(problems, text !== "");
      say(problem, text);
      say(trace, traceback);
    },
  };
  for (const handler of Object.values(follow)) handler();
  const ends = listening(model, { ...follow, "msg:custom": received });
  const here = () => { if (!document.hidden) model.send({ op: "here" }); };
  const beat = setInterval(here, 10_000);
  document.addEventListener("visibilitychange", here);
  here();
  return () => {
    ends();
    clearInterval(beat);
    document.removeEventListener("visibilitychange", here);
  };
}

export default { render };

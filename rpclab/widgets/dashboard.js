const VERBS = { kill: "Kill", pause: "Pause", resume: "Resume", restart: "Restart" };
const BEAT_S = 10, SILENT_S = 25; // a page says that it is there; how long nobody may answer
const SILENCE = "The kernel does not answer. While a cell runs, buttons wait for its end. If none runs, the kernel has ended: run the cell again, or load this page again.";

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
  const root = make(
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
  );
  el.append(root);
  const follow = {
    "change:overview": () => say(overview, model.get("overview")),
    "change:status": () => say(status, model.get("status")),
    "change:nodes": () => drawNodes(model.get("nodes"), (node) => node.name),
    "change:figures": () => { if (model.get("figures").servers) { balance.draw(model.get("figures")); wire.draw(model.get("figures")); } },
    "change:files": files.follow,
    "change:told": () => { const seen = {}; drawTold(model.get("told"), ([s, w]) => { const key = `${s} ${w}`; seen[key] = (seen[key] ?? 0) + 1; return `${key} ${seen[key]}`; }); },
    "change:printed": log.follow,
    "change:problem": () => {
      const { text = "", traceback = "" } = silent ? { text: SILENCE } : model.get("problem");
      show(problems, text !== "");
      say(problem, text);
      say(trace, traceback);
      show(trace.parentElement, traceback !== "");
    },
  };
  let asked = null, silent = false; // since when nobody has answered
  for (const handler of Object.values(follow)) handler();
  const hear = (answered) => {
    if (answered) asked = null;
    silent = asked !== null && performance.now() - asked > SILENT_S * 1000;
    follow["change:problem"]();
  };
  const ends = listening(model, { ...follow, "msg:custom": (message, buffers) => (message.op === "here" ? hear(true) : received(message, buffers)) });
  const free = ownKeys(root);
  const here = () => {
    if (document.hidden) { asked = null; return; }
    asked ??= performance.now();
    try { model.send({ op: "here" }); } catch { /* a connection that has ended: nobody will answer */ }
    hear(false);
  };
  const beat = setInterval(here, BEAT_S * 1000);
  document.addEventListener("visibilitychange", here);
  here();
  return () => {
    ends();
    free();
    clearInterval(beat);
    document.removeEventListener("visibilitychange", here);
  };
}

export default { render };

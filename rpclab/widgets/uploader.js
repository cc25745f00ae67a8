const PHASES = {
  asks: "name taken",
  arrives: "from the browser",
  waits: "waits",
  "backs-up": "to the servers",
  done: "stored",
  short: "too few copies",
  failed: "failed",
  cancelled: "cancelled",
};
const UNDER_WAY = ["asks", "arrives", "waits", "backs-up"];

// Sends the files of this page, one after the other, in pieces; the kernel acknowledges each piece that it has written.
class Sender {
  constructor(model) {
    this.model = model;
    this.files = new Map(); // id: {file, sent, done, goes}
    this.queue = [];
    this.busy = false;
  }

  add(file) {
    const id = `file-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;
    this.files.set(id, { file, sent: 0, done: 0, goes: false });
    this.model.send({ op: "begin", id, name: file.name, size: file.size });
  }

  has(id) { return this.files.has(id); }

  heard(message) {
    const found = this.files.get(message.id);
    if (!found) return; // a file of another page
    if (message.op === "go") {
      Object.assign(found, { sent: 0, done: 0, goes: true });
      this.queue.push(message.id);
    } else if (message.op === "ack") {
      found.done = message.done;
    } else if (message.op === "stop") {
      found.goes = false;
      this.queue = this.queue.filter((id) => id !== message.id);
      if (message.why === "it is here") this.files.delete(message.id);
    }
    this.send();
  }

  async send() {
    if (this.busy) return;
    this.busy = true;
    const { piece, window } = this.model.get("limit");
    let found;
    while ((found = this.files.get(this.queue[0])) && found.goes && found.sent - found.done < piece * window) {
      const id = this.queue[0], offset = found.sent;
      if (offset >= found.file.size) break; // all is sent; the kernel says when it is there
      try {
        const bytes = await found.file.slice(offset, offset + piece).arrayBuffer();
        if (!found.goes || found.sent !== offset) continue;
        found.sent += bytes.byteLength;
        this.model.send({ op: "chunk", id, offset }, undefined, [bytes]);
      } catch (error) {
        found.goes = false;
        this.model.send({ op: "unreadable", id, text: `${error.name}: ${error.message}` });
      }
    }
    this.busy = false;
  }
}

function fileRow(row, model, sender, tell) {
  const parts = {
    phase: make("span", { class: "rpclab-phase" }),
    name: make("span", { class: "rpclab-name" }),
    size: make("span", { class: "rpclab-size" }),
    progress: make("progress", { class: "rpclab-progress", max: 1 }),
    words: make("p", { class: "rpclab-words" }),
    facts: make("ul", {}),
    trace: make("pre", { tabindex: 0 }),
  };
  const ask = (op, more = {}) => () => model.send({ op, id: row.id, ...more });
  const again = () => {
    if (row.source === "browser" && !sender.has(row.id)) tell(`This page no longer has ${row.name}: choose the file again.`);
    else model.send({ op: "retry", id: row.id });
  };
  const buttons = {
    replace: button("Replace it", "rpclab-replace", ask("answer", { choice: "replace" })),
    both: button("Keep both", "rpclab-both", ask("answer", { choice: "both" })),
    skip: button("Skip", "rpclab-skip", ask("answer", { choice: "skip" })),
    cancel: button("Cancel", "rpclab-cancel", ask("cancel")),
    retry: button("Try again", "rpclab-retry", again),
  };
  const facts = make("details", { class: "rpclab-facts" }, make("summary", {}, "Digest and version"), parts.facts);
  const trace = make("details", { class: "rpclab-traceback" }, make("summary", {}, "Traceback"), parts.trace);
  const element = make(
    "li", { class: "rpclab-row" },
    make("div", { class: "rpclab-line" }, parts.phase, parts.name, parts.size, make("span", { class: "rpclab-buttons" }, ...Object.values(buttons))),
    parts.progress, parts.words, facts, trace,
  );
  const update = (now) => {
    const kept = document.activeElement;
    row = now;
    const under = UNDER_WAY.includes(row.phase), moving = row.phase === "arrives" || row.phase === "backs-up";
    set(element, "data-phase", row.phase);
    set(element, "data-name", row.name);
    say(parts.phase, PHASES[row.phase]);
    say(parts.name, `${row.client}/${row.name}`);
    say(parts.size, row.size);
    const elsewhere = row.phase === "arrives" && !sender.has(row.id);
    say(parts.words, elsewhere ? `${row.words} (sent by another page; if that is closed, cancel, and choose the file again)` : row.words);
    show(parts.progress, moving);
    set(parts.progress, "aria-label", `${row.name}, ${PHASES[row.phase]}`);
    if (parts.progress.value !== row.share) parts.progress.value = row.share;
    for (const name of ["replace", "both", "skip"]) show(buttons[name], row.phase === "asks");
    show(buttons.cancel, under && row.phase !== "asks");
    show(buttons.retry, row.phase === "failed" || row.phase === "cancelled" || row.phase === "short");
    for (const [name, each] of Object.entries(buttons)) set(each, "aria-label", `${each.textContent}: ${row.name}`);
    show(facts, row.facts.length > 0);
    if (parts.facts.childElementCount !== row.facts.length || parts.facts.textContent !== row.facts.join(""))
      parts.facts.replaceChildren(...row.facts.map((fact) => make("li", {}, fact)));
    show(trace, row.traceback !== "");
    say(parts.trace, row.traceback);
    if (kept && element.contains(kept) && kept.hidden) {
      const next = Object.values(buttons).find((each) => !each.hidden);
      if (next) next.focus(); // the keyboard's place is not lost when a button goes
    }
  };
  return { element, update };
}

function dropZone(model, sender, tell) {
  const input = make("input", { type: "file", multiple: true, class: "rpclab-file", onchange: () => {
    for (const file of input.files) sender.add(file);
    input.value = ""; // so that the same file can be chosen again
  } });
  const label = make("label", { class: "rpclab-choose" }, "Choose files…", input);
  const limit = make("p", { class: "rpclab-limit" }, `Up to ${model.get("limit").words} each from the browser. Larger files: on the disk, below.`);
  const zone = make("div", { class: "rpclab-drop" }, make("p", {}, "Drop files here, or ", label), limit);
  const hover = (over) => (event) => { event.preventDefault(); event.stopPropagation(); zone.classList.toggle("rpclab-over", over); };
  zone.addEventListener("dragover", hover(true));
  zone.addEventListener("dragenter", hover(true));
  zone.addEventListener("dragleave", hover(false));
  zone.addEventListener("drop", (event) => {
    hover(false)(event);
    const items = [...event.dataTransfer.items].map((item) => [item.webkitGetAsEntry?.(), item.getAsFile()]);
    for (const [entry, file] of items) {
      if (entry?.isDirectory) tell(`${entry.name} is a folder: choose its files, or back it up with: rpclab backup ${entry.name}`);
      else if (file) sender.add(file);
    }
  });
  return zone;
}

function optionsLine(model) {
  const { replicas, as_cluster, keep } = model.get("choices");
  const put = (trait, convert = (value) => value) => (value) => { model.set(trait, convert(value)); model.save_changes(); };
  const words = { after: "after the first", pipeline: "in a pipeline", all: "all are safe", primary: "the first is safe" };
  const usual = (key) => `as the cluster: ${words[as_cluster[key]] ?? as_cluster[key]}`;
  const both = (values) => values.map((value) => [value, words[value]]);
  const selects = {
    client: choice("Client", "rpclab-client", model.get("clients").map((name) => [name, name]), model.get("client"), put("client")),
    replicas: choice("Copies", "rpclab-replicas", [["0", usual("replicas")], ...replicas.map((n) => [String(n), String(n)])], String(model.get("replicas")), put("replicas", Number)),
    replication: choice("Copied on", "rpclab-replication", [["", usual("replication")], ...both(["after", "pipeline"])], model.get("replication"), put("replication")),
    acknowledge: choice("Done when", "rpclab-acknowledge", [["", usual("acknowledge")], ...both(["all", "primary"])], model.get("acknowledge"), put("acknowledge")),
  };
  const element = make("div", { class: "rpclab-options" }, ...Object.values(selects).map((each) => each.element));
  const follow = {};
  for (const [trait, each] of Object.entries(selects)) follow[`change:${trait}`] = () => { each.select.value = String(model.get(trait)); };
  if (keep) element.append(make("span", { class: "rpclab-note" }, `A file sent again becomes a new version; the cluster keeps ${keep}.`));
  return { element, follow };
}

function diskPicker(model) {
  const list = make("ul", { class: "rpclab-entries" });
  const where = make("code", { class: "rpclab-where" });
  const problem = make("p", { class: "rpclab-problem", role: "alert" });
  const chosen = new Set();
  const join = (name) => (model.get("shelf").folder ? `${model.get("shelf").folder}/${name}` : name);
  const browse = (folder) => { chosen.clear(); model.send({ op: "browse", folder }); };
  const up = button("Up", "rpclab-up", () => browse(model.get("shelf").folder.split("/").slice(0, -1).join("/")), "To the folder above");
  const take = button("Back up", "rpclab-take rpclab-primary", () => {
    model.send({ op: "disk", names: [...chosen] });
    chosen.clear();
    draw();
  });
  const entry = ({ name, file, size }) => {
    if (!file) return make("li", { class: "rpclab-entry" }, button(`${name}/`, "rpclab-folder", () => browse(join(name))));
    const box = make("input", { type: "checkbox", value: name, onchange: () => { box.checked ? chosen.add(join(name)) : chosen.delete(join(name)); ready(); } });
    return make("li", { class: "rpclab-entry" }, make("label", {}, box, make("span", { class: "rpclab-name" }, name), make("span", { class: "rpclab-size" }, sized(size))));
  };
  const ready = () => {
    take.disabled = chosen.size === 0;
    say(take, chosen.size ? `Back up ${chosen.size} file${chosen.size === 1 ? "" : "s"}` : "Back up");
  };
  const draw = () => {
    const shelf = model.get("shelf");
    if (!shelf.entries) return;
    say(where, [shelf.root, shelf.folder].filter(Boolean).join("/"));
    up.disabled = !shelf.folder;
    const rows = shelf.entries.map(entry);
    if (!rows.length) rows.push(make("li", { class: "rpclab-note" }, "There is nothing in this folder."));
    if (shelf.more) rows.push(make("li", { class: "rpclab-note" }, `and ${shelf.more} more, which are not shown`));
    list.replaceChildren(...rows);
    say(problem, shelf.problem);
    ready();
  };
  const element = make(
    "details", { class: "rpclab-disk", ontoggle: () => { if (element.open) browse(model.get("shelf").folder ?? ""); } },
    make("summary", {}, "Files that are on the disk already"),
    make("div", { class: "rpclab-line" }, up, where), problem, list, take,
  );
  ready();
  return { element, follow: { "change:shelf": draw } };
}

function render({ model, el }) {
  const status = make("p", { class: "rpclab-status", role: "status", "aria-live": "polite" });
  const tell = (text) => { say(status, text); };
  const sender = new Sender(model);
  const options = optionsLine(model), disk = diskPicker(model);
  const rows = make("ul", { class: "rpclab-rows" });
  const drawRows = keyed(rows, (row) => fileRow(row, model, sender, tell));
  const clear = button("Clear the list", "rpclab-clear", () => model.send({ op: "clear" }));
  const follow = () => {
    drawRows([...model.get("rows")].reverse(), (row) => row.id); // the newest on top
    show(clear, model.get("rows").some((row) => !UNDER_WAY.includes(row.phase)));
  };
  const root = make(
    "section", { class: "rpclab-body", "aria-label": `Back files up on the cluster ${model.get("cluster_name")}` },
    make("h3", { class: "rpclab-title" }, "Back files up ", make("span", { class: "rpclab-note" }, `cluster ${model.get("cluster_name")}`)),
    dropZone(model, sender, tell), options.element, disk.element, rows,
    make("div", { class: "rpclab-line" }, status, clear),
  );
  el.append(root);
  follow();
  tell(model.get("status"));
  const free = ownKeys(root);
  const ends = listening(model, {
    "change:rows": follow,
    "change:status": () => tell(model.get("status")),
    "msg:custom": (message) => sender.heard(message),
    ...options.follow,
    ...disk.follow,
  });
  return () => { ends(); free(); };
}

export default { render };

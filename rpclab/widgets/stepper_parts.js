// What a stepper shows: a message and its bytes, a node and what it knows, a place on the way.

const ROW = 16; // bytes in a line

function bytesOf(hex) {
  return hex.match(/../g) ?? [];
}

// A message's bytes as a grid that the arrow keys walk: `choose(byte, value)` is told which one was taken.
function bytesPart(choose) {
  const body = make("tbody");
  const grid = make("table", { class: "rpclab-hex", role: "grid", "aria-label": "The message's bytes: arrow keys walk, Enter takes a byte to corrupt" }, body);
  const element = make("div", { class: "rpclab-bytes" }, grid);
  let cells = [], bytes = [], at = 0, shown = "";
  const mark = (byte, focus) => {
    if (!cells.length) return;
    set(cells[at], "tabindex", -1);
    at = Math.max(0, Math.min(byte, cells.length - 1));
    set(cells[at], "tabindex", 0);
    if (focus) cells[at].focus();
  };
  const taken = (byte) => { for (const cell of cells) cell.classList.toggle("rpclab-taken", cell === cells[byte]); };
  const take = (byte) => { mark(byte); taken(byte); choose(byte, parseInt(bytes[byte], 16) ^ 1); };
  grid.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -ROW, ArrowDown: ROW, Home: -(at % ROW), End: ROW - 1 - (at % ROW) };
    if (event.key in moves) mark(at + moves[event.key], true);
    else if (event.key === "Enter" || event.key === " ") take(at);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const update = (message) => {
    const hex = message?.hex ?? "";
    if (hex === shown) return;
    shown = hex;
    bytes = bytesOf(hex);
    cells = bytes.map((byte, number) => make("td", { role: "gridcell", tabindex: number ? -1 : 0, "aria-label": `byte ${number}: ${byte}`, onclick: () => take(number) }, byte));
    at = 0;
    const rows = [];
    for (let first = 0; first < bytes.length; first += ROW) {
      const text = bytes.slice(first, first + ROW).map((byte) => { const code = parseInt(byte, 16); return code > 31 && code < 127 ? String.fromCharCode(code) : "·"; }).join("");
      const line = cells.slice(first, first + ROW);
      while (line.length < ROW) line.push(make("td", { class: "rpclab-none" }));
      rows.push(make("tr", {}, make("th", { scope: "row" }, String(first)), ...line, make("td", { class: "rpclab-ascii", "aria-hidden": "true" }, text)));
    }
    body.replaceChildren(...rows);
  };
  return { element, update, focus: () => mark(at, true), taken };
}

function messageRow(message, choose) {
  const parts = {};
  for (const name of ["id", "route", "what", "kind", "left"]) parts[name] = make("span", { class: `rpclab-m-${name}` });
  const element = make("li", { class: "rpclab-message", role: "option", onclick: () => choose(message.id) }, ...Object.values(parts));
  const update = (now) => {
    message = now;
    set(element, "data-id", message.id);
    set(element, "data-kind", message.kind);
    say(parts.id, `${message.id}`);
    say(parts.route, `${message.from} → ${message.to}`);
    say(parts.what, message.method || message.kind);
    say(parts.kind, `${message.kind}, ${message.bytes.toLocaleString("en")} bytes`);
  };
  return { element, update, left: (text) => say(parts.left, text) };
}

function factLine([part, name, value, before, change], repeats) {
  const said = make("dd", { class: "rpclab-fact", "data-change": change || null });
  const line = [make("dt", { class: repeats ? "rpclab-repeats" : null }, part), said];
  if (change) said.append(make("span", { class: "rpclab-mark", role: "img", "aria-label": change }, { new: "+", gone: "−", changed: "△" }[change]));
  said.append(name, name && (value || before) ? ": " : "");
  if (change === "changed") said.append(make("del", {}, before || "nothing"), " → ", make("strong", {}, value || "nothing"));
  else if (change === "gone") said.replaceChildren(said.firstChild, make("del", {}, before && name ? `${name}: ${before}` : name || before));
  else said.append(value);
  return line;
}

function nodeCard(node) {
  const name = make("strong", {}), role = make("span", { class: "rpclab-note" }), state = make("span", { class: "rpclab-word" });
  const facts = make("dl", {}), more = make("p", { class: "rpclab-note" });
  const element = make("article", { class: "rpclab-card" }, make("div", { class: "rpclab-line" }, name, role, state), facts, more);
  let shown = "";
  const update = (now) => {
    node = now;
    set(element, "data-name", node.name);
    set(element, "data-state", node.state);
    set(element, "aria-label", `${node.name}, ${node.state}${node.changed ? ", changed by the last step" : ""}`);
    element.classList.toggle("rpclab-changed", node.changed);
    say(name, node.name);
    say(role, node.role === node.name ? "" : node.role);
    say(state, { running: "runs", paused: "is paused", stopped: "is dead" }[node.state] ?? node.state);
    const now_shown = JSON.stringify(node.facts);
    if (now_shown !== shown) { shown = now_shown; facts.replaceChildren(...node.facts.flatMap((fact, at) => factLine(fact, at > 0 && node.facts[at - 1][0] === fact[0]))); }
    say(more, node.problem || (node.more ? `and ${node.more} more` : node.facts.length ? "" : "nothing to tell"));
    show(more, more.textContent !== "");
  };
  return { element, update };
}

function placeRow(place, jump) {
  const words = make("span", {}), step = make("span", { class: "rpclab-when" });
  const element = make("li", { class: "rpclab-place", role: "treeitem", tabindex: -1, onclick: () => jump(place.id) }, step, words);
  const update = (now) => {
    place = now;
    set(element, "data-id", place.id);
    set(element, "aria-level", place.level + 1);
    set(element, "aria-current", place.here ? "step" : false);
    set(element, "aria-selected", place.here ? "true" : "false");
    element.classList.toggle("rpclab-path", place.path);
    element.classList.toggle("rpclab-fork", place.fork);
    element.style.paddingLeft = `${8 + 20 * Math.min(place.level, 12)}px`;
    say(step, `step ${place.step}`);
    say(words, `${place.fork ? "or " : ""}${place.words}`);
  };
  return { element, update };
}

function field(label, classes, attributes) {
  const id = `rpclab-field-${Date.now().toString(36)}-${fields++}`;
  const input = make("input", { id, class: `rpclab-input ${classes}`, ...attributes });
  return { element: make("span", { class: "rpclab-choice" }, make("label", { for: id }, label), input), input };
}

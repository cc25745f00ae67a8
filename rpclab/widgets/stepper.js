const KEYS = [["n", "next"], ["←", "back"], ["→", "forward"], ["↑ ↓", "choose a message"], ["r", "run to"], ["x", "drop"], ["u", "duplicate"], ["l", "delay"], ["c", "corrupt: choose a byte"], ["k", "kill a node"], ["t", "what was tried"], ["Esc", "stop running"]];

function render({ model, el }) {
  let chosen = null, since = performance.now();
  const send = (op, rest = {}) => model.send({ op, ...rest });
  const act = (action, rest = {}) => send("act", { action, message: message()?.id ?? null, ...rest });
  const message = () => model.get("messages").find((each) => each.id === chosen) ?? model.get("messages")[0];

  // what can be done
  const keyed_button = (key, text, classes, click) => {
    const made = button("", classes, click);
    made.append(text, make("kbd", { "aria-hidden": "true" }, key));
    set(made, "aria-keyshortcuts", key.length === 1 ? key : { "←": "ArrowLeft", "→": "ArrowRight" }[key]);
    return made;
  };
  const next = keyed_button("n", "Next", "rpclab-primary rpclab-next", () => act("deliver"));
  const back = keyed_button("←", "Back", "rpclab-back", () => send("go", { where: "back" }));
  const forward = keyed_button("→", "Forward", "rpclab-forward", () => send("go", { where: "forward" }));
  const target = choice("Run to", "rpclab-target", [], "", () => {});
  const run = keyed_button("r", "Run", "rpclab-run", () => send("run", { target: target.select.value || "end" }));
  const halt = button("Stop", "rpclab-halt", () => send("halt"));
  const drop = keyed_button("x", "Drop", "rpclab-drop-it", () => act("drop"));
  const duplicate = keyed_button("u", "Duplicate", "rpclab-duplicate", () => act("duplicate"));
  const seconds = field("by s", "rpclab-delay-seconds", { type: "number", min: 0, step: 0.1, value: 0.2 });
  const delay = keyed_button("l", "Delay", "rpclab-delay", () => act("delay", { seconds: Number(seconds.input.value) || 0 }));
  const byte = field("byte", "rpclab-byte", { type: "number", min: 0, value: "" });
  const value = field("becomes", "rpclab-value", { type: "number", min: 0, max: 255, value: "" });
  const whole = (input) => (input.value === "" ? null : Number(input.value));
  const corrupted = () => { if (byte.input.value === "") bytes.focus(); else { act("corrupt", { byte: whole(byte.input), value: whole(value.input) }); byte.input.value = value.input.value = ""; } };
  const corrupt = keyed_button("c", "Corrupt", "rpclab-corrupt", corrupted);
  for (const each of [byte, value]) each.input.addEventListener("keydown", (event) => { if (event.key === "Enter") { corrupted(); root.focus(); } });
  const node = choice("Node", "rpclab-node-choice", [], "", () => sense());
  const kill = keyed_button("k", "Kill", "rpclab-kill", () => send("node", { name: node.select.value, verb: "kill" }));
  const restart = button("Restart", "rpclab-restart", () => send("node", { name: node.select.value, verb: "restart" }));
  const passing = field("s", "rpclab-pass-seconds", { type: "number", min: 0, step: 1, value: 10 });
  const pass = button("Let time pass", "rpclab-pass", () => send("pass", { seconds: Number(passing.input.value) || 0 }));
  const release = button("Release all", "rpclab-release", () => send("go", { where: "release" }));
  const hold = button("Hold all", "rpclab-hold", () => send("go", { where: "hold" }));

  // what there is
  const title = make("h3", { class: "rpclab-title" }, "Stepper"), where = make("p", { class: "rpclab-where" });
  const status = make("p", { class: "rpclab-status", role: "status", "aria-live": "polite" });
  const problem = make("p", {}), trace = make("pre", { tabindex: 0 });
  const problems = make("div", { class: "rpclab-problem", role: "alert" }, problem, make("details", { class: "rpclab-traceback" }, make("summary", {}, "Traceback"), trace));
  const list = make("ul", { class: "rpclab-messages", role: "listbox", tabindex: 0, "aria-label": "Messages under way" });
  const rows = new Map();
  const drawMessages = keyed(list, (each) => { const row = messageRow(each, choose); rows.set(each.id, row); return row; });
  const none = make("p", { class: "rpclab-note" }), ended = make("p", { class: "rpclab-meaning" });
  const outcome = make("div", { class: "rpclab-outcome" }, ended, none);
  const meaning = make("p", { class: "rpclab-meaning" });
  const json = make("pre", { class: "rpclab-json", tabindex: 0, "aria-label": "The message as JSON" });
  const bytes = bytesPart((at, becomes) => { byte.input.value = at; value.input.value = becomes; value.input.focus(); });
  const said = make("div", { class: "rpclab-selected" }, meaning,
    make("div", { class: "rpclab-forms" }, make("div", {}, make("h4", {}, "As JSON"), json), make("div", {}, make("h4", {}, "As bytes"), bytes.element)));
  const picture = make("div", { class: "rpclab-picture" });
  const cards = make("div", { class: "rpclab-cards" }), drawCards = keyed(cards, nodeCard);
  const way = make("ul", { class: "rpclab-way", role: "tree", "aria-label": "What was tried" });
  const drawWay = keyed(way, (each) => placeRow(each, (place) => send("jump", { place })));
  const wayTitle = make("h4", {});
  const keys = make("details", { class: "rpclab-keys" }, make("summary", {}, "Keys"), make("dl", {}, ...KEYS.map(([key, does]) => make("div", {}, make("dt", {}, make("kbd", {}, key)), make("dd", {}, does)))));

  const root = make(
    "section", { class: "rpclab-body", tabindex: 0, "aria-label": "Stepper: keys n next, left back, right forward, x drop, u duplicate, l delay, c corrupt, k kill, r run, t tree" },
    make("div", { class: "rpclab-line" }, title, where),
    make("div", { class: "rpclab-tools", role: "toolbar", "aria-label": "Steps" },
      make("span", { class: "rpclab-group" }, back, next, forward),
      make("span", { class: "rpclab-group" }, target.element, run, halt),
      make("span", { class: "rpclab-group" }, drop, duplicate, delay, seconds.element),
      make("span", { class: "rpclab-group" }, corrupt, byte.element, value.element),
      make("span", { class: "rpclab-group" }, node.element, kill, restart),
      make("span", { class: "rpclab-group" }, pass, passing.element),
      make("span", { class: "rpclab-group" }, hold, release)),
    make("div", { class: "rpclab-said" }, status, problems),
    make("div", { class: "rpclab-columns" },
      make("div", { class: "rpclab-pictures" }, make("div", {}, make("h4", {}, "Under way"), list, outcome), said),
      make("div", { class: "rpclab-pictures" },
        make("div", {}, make("h4", {}, "How it came to this"), picture),
        make("div", {}, make("h4", {}, "What each node knows ", make("span", { class: "rpclab-note" }, "+ new, − gone, △ changed by the last step")), cards))),
    make("div", {}, wayTitle, way), keys,
  );
  el.append(root);

  // choosing
  const point = () => {
    const now = message();
    for (const [id, row] of rows) { const is = id === now?.id; set(row.element, "aria-selected", is ? "true" : "false"); set(row.element, "id", `${prefix}-${id}`); }
    set(list, "aria-activedescendant", now ? `${prefix}-${now.id}` : null);
    show(said, Boolean(now));
    show(list, Boolean(now));
    const begun = model.get("here").operations ?? [];
    const waits = begun.some((each) => each.endsWith("under way"));
    const tell = waits ? "No message is held now. Next waits for what comes." : begun.length ? "Nothing is under way any more." : "Nothing is held. In a cell, hold messages and begin something: cluster.stage.hold(), cluster.begin(...)";
    show(outcome, !now);
    say(none, now ? "" : tell);
    say(ended, now ? "" : begun.at(-1) ?? "");
    if (now) { say(meaning, now.meaning); say(json, now.json); }
    bytes.update(now);
    for (const arrow of picture.querySelectorAll("[data-sent]")) arrow.classList.toggle("rpclab-arrow", Boolean(now?.sent) && arrow.dataset.sent === now.sent);
  };
  const prefix = `rpclab-m-${Date.now().toString(36)}-${fields++}`;
  function choose(id) { if (id !== chosen) { chosen = id; byte.input.value = value.input.value = ""; } point(); }
  const walk = (by) => {
    const all = model.get("messages"), at = all.findIndex((each) => each.id === message()?.id);
    if (all.length) choose(all[Math.max(0, Math.min(all.length - 1, at + by))].id);
  };
  const sense = () => {
    const here = model.get("here"), held = model.get("messages").length > 0, runs = model.get("working") === "running on";
    const state = model.get("nodes").find((each) => each.name === node.select.value)?.state;
    const past = !here.acts;
    back.disabled = runs || !here.back;
    forward.disabled = runs || !here.forward;
    next.disabled = runs;
    run.disabled = runs || past;
    show(halt, runs);
    for (const each of [drop, duplicate, delay, corrupt]) each.disabled = runs || past || !held;
    kill.disabled = runs || past || state === "stopped";
    restart.disabled = runs || past;
    pass.disabled = hold.disabled = release.disabled = runs || past;
    show(pass.parentElement, here.forks);
    set(root, "aria-busy", model.get("working") ? "true" : "false");
  };
  const click = (made) => { if (!made.disabled && !made.hidden) made.click(); };

  // keys: of this widget only while the focus is in it
  const does = {
    n: () => click(next), r: () => click(run), x: () => click(drop), u: () => click(duplicate), l: () => click(delay), c: () => click(corrupt), k: () => click(kill),
    t: () => (way.querySelector("[aria-current]") ?? way.firstElementChild)?.focus(),
    ArrowLeft: () => click(back), ArrowRight: () => click(forward), ArrowUp: () => walk(-1), ArrowDown: () => walk(1),
    Escape: () => { if (!halt.hidden) send("halt"); },
  };
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab") return;
    const writes = event.target.closest("input, select, textarea");
    if (writes || event.key === "Enter" || event.key === " ") {
      if (event.key === "Escape" && writes) root.focus();
      event.stopPropagation();
      return;
    }
    const scrolls = event.key.startsWith("Arrow") && event.target.closest("pre, .rd-page");
    if (!scrolls && event.key in does) { does[event.key](); event.preventDefault(); }
    if (event.key !== "Escape" || !halt.hidden) event.stopPropagation();  // a notebook's own keys delete and add cells
  });
  way.addEventListener("keydown", (event) => {
    const to = { ArrowUp: event.target.previousElementSibling, ArrowDown: event.target.nextElementSibling, Home: way.firstElementChild, End: way.lastElementChild };
    if (event.key in to) to[event.key]?.focus();
    else if (event.key === "Enter" || event.key === " ") event.target.click();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  picture.addEventListener("click", (event) => {
    const sent = event.target.closest("[data-sent]")?.dataset.sent;
    const found = model.get("messages").find((each) => each.sent && each.sent === sent);
    if (found) choose(found.id);
  });

  const options = (select, all) => {
    if (JSON.stringify(all) === select.dataset.all) return;
    const kept = select.value;
    select.dataset.all = JSON.stringify(all);
    select.replaceChildren(...all.map(([value, text]) => make("option", { value }, text)));
    if (all.some(([value]) => value === kept)) select.value = kept;
  };
  const follow = {
    "change:messages": () => {
      const all = model.get("messages");
      const ids = new Set(all.map((each) => each.id));
      drawMessages(all, (each) => each.id);
      for (const id of [...rows.keys()]) if (!ids.has(id)) rows.delete(id);
      if (!ids.has(chosen)) { chosen = all[0]?.id ?? null; byte.input.value = value.input.value = ""; }
      since = performance.now();
      tick();
      point();
      sense();
    },
    "change:here": () => {
      const here = model.get("here");
      say(title, `Stepper, ${model.get("cluster_name")}`);
      say(where, `step ${here.step} · ${here.seconds.toFixed(3)} s · event ${here.events.toLocaleString("en")}${here.acts ? "" : " · the past: forward leads to the present"}`);
      say(wayTitle, here.forks ? "What was tried (Enter goes there)" : "The steps so far (Enter looks at one)");
      root.classList.toggle("rpclab-past", !here.acts);
      point();
      sense();
    },
    "change:nodes": () => {
      const all = model.get("nodes");
      drawCards(all, (each) => each.name);
      options(node.select, all.map((each) => [each.name, each.name]));
      sense();
    },
    "change:way": () => {
      const focus = way.contains(document.activeElement);
      drawWay(model.get("way"), (each) => each.id);
      const here = way.querySelector("[aria-current]");
      for (const each of way.children) set(each, "tabindex", each === here ? 0 : -1);
      if (here) way.scrollTop = Math.max(0, here.offsetTop - way.offsetTop - way.clientHeight / 2);
      if (focus && here) here.focus({ preventScroll: true });
    },
    "change:targets": () => options(target.select, model.get("targets")),
    "change:picture": () => {
      picture.innerHTML = model.get("picture");
      const page = picture.querySelector(".rd-page");
      if (page) page.scrollTop = page.scrollHeight;
      point();
    },
    "change:status": () => say(status, model.get("status")),
    "change:working": sense,
    "change:problem": () => {
      const { text = "", traceback = "" } = model.get("problem");
      show(problems, text !== "");
      say(problem, text);
      say(trace, traceback);
    },
  };
  const tick = () => {
    const here = model.get("here"), passed = here.forks || !here.acts ? 0 : (performance.now() - since) / 1000;
    for (const each of model.get("messages")) {
      const left = each.left == null ? null : each.left - passed;
      rows.get(each.id)?.left(left == null ? "" : left > 0 ? `waits ${left < 100 ? left.toFixed(1) : left.toFixed(0)} s` : "given up");
    }
  };
  for (const handler of Object.values(follow)) handler();
  const ends = listening(model, follow), free = ownKeys(root, (event) => !halt.hidden || event.target.closest("input, select, textarea"));
  const clock = setInterval(tick, 500);
  return () => { ends(); free(); clearInterval(clock); };
}

export default { render };

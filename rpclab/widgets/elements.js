// What all widgets' scripts share: making elements, and changing them only where something changed, so that nothing flickers,
// no focus is lost, and a screen reader is told only what is new.

function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function set(element, name, value) {
  if (value === false || value == null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value === true ? "" : value);
}

function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

// One child for each item, in order, known by its key: made by `create(item)`, which returns {element, update(item)}.
function keyed(parent, create) {
  const known = new Map();
  return (items, key) => {
    const left = new Set(known.keys());
    let before = null;
    for (const item of items) {
      const name = key(item);
      left.delete(name);
      if (!known.has(name)) known.set(name, create(item));
      const child = known.get(name);
      child.update(item);
      const place = before ? before.nextSibling : parent.firstChild;
      if (child.element !== place) parent.insertBefore(child.element, place);
      before = child.element;
    }
    for (const name of left) {
      known.get(name).element.remove();
      known.delete(name);
    }
  };
}

function button(text, classes, click, label) {
  return make("button", { type: "button", class: `rpclab-button ${classes}`, "aria-label": label, onclick: click }, text);
}

let fields = 0;

// A select with its label; options are [value, text].
function choice(label, classes, options, chosen, change) {
  const id = `rpclab-field-${Date.now().toString(36)}-${fields++}`;
  const select = make("select", { id, class: `rpclab-select ${classes}`, onchange: () => change(select.value) });
  for (const [value, text] of options) select.append(make("option", { value }, text));
  select.value = chosen;
  return { element: make("span", { class: "rpclab-choice" }, make("label", { for: id }, label), select), select };
}

function sized(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (Math.abs(bytes) >= 1024 && unit < units.length - 1) { bytes /= 1024; unit++; }
  return `${Math.abs(bytes) >= 100 ? bytes.toFixed(0) : Number(bytes.toPrecision(3))} ${units[unit]}`;
}

// Keys within the element are its own, Escape if `escape(event)` says so. Notebook 7 hears keys before any element does, and would
// cut its cell at "x", or take Enter from a button: this attribute keeps it from that. Returns what ends it.
function ownKeys(element, escape = () => false) {
  const mark = (event) => {
    if (!element.contains(event.target)) return;
    const theirs = event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter") || (event.key === "Escape" && !escape(event));
    set(element, "data-lm-suppress-shortcuts", !theirs);
  };
  window.addEventListener("keydown", mark, true);
  return () => window.removeEventListener("keydown", mark, true);
}

// Listen to traits as long as the element is shown; returns what ends it.
function listening(model, handlers) {
  const all = Object.entries(handlers);
  for (const [event, handler] of all) model.on(event, handler);
  return () => { for (const [event, handler] of all) model.off(event, handler); };
}

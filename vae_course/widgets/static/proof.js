// The form of a proof pad: a line, how it relates to the line before, and why. Enter checks; Escape stops, or clears.
const POLL = 150;  // milliseconds between two looks at a step that is being checked
const RELATIONS = [["==", "= equal"], ["<=", "≤ at most"], [">=", "≥ at least"]];

function make(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function form(names) {
  const relation = make("select", { title: "how the line before relates to this one" });
  relation.setAttribute("aria-label", "relation of the line before to the next line");
  for (const [value, words] of RELATIONS) relation.append(make("option", { value }, words));
  const field = { type: "text", autocomplete: "off", spellcheck: false };
  const line = make("input", { ...field, className: "vae-proof-line", placeholder: "the next line" });
  const reason = make("input", { ...field, className: "vae-proof-reason", placeholder: "because …", spellcheck: true });
  line.setAttribute("aria-label", `next line. ${names}`);
  reason.setAttribute("aria-label", "because: the reason, in words");
  return { relation, line, reason };
}

function render({ model, el }) {
  const view = crypto.randomUUID?.() ?? String(Math.random());
  const { relation, line, reason } = form(model.get("names"));
  const button = (text, press) => make("button", { type: "button", textContent: text, onclick: press });
  const buttons = {
    check: button("Check", check), hint: button("Hint", () => ask("hint")), undo: button("Undo", () => ask("undo")),
    stop: button("Stop", () => send("stop")), copy: button("Copy as a cell", copy),
  };
  const status = make("span", { className: "vae-hidden-words" }), clock = make("span", { className: "vae-proof-clock" });
  status.setAttribute("role", "status");
  const cell = make("textarea", { readOnly: true, rows: 8, wrap: "off", className: "vae-proof-cell" });
  cell.setAttribute("aria-label", "the proof as Python, to be read and copied");
  const keys = make("div", { className: "vae-proof-keys" },
    `Enter checks the line. Esc stops a check, or clears the boxes. Tab goes on to the buttons. ${model.get("names")}`);
  const area = make("div", { className: "vae-proof-form" },
    make("div", { className: "vae-proof-row" }, relation, line, reason),
    make("div", { className: "vae-proof-row" }, ...Object.values(buttons), clock), keys,
    make("details", {}, make("summary", {}, "The proof as a cell"), cell), status);
  area.setAttribute("data-lm-suppress-shortcuts", "true");  // JupyterLab would take keys for itself
  el.append(area);

  let number = 0, seen = 0, began = 0, looks = 0;
  const send = (what, more = {}) => model.send({ do: what, ...more, view, number: ++number });
  function ask(what, more) {
    if (began) return;
    began = performance.now();
    send(what, more);
    show();
    looks = setInterval(look, POLL);
  }
  function look() {
    if (seen === number) send("look");  // a busy kernel gets no queue of them
    show();
  }
  function check() { ask("check", { line: line.value, because: reason.value, relation: relation.value }); }
  function show() {
    const seconds = began ? (performance.now() - began) / 1000 : 0;
    clock.textContent = seconds > 0.5 ? `working … ${seconds.toFixed(0)} s` : "";
    if (seconds > 1 && status.textContent !== "working") status.textContent = "working";
    buttons.stop.disabled = !began;
    area.setAttribute("aria-busy", String(Boolean(began)));
  }
  function answered() {  // the kernel has an answer, to this view or to another one
    clearInterval(looks);
    began = 0;
    show();
    if (document.activeElement === reason) line.focus();
    status.textContent = "";  // the same words twice are said twice
    requestAnimationFrame(() => { status.textContent = model.get("said"); });
  }
  function accepted() {
    line.value = reason.value = "";
    if (area.contains(document.activeElement)) line.focus();
  }
  function clear() {
    line.value = reason.value = "";
    line.focus();
    send("clear");
  }
  async function copy() {
    cell.value = model.get("cell");
    try { await navigator.clipboard.writeText(cell.value); }
    catch { cell.select(); document.execCommand("copy"); }  // a page that was not loaded over https
    status.textContent = clock.textContent = "copied";
  }
  area.addEventListener("keydown", event => {
    event.stopPropagation();
    if (event.isComposing) return;
    if (event.key === "Enter" && (event.target === line || event.target === reason)) check();
    else if (event.key === "Escape") began ? send("stop") : clear();
    else return;
    event.preventDefault();
  });
  const showCell = () => { cell.value = model.get("cell"); };
  showCell();
  show();
  const listeners = {
    "msg:custom": message => { if (message.view === view) seen = Math.max(seen, message.seen); },
    "change:answered": answered, "change:accepted": accepted, "change:cell": showCell,
  };
  for (const [name, listener] of Object.entries(listeners)) model.on(name, listener);
  model.set("alive", true);  // the core widgets that stood in for the form can go
  model.save_changes();
  return () => {
    clearInterval(looks);
    for (const [name, listener] of Object.entries(listeners)) model.off(name, listener);
  };
}

export default { render };

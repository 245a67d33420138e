// A map with a point that is dragged; where a press means something, a click, Enter or Space presses at the point.
const STEP = 0.1;
const HAND = 5, FINGER = 12, RING = 11;  // pixels: a click may tremble so far; the ring's radius

function put(model, [x, y], marker) {
  const [left, top, width, height] = model.get("frame");
  const [low, high] = model.get("bounds");
  const across = (x - low) / (high - low), up = (y - low) / (high - low);
  marker.style.left = `${100 * (left + width * across)}%`;
  marker.style.top = `${100 * (top + height * (1 - up))}%`;
}

function place(model, [x, y], area, marker) {
  put(model, [x, y], marker);
  area.setAttribute("aria-valuenow", x.toFixed(2));
  area.setAttribute("aria-valuetext", `${model.get("quantity")} = (${x.toFixed(2)}, ${y.toFixed(2)})`);
}

function render({ model, el }) {
  const area = document.createElement("div"), map = document.createElement("img"), marker = document.createElement("div");
  const [low, high] = model.get("bounds"), pressDoes = model.get("press_does"), side = `${model.get("side")}px`;
  area.className = "vae-pad-area";
  Object.assign(area.style, { width: side, height: side });
  area.tabIndex = 0;
  area.setAttribute("role", "slider");
  area.setAttribute("aria-roledescription", "two-dimensional slider");
  area.setAttribute("aria-label", `latent pad: arrow keys move ${model.get("quantity")}, with Shift ten times as far, ` +
    "Home goes back to the start" + (pressDoes && `, Enter or Space ${pressDoes}`));
  area.setAttribute("aria-valuemin", low);
  area.setAttribute("aria-valuemax", high);
  area.setAttribute("data-lm-suppress-shortcuts", "true");  // JupyterLab would move to the next cell on an arrow key
  marker.className = "vae-pad-marker";
  map.draggable = false;
  area.append(map, marker);
  el.append(area);

  let position = model.get("position");
  const pressed = [];  // where it was pressed since the kernel last heard of it
  const newest = newestOnly(model, () =>
    [{ x: position[0], y: position[1], ...(pressDoes && { pressed: pressed.splice(0) }) }]);
  function moveTo(x, y) {
    position = [x, y].map(v => Math.round(100 * Math.min(high, Math.max(low, v))) / 100);
    place(model, position, area, marker);
    newest.changed();
  }
  function moveToPointer(event) {
    const box = area.getBoundingClientRect(), [left, top, width, height] = model.get("frame");
    const across = ((event.clientX - box.left) / box.width - left) / width;
    const down = ((event.clientY - box.top) / box.height - top) / height;
    moveTo(low + (high - low) * across, high - (high - low) * down);
  }
  function press() {
    pressed.push(position);
    newest.changed();
  }
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  area.addEventListener("keydown", event => {
    const [x, y] = position, size = event.shiftKey ? 10 * STEP : STEP;
    if (event.key in steps) moveTo(x + size * steps[event.key][0], y + size * steps[event.key][1]);
    else if (event.key === "Home") moveTo(...model.get("start"));
    else if (pressDoes && (event.key === "Enter" || event.key === " ")) event.repeat || press();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  let click = null;  // where the pointer went down, until it has moved too far for a click
  const far = event =>
    Math.hypot(event.clientX - click.x, event.clientY - click.y) > (event.pointerType === "mouse" ? HAND : FINGER);
  area.addEventListener("pointerdown", event => {
    if (event.button !== 0) return;
    area.setPointerCapture(event.pointerId);
    area.focus({ preventScroll: true });
    click = pressDoes ? { x: event.clientX, y: event.clientY } : null;
    if (!click || !onRing(event)) moveToPointer(event);  // a click on the ring means what the ring is on, not its neighbour
    event.preventDefault();
  });
  area.addEventListener("pointermove", event => {
    if (!area.hasPointerCapture(event.pointerId) || (click && !far(event))) return;
    click = null;
    moveToPointer(event);
  });
  area.addEventListener("pointerup", () => {
    if (click) press();
    click = null;
  });
  area.addEventListener("pointercancel", () => { click = null; });

  const ring = document.createElement("div"), status = document.createElement("span");
  function onRing(event) {
    const box = ring.getBoundingClientRect();
    return box.width > 0
      && Math.hypot(event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2) < RING;
  }
  function find() {
    if (model.get("found").length) put(model, model.get("found"), ring);
  }
  const say = () => { status.textContent = model.get("said"); };
  if (pressDoes) {
    ring.className = "vae-pad-ring";
    marker.classList.add("vae-pad-cross");
    status.className = "vae-hidden-words";
    status.setAttribute("role", "status");
    area.append(ring);
    el.append(status);
  }

  let address = null;
  function showMap() {
    if (address) URL.revokeObjectURL(address);
    address = URL.createObjectURL(new Blob([model.get("map")], { type: "image/png" }));
    map.src = address;
    map.alt = model.get("map_in_words");
  }
  function follow() {  // the kernel moved the point; what it says about earlier moves of ours is not news
    if (newest.busy()) return;
    position = model.get("position");
    place(model, position, area, marker);
  }
  showMap();
  follow();
  find();
  model.on("change:map change:map_in_words", showMap);
  model.on("change:position", follow);
  model.on("change:found", find);
  model.on("change:said", say);
  model.set("alive", true);  // the sliders that stood in for the pad can go
  model.save_changes();
  return () => {
    model.off("change:map change:map_in_words", showMap);
    model.off("change:position", follow);
    model.off("change:found", find);
    model.off("change:said", say);
    newest.stop();
    URL.revokeObjectURL(address);
  };
}

export default { render };

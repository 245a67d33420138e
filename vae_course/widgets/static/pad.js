// A map with a point that is dragged.
const STEP = 0.1;

function place(model, [x, y], area, marker) {
  const [left, top, width, height] = model.get("frame");
  const [low, high] = model.get("bounds");
  const across = (x - low) / (high - low), up = (y - low) / (high - low);
  marker.style.left = `${100 * (left + width * across)}%`;
  marker.style.top = `${100 * (top + height * (1 - up))}%`;
  area.setAttribute("aria-valuenow", x.toFixed(2));
  area.setAttribute("aria-valuetext", `${model.get("quantity")} = (${x.toFixed(2)}, ${y.toFixed(2)})`);
}

function render({ model, el }) {
  const area = document.createElement("div"), map = document.createElement("img"), marker = document.createElement("div");
  const [low, high] = model.get("bounds");
  area.className = "vae-pad-area";
  area.tabIndex = 0;
  area.setAttribute("role", "slider");
  area.setAttribute("aria-roledescription", "two-dimensional slider");
  area.setAttribute("aria-label", `latent pad: arrow keys move ${model.get("quantity")}, with Shift ten times as far, ` +
    "Home goes back to the start");
  area.setAttribute("aria-valuemin", low);
  area.setAttribute("aria-valuemax", high);
  area.setAttribute("data-lm-suppress-shortcuts", "true");  // JupyterLab would move to the next cell on an arrow key
  marker.className = "vae-pad-marker";
  map.draggable = false;
  area.append(map, marker);
  el.append(area);

  let position = model.get("position");
  const newest = newestOnly(model, () => [{ x: position[0], y: position[1] }]);
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
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  area.addEventListener("keydown", event => {
    const [x, y] = position, size = event.shiftKey ? 10 * STEP : STEP;
    if (event.key in steps) moveTo(x + size * steps[event.key][0], y + size * steps[event.key][1]);
    else if (event.key === "Home") moveTo(...model.get("start"));
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  area.addEventListener("pointerdown", event => {
    if (event.button !== 0) return;
    area.setPointerCapture(event.pointerId);
    area.focus({ preventScroll: true });
    moveToPointer(event);
    event.preventDefault();
  });
  area.addEventListener("pointermove", event => {
    if (area.hasPointerCapture(event.pointerId)) moveToPointer(event);
  });

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
  model.on("change:map change:map_in_words", showMap);
  model.on("change:position", follow);
  model.set("alive", true);  // the sliders that stood in for the pad can go
  model.save_changes();
  return () => {
    model.off("change:map change:map_in_words", showMap);
    model.off("change:position", follow);
    newest.stop();
    URL.revokeObjectURL(address);
  };
}

export default { render };

// A canvas with a picture's pixels, on which is drawn with the pointer, or with the arrow keys and Space.
const SIDE = 168, BRUSH = 1.6 / 28;  // pixels of the page for the longer side; the pen, as a part of a side

function render({ model, el }) {
  const [height, width] = model.get("size"), light = model.get("dark_on_light"), what = model.get("what");
  const side = Math.sqrt(height * width), brush = Math.max(1, BRUSH * side), step = Math.max(1, Math.round(side / 28));
  const scale = SIDE / Math.max(height, width);
  const canvas = document.createElement("canvas"), status = document.createElement("span");
  canvas.className = "vae-sketch-area";
  Object.assign(canvas, { width, height });
  Object.assign(canvas.style, { width: `${scale * width}px`, height: `${scale * height}px` });
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `draw ${what}: with the pointer, or arrow keys move the pen and Space puts it down or lifts it`);
  canvas.setAttribute("data-lm-suppress-shortcuts", "true");
  status.className = "vae-hidden-words";
  status.setAttribute("role", "status");
  el.append(canvas, status);

  const ink = new Uint8Array(height * width), pen = { x: width / 2, y: height / 2, down: false };
  const newest = newestOnly(model, () => [{}, [ink.slice().buffer]]);
  function paint() {
    const context = canvas.getContext("2d"), picture = context.createImageData(width, height);
    for (let i = 0; i < ink.length; i++) {
      picture.data.fill(light ? 255 - ink[i] : ink[i], 4 * i, 4 * i + 3);
      picture.data[4 * i + 3] = 255;
    }
    context.putImageData(picture, 0, 0);
    if (document.activeElement === canvas && !canvas.matches(":active")) {  // the pen of those who draw with keys
      context.strokeStyle = pen.down ? "#D55E00" : "#56B4E9";
      context.lineWidth = step;
      context.strokeRect(Math.floor(pen.x) - 0.5 * step, Math.floor(pen.y) - 0.5 * step, 2 * step, 2 * step);
    }
  }
  function stamp(x, y) {
    const near = (v, size) => [Math.max(0, Math.floor(v - brush - 1)), Math.min(size, Math.ceil(v + brush + 1))];
    const [top, bottom] = near(y, height), [left, right] = near(x, width);
    for (let row = top; row < bottom; row++)
      for (let column = left; column < right; column++) {
        const distance = Math.hypot(column + 0.5 - x, row + 0.5 - y);
        const value = Math.round(255 * Math.min(1, Math.max(0, brush + 0.5 - distance)));
        ink[row * width + column] = Math.max(ink[row * width + column], value);
      }
  }
  function stroke(x, y) {
    const parts = Math.max(1, Math.ceil((2 / step) * Math.hypot(x - pen.x, y - pen.y)));
    for (let k = 1; k <= parts; k++) stamp(pen.x + ((x - pen.x) * k) / parts, pen.y + ((y - pen.y) * k) / parts);
    Object.assign(pen, { x, y });
    paint();
    newest.changed();
  }
  function at(event) {
    const box = canvas.getBoundingClientRect(), edge = canvas.clientLeft;
    return [event.clientX - box.left - edge, event.clientY - box.top - edge].map(v => (width * v) / canvas.clientWidth);
  }
  canvas.addEventListener("pointerdown", event => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
    const [x, y] = at(event);
    Object.assign(pen, { x, y, down: false });
    stroke(x, y);
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", event => {
    if (canvas.hasPointerCapture(event.pointerId)) stroke(...at(event));
  });
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const inside = (v, size) => Math.min(size - 0.5, Math.max(0.5, v));
  canvas.addEventListener("keydown", event => {
    const way = steps[event.key];
    if (event.key === " ") pen.down = !pen.down;
    else if (!way) return;
    const [x, y] = way ? [inside(pen.x + step * way[0], width), inside(pen.y + step * way[1], height)] : [pen.x, pen.y];
    if (pen.down) stroke(x, y);
    else Object.assign(pen, { x, y });
    status.textContent = `pen ${pen.down ? "down" : "up"}, row ${Math.floor(pen.y) + 1}, column ${Math.floor(pen.x) + 1}`;
    paint();
    event.preventDefault();
    event.stopPropagation();
  });
  canvas.addEventListener("focus", paint);
  canvas.addEventListener("blur", paint);

  function clear() {
    ink.fill(0);
    Object.assign(pen, { x: width / 2, y: height / 2, down: false });
    paint();
  }
  paint();
  model.on("change:cleared", clear);
  model.set("alive", true);
  model.save_changes();
  return () => {
    model.off("change:cleared", clear);
    newest.stop();
  };
}

export default { render };

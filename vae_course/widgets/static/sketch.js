// A canvas of SIZE × SIZE pixels on which a digit is drawn with the pointer, or with the arrow keys and Space.
const SIZE = 28, BRUSH = 1.6;

function render({ model, el }) {
  const canvas = document.createElement("canvas"), status = document.createElement("span");
  canvas.className = "vae-sketch-area";
  canvas.width = canvas.height = SIZE;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "draw a digit: with the pointer, or arrow keys move the pen and Space puts it down or lifts it");
  canvas.setAttribute("data-lm-suppress-shortcuts", "true");
  status.className = "vae-hidden-words";
  status.setAttribute("role", "status");
  el.append(canvas, status);

  const ink = new Uint8Array(SIZE * SIZE), pen = { x: SIZE / 2, y: SIZE / 2, down: false };
  const newest = newestOnly(model, () => [{}, [ink.slice().buffer]]);
  function paint() {
    const context = canvas.getContext("2d"), picture = context.createImageData(SIZE, SIZE);
    ink.forEach((value, i) => picture.data.set([value, value, value, 255], 4 * i));
    context.putImageData(picture, 0, 0);
    if (document.activeElement === canvas && !canvas.matches(":active")) {  // the pen of those who draw with keys
      context.strokeStyle = pen.down ? "#D55E00" : "#56B4E9";
      context.strokeRect(Math.floor(pen.x) - 0.5, Math.floor(pen.y) - 0.5, 2, 2);
    }
  }
  function stamp(x, y) {
    for (let row = 0; row < SIZE; row++)
      for (let column = 0; column < SIZE; column++) {
        const distance = Math.hypot(column + 0.5 - x, row + 0.5 - y);
        const value = Math.round(255 * Math.min(1, Math.max(0, BRUSH + 0.5 - distance)));
        ink[row * SIZE + column] = Math.max(ink[row * SIZE + column], value);
      }
  }
  function stroke(x, y) {
    const parts = Math.max(1, Math.ceil(2 * Math.hypot(x - pen.x, y - pen.y)));
    for (let k = 1; k <= parts; k++) stamp(pen.x + ((x - pen.x) * k) / parts, pen.y + ((y - pen.y) * k) / parts);
    Object.assign(pen, { x, y });
    paint();
    newest.changed();
  }
  function at(event) {
    const box = canvas.getBoundingClientRect(), edge = canvas.clientLeft;
    return [event.clientX - box.left - edge, event.clientY - box.top - edge].map(v => (SIZE * v) / canvas.clientWidth);
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
  const inside = v => Math.min(SIZE - 0.5, Math.max(0.5, v));
  canvas.addEventListener("keydown", event => {
    const step = steps[event.key];
    if (event.key === " ") pen.down = !pen.down;
    else if (!step) return;
    const [x, y] = step ? [inside(pen.x + step[0]), inside(pen.y + step[1])] : [pen.x, pen.y];
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
    Object.assign(pen, { x: SIZE / 2, y: SIZE / 2, down: false });
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

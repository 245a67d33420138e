// Sends the newest of many states to the kernel; `make` gives it as [content, buffers] when it can go. Few are on their way
// at a time, and one where the kernel takes long, so that a slow kernel never gets a queue. One would do, but for the
// network: with each message the browser also confirms what it received, and until then the server holds back what follows.
const ON_THE_WAY = 3, SLOW = 100;

function newestOnly(model, make) {
  const view = crypto.randomUUID?.() ?? String(Math.random()), sentAt = new Map();
  let number = 0, waits = false, frame = 0, took = 0;
  function send() {
    frame = 0;
    if (!waits || sentAt.size >= (took > SLOW ? 1 : ON_THE_WAY)) return;
    const [content, buffers] = make();
    waits = false;
    sentAt.set(++number, performance.now());
    model.send({ ...content, view, number }, undefined, buffers);
  }
  function answered(message) {
    if (message.view !== view) return;
    took = performance.now() - sentAt.get(message.seen);
    sentAt.delete(message.seen);
    if (waits) later();
  }
  const later = () => { frame ||= requestAnimationFrame(send); };
  model.on("msg:custom", answered);
  return {
    changed() { waits = true; later(); },
    busy: () => waits || sentAt.size > 0,
    stop() { model.off("msg:custom", answered); cancelAnimationFrame(frame); },
  };
}

// Garments on a black scene, and where a network that ends in class maps sees which of them.

const text = {
  lang: "en",
  title: "Where did it see that?",
  move: "Garment to move",
  right: "to the right",
  down: "down",
  scene: "the scene: drag a garment",
  canvas: "the scene; arrow keys move the chosen garment",
  class: "Map of",
  map: "class map: {name}",
  mapCanvas: "the map of a class; arrow keys move from element to element",
  note: "red speaks for the class, blue against it; the frame is at the strongest element",
  scores: "probabilities",
  says: "The map of {name} is strongest at ({row}, {column}), which looks at pixel ({y}, {x}). Over the whole scene {top} scores highest.",
  element: "The map of {name} at ({row}, {column}): {value}",
  reset: "reset",
};

function build({ text, data, add, say, live, reset }) {
  const net = new Network(data.net);
  const last = net.nodes.find((node) => node.op === "mean").inputs[0];
  const [classes, rows, columns] = net.named[last].shape;
  const [height, width] = data.scene;
  const pixels = bytes(data.images);
  const places = data.places.map((place) => place.slice());
  let [chosen, shown, made, queued] = [0, data.shown, null, false];

  // The middle of what an element of the class maps sees: jump * i + offset.
  let [jump, offset] = [1, 0];
  for (let node = net.named[last], chain = []; ; node = net.named[node.inputs[0]]) {
    chain.unshift(node);
    if (node.inputs.length) continue;
    for (const { kernel, padding, stride } of chain) {
      if (!kernel) continue;
      offset += ((kernel[0] - 1) / 2 - padding[0]) * jump;
      jump *= stride[0];
    }
    break;
  }

  const scene = picture({ label: text.canvas, height, width, side: 336, paint: () => {}, pick: () => {} });
  const map = picture({ label: text.mapCanvas, height: rows, width: columns, side: 336, pick: (r, c) => {
    map.mark([r, c, 1, 1]);
    const value = made[last].data[(shown * rows + r) * columns + c];
    say(put(text.element, { name: data.classes[shown], row: r, column: c, value: number(value) }));
  } });
  const name = h("div", { class: "name output" });
  const scores = bars();

  function compute() {
    const X = new Float32Array(height * width);
    places.forEach(([top, left], k) => {
      for (let p = 0; p < 784; p++) {
        const at = (top + Math.floor(p / 28)) * width + left + (p % 28);
        X[at] = Math.max(X[at], pixels[k * 784 + p] / 255);
      }
    });
    scene.draw(X);
    made = net.run(tensor([1, height, width], X.map((v) => (v - data.mean) / data.std)));
    draw();
  }

  function draw() {
    const shares = softmax(made[net.output.name]).data;
    scores.show(data.classes.map((label, k) => [label, shares[k], shares[k].toFixed(3)]), 1);
    const one = made[last].data.slice(shown * rows * columns, (shown + 1) * rows * columns);
    const most = made[last].data.reduce((top, v) => Math.max(top, Math.abs(v)), 0);
    map.draw(one, { low: 0, high: most, signed: true });
    const k = one.indexOf(Math.max(...one));
    const [row, column] = [Math.floor(k / columns), k % columns];
    const [y, x] = [row * jump + offset, column * jump + offset];
    map.mark([row, column, 1, 1]);
    map.at = [row, column];
    scene.mark([y - jump / 2, x - jump / 2, jump, jump]);
    name.textContent = put(text.map, { name: data.classes[shown] });
    say(put(text.says, { name: data.classes[shown], row, column, y, x, top: data.classes[shares.indexOf(Math.max(...shares))] }));
  }

  // Between two frames of the screen at most one computation.
  function later() {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => { queued = false; compute(); });
  }

  function put_(top, left) {
    places[chosen] = [clamp(top, 0, height - 28), clamp(left, 0, width - 28)];
    sliders.forEach((one, axis) => one.set(places[chosen][1 - axis]));
    later();
  }
  const sliders = [1, 0].map((axis) => slider({ label: axis ? text.right : text.down, min: 0, max: data.scene[axis] - 28,
    value: places[0][axis] }, (value) => put_(...(axis ? [places[chosen][0], value] : [value, places[chosen][1]]))));
  const movers = choice(text.move, data.names.map((label, k) => [k, label]), 0, (k) => {
    chosen = k;
    put_(...places[k]);
  });
  let grip = null;
  const at = (event) => {
    const box = scene.canvas.getBoundingClientRect();
    return [((event.clientY - box.top) / box.height) * height, ((event.clientX - box.left) / box.width) * width];
  };
  scene.canvas.addEventListener("pointerdown", (event) => {
    const [y, x] = at(event);
    const hit = places.findIndex(([top, left]) => y >= top && y < top + 28 && x >= left && x < left + 28);
    if (hit < 0) return;
    movers.set(chosen = hit);
    grip = [y - places[hit][0], x - places[hit][1]];
  });
  scene.canvas.addEventListener("pointermove", (event) => {
    const [y, x] = at(event);
    if (grip) put_(Math.round(y - grip[0]), Math.round(x - grip[1]));
  });
  for (const end of ["pointerup", "pointercancel"]) scene.canvas.addEventListener(end, () => { grip = null; });
  scene.canvas.addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if (step) put_(places[chosen][0] + 2 * step[0], places[chosen][1] + 2 * step[1]);
  });
  const which = menu(text.class, data.classes.map((label, k) => [k, label]), String(shown), (k) => { shown = Number(k); draw(); });
  add(h("div", { class: "row" }, movers.element), h("div", { class: "sliders" }, sliders.map((one) => one.element)),
    h("div", { class: "row", style: "align-items: flex-start" }, panel(text.scene, "input", scene.element),
      h("div", { class: "panel" }, name, map.element)),
    h("p", { class: "faint" }, text.note), live, h("div", { class: "row" }, which.element),
    panel(text.scores, "output", scores.element), h("div", { class: "row" }, reset));
  compute();
}

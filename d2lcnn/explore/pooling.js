// A garment moves; what does pooling make of its edges, and how much does that change?

const text = {
  lang: "en",
  title: "Move the picture: how much does the output change?",
  shift: "shift in pixels",
  window: "window",
  stride: "stride",
  mode: "Pooling",
  modes: { none: "none", max: "maximum", avg: "average", blur: "blurred maximum" },
  picture: "Garment",
  input: "the moved garment",
  before: "before the shift",
  after: "after the shift",
  difference: "difference",
  map: "{name}: the edges of the garment, pooled",
  curve: "relative change of the output, by shift in pixels",
  plot: "Relative change for shifts from −8 to 8 pixels: {values}",
  says: "Moved by {shift} pixels, the output changes by {value} of its norm.",
  still: "Not moved: nothing changes. Pull the first slider.",
  reset: "reset",
};

function build({ text, data, add, say, live, reset }) {
  const FRAME = 44; // pixels a side, as in the chapter: room to move
  const EDGES = tensor([2, 1, 3, 3], [1, 0, -1, 2, 0, -2, 1, 0, -1, 1, 2, 1, 0, 0, 0, -1, -2, -1]);
  const BLUR = [1, 2, 1, 2, 4, 2, 1, 2, 1].map((weight) => weight / 16);
  const pixels = bytes(data.images);
  let [chosen, shift, mode, size, stride] = [data.first, 0, "max", 4, 4];

  // In a black frame, from 0 to 1; what leaves on one side comes in on the other, as with torch.roll.
  function moved(by) {
    const X = tensor([1, FRAME, FRAME]);
    for (let k = 0; k < 784; k++) {
      const column = (8 + (k % 28) + by + FRAME) % FRAME;
      X.data[(8 + Math.floor(k / 28)) * FRAME + column] = pixels[chosen * 784 + k] / 255;
    }
    return X;
  }

  function pooled(by) {
    const edges = conv2d(moved(by), EDGES, null, { padding: [1, 1] });
    edges.data = edges.data.map(Math.abs);
    const [kernel, steps] = [[size, size], [stride, stride]];
    if (mode === "none") return edges;
    if (mode !== "blur") return pool2d(edges, mode, kernel, { stride: steps });
    // The maximum at every position, then a blur before positions are left out (Zhang, 2019).
    const dense = pool2d(edges, "max", kernel, { stride: [1, 1] });
    return conv2d(dense, tensor([2, 1, 3, 3], [...BLUR, ...BLUR]), null, { stride: steps, padding: [1, 1], groups: 2 });
  }

  const norm = (values) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
  const change = (before, after) => norm(after.data.map((v, k) => v - before.data[k])) / norm(before.data);

  const input = picture({ label: text.input, height: FRAME, width: FRAME, side: 176 });
  const stage = h("div", { class: "row" });
  const plot = s("svg", { role: "img", viewBox: "0 0 640 190", width: 640 });

  function draw() {
    const [before, after] = [pooled(0), pooled(shift)];
    const [, rows, columns] = before.shape;
    const one = (Y) => Y.data.slice(0, rows * columns);
    const [old, now] = [one(before), one(after)];
    const most = Math.max(...old, ...now);
    const shown = [["before", old], ["after", now], ["difference", now.map((v, k) => v - old[k])]].map(([name, values]) => {
      const map = picture({ label: put(text.map, { name: text[name] }), height: rows, width: columns, side: 150 });
      map.draw(values, { low: 0, high: most, signed: name === "difference" });
      return panel(text[name], "output", map.element);
    });
    stage.replaceChildren(...shown);
    input.draw(moved(shift).data);
    const values = Array.from({ length: 17 }, (_, k) => change(before, pooled(k - 8)));
    const top = Math.max(1.5, ...values);
    const [x, y] = [(k) => 50 + k * 36, (v) => 165 - (145 * v) / top];
    plot.setAttribute("aria-label", put(text.plot, { values: values.map((v) => v.toFixed(3)).join(", ") }));
    plot.replaceChildren(
      ...[0, 0.5, 1, 1.5].map((v) => s("g", {}, s("line", { x1: 44, x2: 632, y1: y(v), y2: y(v), stroke: "var(--line)" }),
        s("text", { x: 36, y: y(v) + 4, "text-anchor": "end", class: "faint" }, String(v)))),
      ...[-8, -4, 0, 4, 8].map((k) => s("text", { x: x(k + 8), y: 184, "text-anchor": "middle", class: "faint" }, number(k))),
      s("polyline", { points: values.map((v, k) => `${x(k)},${y(v)}`).join(" "), fill: "none", stroke: "var(--output)",
        "stroke-width": 2.5 }),
      s("circle", { cx: x(shift + 8), cy: y(values[shift + 8]), r: 7, fill: "var(--kernel)" }));
    const words = shift ? put(text.says, { shift: number(shift), value: values[shift + 8].toFixed(3) }) : text.still;
    say(words);
  }

  const set = (act) => (value) => { act(value); draw(); };
  const pace = slider({ label: text.stride, min: 1, max: 8, value: stride }, set((value) => { stride = value; }));
  const sliders = [
    slider({ label: text.shift, min: -8, max: 8, value: 0 }, set((value) => { shift = value; })),
    // The stride is the window's unless it is chosen apart.
    slider({ label: text.window, min: 1, max: 11, value: size }, set((value) => {
      size = value;
      stride = Math.min(value, 8);
      pace.set(stride);
    })),
    pace,
  ];
  const garment = menu(text.picture, data.names.map((name, k) => [k, name]), String(chosen),
    set((value) => { chosen = Number(value); }));
  const modes = choice(text.mode, Object.entries(text.modes), mode, set((value) => { mode = value; }));
  add(h("div", { class: "sliders" }, sliders.map((one) => one.element)), modes, h("div", { class: "row" }, garment.element),
    h("div", { class: "row", style: "align-items: flex-start" }, panel(text.input, "input", input.element), stage),
    live, panel(text.curve, "output", plot), h("div", { class: "row" }, reset));
  draw();
}

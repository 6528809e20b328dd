// A trained network that runs in the page: change the picture, and every map and the scores follow.

const text = {
  lang: "en",
  title: "A network at work",
  titles: { lenet: "LeNet at work" },
  pictures: "Choose a picture",
  picture: "picture {number}",
  named: "picture {number}: {name}",
  blank: "blank",
  input: "input: draw on it, or erase",
  canvas: "the input picture; arrow keys move, the space bar draws or erases",
  tool: "Pointer",
  erase: "erases",
  draw: "draws",
  right: "shift to the right",
  down: "shift down",
  scores: "probabilities",
  part: "Layers of",
  all: "the whole network",
  layer: "{name} · {kind} · {shape}",
  maps: "{name}, {kind}: {shape}; arrow keys move from unit to unit",
  hint: "Click any unit below to see what it was computed from.",
  says: "The network says {name}, with a probability of {share}.",
  class: "class {number}",
  unit: "{name} [{at}] = {value}",
  channel: "input channel",
  window: "its window, channel {channel}",
  weights: "weights, channel {channel}",
  conv: "{value} = bias {bias} + the sums over its {number} input channels: {sums}",
  linear: "{value} = bias {bias} + {terms} + the other {others}: {rest}",
  max: "{value} is the largest of its window.",
  avg: "{value} is the mean of its window.",
  mean: "{value} is the mean of the whole map.",
  of: "{value} = {op} of {before}",
  joined: "{value} comes from {source}.",
  reset: "reset",
};

function build({ text, data, add, say, live, reset }) {
  const net = new Network(data.net);
  const [channels, height, width] = data.shape;
  const pixels = bytes(data.images);
  const size = channels * height * width;
  const named = (k) => data.classes[k] ?? put(text.class, { number: k });
  const short = (value) => number(Math.abs(value) < 5e-5 ? 0 : value);
  const shape = (node) => node.shape.join(" × ");
  let [base, shift, tool, made, chosen, from] = [pixels.slice(0, size), [0, 0], "erase", null, null, 0];

  // The picture after its shift, from 0 to 255; what comes in from outside is black.
  function shifted() {
    const out = new Uint8Array(size);
    for (let k = 0; k < size; k++) {
      const [r, c] = [Math.floor((k % (height * width)) / width) - shift[0], (k % width) - shift[1]];
      if (r >= 0 && r < height && c >= 0 && c < width) {
        out[k] = base[Math.floor(k / (height * width)) * height * width + r * width + c];
      }
    }
    return out;
  }

  const side = clamp(Math.floor(224 / width), 1, 8) * width;
  const canvas = picture({ label: text.canvas, height, width, side, paint(r, c) {
    const reach = tool === "erase" ? 2 : 1;
    for (let a = -reach + 1; a <= reach; a++) {
      for (let b = -reach + 1; b <= reach; b++) {
        const [y, x] = [r + a - shift[0], c + b - shift[1]];
        if (y < 0 || y >= height || x < 0 || x >= width) continue;
        for (let i = 0; i < channels; i++) base[(i * height + y) * width + x] = tool === "erase" ? 0 : 255;
      }
    }
    update();
  } });

  function update() {
    const shown = shifted();
    const values = Float32Array.from(shown, (v) => v / 255);
    canvas.draw(values, { rgb: channels === 3 });
    const X = values.map((v, k) => {
      const i = Math.floor(k / (height * width));
      return (v - data.mean[i]) / data.std[i];
    });
    made = net.run({ shape: data.shape, data: X });
    const output = made[net.output.name];
    const shares = net.output.op === "softmax" ? output.data : softmax(output).data;
    const order = [...shares.keys()].sort((a, b) => shares[b] - shares[a]);
    const rows = shares.length > 12 ? order.slice(0, 10) : [...shares.keys()];
    scores.show(rows.map((k) => [named(k), shares[k], shares[k].toFixed(3)]), 1);
    for (const row of shownRows) row.draw();
    if (chosen) explain();
    else say(put(text.says, { name: named(order[0]), share: shares[order[0]].toFixed(3) }));
  }

  // ---- Layers ----
  const steps = net.nodes.filter((node) => node.inputs.length && node.op !== "same");
  const parts = [...new Set(steps.map((node) => node.name.split(".")[0]))];
  const isLong = steps.length > 16 && parts.length > 1;
  let shownRows = [];
  const list = h("div", { class: "layers" });

  // All maps of a node in one picture, a unit a pixel, black lines between the maps.
  function row(node) {
    const [c, rows, columns] = [node.shape[0], node.shape[1] ?? 1, node.shape[2] ?? 1];
    const gap = rows * columns > 1 ? 1 : 0;
    const lines = Math.ceil(c / (gap ? Math.max(6, Math.floor(90 / (columns + gap))) : 30));
    const across = Math.ceil(c / lines);
    const [w, tall] = [across * (columns + gap) - gap, lines * (rows + gap) - gap];
    const place = (i, r, x) => [Math.floor(i / across) * (rows + gap) + r, (i % across) * (columns + gap) + x];
    const label = { name: node.name, kind: node.kind, shape: shape(node) };
    const atlas = picture({ label: put(text.maps, label), height: tall, width: w,
      side: clamp(Math.floor(640 / w), 1, gap ? 5 : w > 20 ? 14 : 26) * w, hover: false, pick(y, x) {
        const i = Math.floor(y / (rows + gap)) * across + Math.floor(x / (columns + gap));
        const [r, s_] = [y % (rows + gap), x % (columns + gap)];
        if (i >= c || r >= rows || s_ >= columns) return false;
        chosen = { node, at: [i, r, s_] };
        from = Math.min(from, (node.weights.weight?.shape[1] ?? 1) - 1);
        explain();
        return true;
      } });
    atlas.at = [0, 0];
    return {
      node,
      mark: (at) => (at ? atlas.mark([...place(...at), 1, 1]) : atlas.mark()),
      element: h("div", { class: "panel" }, h("div", { class: "faint" }, put(text.layer, label)), atlas.element),
      draw() {
        const values = made[node.name].data;
        const top = values.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
        const isSigned = values.some((v) => v < 0);
        const pixel = new Float32Array(w * tall).fill(NaN);
        for (let k = 0; k < values.length; k++) {
          const [y, x] = place(Math.floor(k / (rows * columns)), Math.floor(k / columns) % rows, k % columns);
          pixel[y * w + x] = values[k];
        }
        atlas.draw(pixel, { low: 0, high: top, signed: isSigned });
      },
    };
  }

  function show(part) {
    shownRows = steps.filter((node) => !isLong || node.name.split(".")[0] === part).map(row);
    list.replaceChildren(...shownRows.map((one) => one.element));
    chosen = null;
    detail.replaceChildren();
  }

  // ---- What a unit was computed from ----
  const detail = h("div", { class: "row" });
  const unitLine = h("p", {});
  const matrix = (name, values) => panel(name, "", h("table", { class: "matrix" }, values.map((line) =>
    h("tr", {}, line.map((v) => h("td", {}, number(v, 2)))))));

  function explain() {
    const { node, at: [i, r, c] } = chosen;
    const X = made[node.inputs[0]];
    const value = made[node.name].data[(i * (node.shape[1] ?? 1) + r) * (node.shape[2] ?? 1) + c];
    const { weight, bias } = node.weights;
    const [places, shown] = [node.shape.length > 1 ? [i, r, c] : [i], short(value)];
    const parts_ = [];
    let words = "";
    for (const one of shownRows) {
      one.mark(one.node === node ? [i, r, c] : null);
      if (one.node === node) one.element.append(detail);
    }
    const window_ = (channel) => Array.from({ length: node.kernel[0] }, (_, a) =>
      Array.from({ length: node.kernel[1] }, (_, b) => {
        const y = r * node.stride[0] - node.padding[0] + a * (node.dilation?.[0] ?? 1);
        const x = c * node.stride[1] - node.padding[1] + b * (node.dilation?.[1] ?? 1);
        const inside = y >= 0 && x >= 0 && y < X.shape[1] && x < X.shape[2];
        return inside ? X.data[(channel * X.shape[1] + y) * X.shape[2] + x] : 0;
      }));
    if (node.op === "conv2d") {
      const [, c_i, k_h, k_w] = weight.shape;
      const first = Math.floor(i / (node.shape[0] / (node.groups ?? 1))) * c_i;
      const kernel = (j) => Array.from({ length: k_h }, (_, a) =>
        [...weight.data.slice(((i * c_i + j) * k_h + a) * k_w, ((i * c_i + j) * k_h + a + 1) * k_w)]);
      const sums = Array.from({ length: c_i }, (_, j) => {
        const K = kernel(j).flat();
        return window_(first + j).flat().reduce((sum, x, k) => sum + x * K[k], 0);
      });
      const few = sums.length > 24 ? [...sums.slice(0, 24).map(short), "…"] : sums.map(short);
      words = put(text.conv, { value: shown, bias: short(bias ? bias.data[i] : 0), number: c_i, sums: few.join(", ") });
      from = Math.min(from, c_i - 1);
      if (c_i > 1) {
        parts_.push(slider({ label: text.channel, min: 0, max: c_i - 1, value: from }, (j) => {
          from = j;
          grids.replaceChildren(...pair());
        }).element);
      }
      const pair = () => [matrix(put(text.window, { channel: first + from }), window_(first + from)),
        matrix(put(text.weights, { channel: first + from }), kernel(from))];
      const grids = h("div", { class: "row" }, pair());
      parts_.push(grids);
    } else if (node.op === "max" || node.op === "avg") {
      words = put(text[node.op], { value: shown });
      parts_.push(matrix(put(text.window, { channel: i }), window_(i)));
    } else if (node.op === "linear") {
      const terms = [...X.data].map((x, k) => [x * weight.data[i * X.data.length + k], k, x]);
      terms.sort((a, b) => Math.abs(b[0]) - Math.abs(a[0]));
      const rest = terms.slice(5).reduce((sum, term) => sum + term[0], 0);
      words = put(text.linear, { value: shown, bias: short(bias ? bias.data[i] : 0), others: terms.length - 5,
        terms: terms.slice(0, 5).map(([t, , x]) => `${number(x, 2)}·${signed(t / x, 2)}`).join(" + "), rest: short(rest) });
    } else if (node.op === "concatenate") {
      let [left, k] = [i, 0];
      while (left >= made[node.inputs[k]].shape[0]) left -= made[node.inputs[k++]].shape[0];
      words = put(text.joined, { value: shown, source: `${node.inputs[k]} [${[left, ...places.slice(1)].join(", ")}]` });
    } else if (node.op === "mean" || node.op === "adaptive") {
      words = put(text.mean, { value: shown });
    } else {
      const before = X.data[(i * (X.shape[1] ?? 1) + r) * (X.shape[2] ?? 1) + c];
      words = put(text.of, { value: shown, op: node.kind, before: short(before) });
    }
    unitLine.textContent = words;
    detail.replaceChildren(unitLine, ...parts_);
    say(put(text.unit, { name: node.name, at: places.join(", "), value: shown }));
  }

  // ---- Controls ----
  const number_ = pixels.length / size;
  const thumbs = Array.from({ length: number_ + 1 }, (_, k) => {
    const isBlank = k === number_;
    const own = isBlank ? new Uint8Array(size) : pixels.slice(k * size, (k + 1) * size);
    const name = { number: k + 1, name: data.names[k] };
    const label = isBlank ? text.blank : put(data.names[k] ? text.named : text.picture, name);
    const small = picture({ label: "", height, width, side: 44 });
    small.draw(Float32Array.from(own, (v) => v / 255), { rgb: channels === 3 });
    small.canvas.setAttribute("aria-hidden", "true");
    return button(small.element, (event) => {
      base = own.slice();
      thumbs.forEach((thumb) => thumb.setAttribute("aria-pressed", thumb === event.currentTarget));
      if (isBlank) toolChoice.set(tool = "draw");
      chosen = null;
      detail.replaceChildren();
      for (const one of shownRows) one.mark(null);
      update();
    }, { "aria-label": label, "aria-pressed": k === 0, class: "thumb" });
  });
  const reach = Math.max(1, Math.round(0.3 * Math.min(height, width)));
  const move = (label, axis) => slider({ label, min: -reach, max: reach, value: 0 }, (value) => {
    shift[axis] = value;
    update();
  }).element;
  const toolChoice = choice(text.tool, [["erase", text.erase], ["draw", text.draw]], tool, (name) => { tool = name; });
  const scores = bars();
  const partMenu = menu(text.part, parts.map((name) => [name, name]), parts[0], (part) => { show(part); update(); });
  partMenu.element.hidden = !isLong;
  add(h("div", { class: "thumbs", role: "group", "aria-label": text.pictures }, thumbs),
    h("div", { class: "row", style: "align-items: flex-start; gap: 12px 26px" },
      h("div", { class: "panel" }, h("div", { class: "name input" }, text.input), canvas.element, toolChoice.element),
      h("div", { class: "panel", style: "flex: 1 1 240px" }, h("div", { class: "name output" }, text.scores),
        scores.element)),
    h("div", { class: "sliders" }, move(text.right, 1), move(text.down, 0)), live,
    h("p", { class: "faint" }, text.hint), partMenu, list, h("div", { class: "row" }, reset));
  show(parts[0]);
  update();
}

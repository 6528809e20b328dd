// One axis: the windows of a layer, what the floor drops, and how a stack of layers widens the view.

const text = {
  lang: "en",
  title: "How large is the output, and what does it see?",
  n: "input n",
  k: "kernel k",
  p: "padding p, each side",
  s: "stride s",
  d: "dilation d",
  window: "window",
  strip: "The padded input, {n} elements, and {out} windows. How many windows touch each input element: {touched}.",
  touched: "windows that touch each element",
  formula: "⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1 = ⌊({n} + 2·{p} − {d}·({k} − 1) − 1) / {s}⌋ + 1 = {out}",
  conventions: "p = {p} is per side, as PyTorch counts; books that count both sides together write {both}.",
  covers: "Output {i} of {out} takes the inputs {list}.",
  padding: "padding",
  dropped: { 0: "The last window ends where the padded input ends: nothing is dropped.",
    1: "The floor drops the last element (dashed).", more: "The floor drops the last {number} elements (dashed)." },
  stack: "A stack of layers",
  size: "input of the stack",
  put: "put this layer on the stack",
  take: "take the last one off",
  full: "Ten layers are enough here.",
  misfit: "This layer does not fit on a map of {size}.",
  added: "Layer {number}: each element now sees {field} of the {size} inputs, and neighbours lie {jump} apart.",
  taken: "The stack has {number} layers.",
  head: ["layer", "k", "s", "p", "d", "size", "field", "jump"],
  input: "input",
  table: "the stack of layers: sizes, fields and jumps",
  view: "What the middle element of each layer sees of the input: {fields}",
  reset: "reset",
};

function build({ text, data, add, say, live, reset }) {
  const state = { ...data.layer };
  let window_ = 0;
  const layers = data.layers.map((layer) => ({ ...layer }));
  const strip = s("svg", { role: "img" });
  const view = s("svg", { role: "img" });
  const [formula, conventions, drops] = [h("p", { class: "formula" }), h("p", { class: "faint" }), h("p", { class: "faint" })];
  const outputs = () => outputSize(state.n, state.k, state.p, state.s, state.d);

  const sliders = Object.fromEntries(Object.entries({ n: [1, 14], k: [1, 7], p: [0, 3], s: [1, 4], d: [1, 3] }).map(
    ([name, [min, max]]) => [name, slider({ label: text[name], min, max, value: state[name] }, (value) => {
      state[name] = value;
      keepValid(name);
      draw();
      tell();
    })]));
  const chosen = slider({ label: text.window, min: 0, max: outputs() - 1, value: 0 }, (value) => {
    window_ = value;
    draw();
    tell();
  });

  // A setting that no longer fits gives way, never the one just moved.
  function keepValid(moved) {
    for (const name of ["d", "k", "n"].filter((other) => other !== moved)) {
      while (outputs() < 1 && (name === "n" ? state.n < 14 : state[name] > 1)) state[name] += name === "n" ? 1 : -1;
    }
    while (outputs() < 1) state[moved] += moved === "p" || moved === "n" ? 1 : -1;
    for (const name of Object.keys(sliders)) sliders[name].set(state[name]);
  }

  const places = (i) => Array.from({ length: state.k }, (_, j) => i * state.s + j * state.d);

  function draw() {
    const { n, k, p, s: stride, d } = state;
    const [out, length] = [outputs(), n + 2 * p];
    window_ = clamp(window_, 0, out - 1);
    chosen.limit(0, out - 1);
    chosen.set(window_);
    const touched = Array(length).fill(0);
    for (let i = 0; i < out; i++) for (const place of places(i)) touched[place] += 1;
    const left = (length - span(k, d)) % stride;
    const [unit, top, line] = [34, 34, 15];
    const parts = [];
    for (let x = 0; x < length; x++) {
      const isPadding = x < p || x >= p + n;
      const isDropped = x >= length - left;
      const on = places(window_).includes(x);
      parts.push(s("rect", { x: x * unit + 2, y: 2, width: unit - 4, height: top - 4, rx: 5, "stroke-width": on ? 2 : 1,
        fill: on ? "var(--input-soft)" : isPadding ? "none" : "var(--soft)",
        stroke: on ? "var(--input)" : isDropped ? "var(--kernel)" : "var(--line)",
        "stroke-dasharray": isPadding || isDropped ? "4 3" : undefined }));
      if (!isPadding) {
        parts.push(s("text", { x: (x + 0.5) * unit, y: top / 2 + 5, "text-anchor": "middle" }, String(touched[x])));
      }
    }
    for (let i = 0; i < out; i++) {
      const [y, taken, on] = [top + 10 + i * line, places(i), i === window_];
      const ink = on ? "var(--output)" : "var(--line)";
      const pick = () => { if (window_ !== i) { window_ = i; draw(); tell(); } };
      parts.push(s("g", { onpointerenter: pick, onpointerdown: pick, style: "cursor: pointer", class: "window" },
        s("rect", { x: 0, y: y - line / 2, width: length * unit, height: line, fill: "transparent" }),
        s("line", { x1: (taken[0] + 0.5) * unit, x2: (taken.at(-1) + 0.5) * unit, y1: y, y2: y, stroke: ink,
          "stroke-width": 2 }),
        taken.map((x) => s("circle", { cx: (x + 0.5) * unit, cy: y, r: 4.5, fill: ink }))));
    }
    const inside = touched.slice(p, p + n);
    strip.setAttribute("viewBox", `0 0 ${length * unit} ${top + 8 + out * line}`);
    strip.setAttribute("width", length * unit);
    strip.setAttribute("aria-label", put(text.strip, { n: length, out, touched: inside.join(" ") }));
    strip.replaceChildren(...parts);
    formula.textContent = put(text.formula, { n, k, p, s: stride, d, out });
    conventions.textContent = put(text.conventions, { p, both: 2 * p });
    drops.textContent = put(text.dropped[left] ?? text.dropped.more, { number: left });
  }

  function tell() {
    const list = places(window_).map((x) => (x < state.p || x >= state.p + state.n ? text.padding : x - state.p));
    say(put(text.covers, { i: window_, out: outputs(), list: list.join(", ") }));
  }

  // Size, field, jump and start after each layer, the input first.
  function grown() {
    const rows = [{ size: size.value, field: 1, jump: 1, start: 0 }];
    for (const layer of layers) {
      const last = rows.at(-1);
      rows.push({ layer, size: outputSize(last.size, layer.k, layer.p, layer.s, layer.d),
        field: last.field + layer.d * (layer.k - 1) * last.jump, jump: last.jump * layer.s,
        start: last.start - layer.p * last.jump });
    }
    return rows;
  }

  function drawStack() {
    let rows = grown();
    while (rows.some((row) => row.size < 1)) {
      layers.pop();
      rows = grown();
    }
    stack.show([text.head, ...rows.map(({ layer, size, field, jump }, k) => [k || text.input,
      ...["k", "s", "p", "d"].map((name) => layer?.[name] ?? ""), size, field, jump].map(String))], text.table);
    const [wide, line] = [640, 16];
    const to = wide / (2 * rows[0].size);
    view.setAttribute("viewBox", `0 0 ${wide} ${rows.length * line + 4}`);
    view.replaceChildren(
      s("rect", { x: wide / 4, y: 0, width: wide / 2, height: rows.length * line + 4, fill: "var(--soft)" }),
      ...rows.map((row, k) => {
        const from = Math.floor(row.size / 2) * row.jump + row.start;
        return s("rect", { x: wide / 4 + from * to, y: 3 + k * line, width: Math.max(row.field * to, 2), height: line - 4,
          rx: 2, fill: k ? "var(--output)" : "var(--input)" });
      }));
    view.setAttribute("aria-label", put(text.view, { fields: rows.map((row) => row.field).join(", ") }));
    return rows.at(-1);
  }

  const stack = table();
  const size = slider({ label: text.size, min: 16, max: 256, step: 8, value: data.size }, () => drawStack());
  const push = button(text.put, () => {
    const { k, p, s: stride, d } = state;
    const last = grown().at(-1).size;
    if (layers.length === 10) return say(text.full);
    if (outputSize(last, k, p, stride, d) < 1) return say(put(text.misfit, { size: last }));
    layers.push({ k, p, s: stride, d });
    const { field, jump } = drawStack();
    return say(put(text.added, { number: layers.length, field, jump, size: size.value }));
  });
  const pop = button(text.take, () => {
    layers.pop();
    drawStack();
    say(put(text.taken, { number: layers.length }));
  });
  add(h("div", { class: "sliders" }, Object.values(sliders).map((one) => one.element)),
    h("div", { class: "panel" }, h("div", { class: "name input" }, text.touched), strip),
    h("div", { class: "sliders" }, chosen.element), formula, drops, conventions, live,
    h("div", { class: "panel" }, h("div", { class: "name output" }, text.stack), stack.element, view),
    h("div", { class: "row" }, push, pop, reset), h("div", { class: "sliders" }, size.element));
  draw();
  tell();
  drawStack();
}

// What the figures share: operations, a network that runs from its trace, controls and colours.
// A tensor is {shape, data}: (channels, height, width) or (features,), with no batch axis; data is a Float32Array.

const count = (shape) => shape.reduce((product, n) => product * n, 1);
const tensor = (shape, data) => ({ shape, data: data ? Float32Array.from(data) : new Float32Array(count(shape)) });
const span = (kernel, dilation) => dilation * (kernel - 1) + 1;
const outputSize = (n, k, p = 0, s = 1, d = 1) => Math.floor((n + 2 * p - span(k, d)) / s) + 1;

// X (c_i, h, w) and K (c_o, c_i / groups, k_h, k_w), zeros around X; pairs are (vertical, horizontal).
function conv2d(X, K, bias, { stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups = 1, size } = {}) {
  let [channels, h, w] = X.shape;
  const [c_o, c_i, k_h, k_w] = K.shape;
  let [out_h, out_w] = size ?? [0, 1].map((a) =>
    outputSize(X.shape[a + 1], K.shape[a + 2], padding[a], stride[a], dilation[a]));
  const Y = tensor([c_o, out_h, out_w]);
  // A 1x1 kernel sees no rows: one long row is quicker.
  if (k_h * k_w === 1 && stride[0] * stride[1] === 1 && padding[0] + padding[1] === 0) {
    [h, w, out_h, out_w] = [1, h * w, 1, h * w];
  }
  const perGroup = c_o / groups;
  for (let o = 0; o < c_o; o++) {
    const start = o * out_h * out_w;
    if (bias) Y.data.fill(bias.data[o], start, start + out_h * out_w);
    for (let i = 0; i < c_i; i++) {
      const channel = Math.floor(o / perGroup) * c_i + i;
      for (let a = 0; a < k_h; a++) {
        for (let b = 0; b < k_w; b++) {
          const weight = K.data[((o * c_i + i) * k_h + a) * k_w + b];
          const shift = b * dilation[1] - padding[1];
          const first = Math.max(0, Math.ceil(-shift / stride[1]));
          const last = Math.min(out_w - 1, Math.floor((w - 1 - shift) / stride[1]));
          if (weight === 0) continue;
          for (let y = 0; y < out_h; y++) {
            const row = y * stride[0] + a * dilation[0] - padding[0];
            if (row < 0 || row >= h) continue;
            const from = (channel * h + row) * w + shift;
            const to = start + y * out_w;
            for (let x = first; x <= last; x++) Y.data[to + x] += weight * X.data[from + x * stride[1]];
          }
        }
      }
    }
  }
  return Y;
}

// X (h, w) with the kernel K (k_h, k_w), as d2lcnn.corr2d.
function corr2d(X, K, options = {}) {
  const Y = conv2d(tensor([1, ...X.shape], X.data), tensor([1, 1, ...K.shape], K.data), null, options);
  return { shape: Y.shape.slice(1), data: Y.data };
}

const flipped = (K) => ({ shape: K.shape, data: K.data.slice().reverse() });

// Windows may reach over the far side, as with ceil_mode; `size` then says how many there are.
function pool2d(X, mode, kernel, options = {}) {
  const { stride = kernel, padding = [0, 0], dilation = [1, 1], size, countsPadding = true } = options;
  const [c, h, w] = X.shape;
  const [out_h, out_w] = size ?? [0, 1].map((a) =>
    outputSize(X.shape[a + 1], kernel[a], padding[a], stride[a], dilation[a]));
  const Y = tensor([c, out_h, out_w]);
  for (let i = 0, k = 0; i < c; i++) {
    for (let y = 0; y < out_h; y++) {
      for (let x = 0; x < out_w; x++, k++) {
        const [top, left] = [y * stride[0] - padding[0], x * stride[1] - padding[1]];
        let [sum, most, n] = [0, -Infinity, 0];
        for (let a = 0; a < kernel[0]; a++) {
          const row = top + a * dilation[0];
          if (row < 0 || row >= h) continue;
          for (let b = 0; b < kernel[1]; b++) {
            const column = left + b * dilation[1];
            if (column < 0 || column >= w) continue;
            const value = X.data[(i * h + row) * w + column];
            sum += value;
            n += 1;
            if (value > most) most = value;
          }
        }
        if (mode === "avg" && countsPadding) {
          n = (Math.min(top + kernel[0], h + padding[0]) - top) * (Math.min(left + kernel[1], w + padding[1]) - left);
        }
        Y.data[k] = mode === "max" ? most : sum / n;
      }
    }
  }
  return Y;
}

// To a map of `size`, as torch's adaptive average pooling; [1, 1] is the global average.
function averageTo(X, size) {
  const [c, h, w] = X.shape;
  const Y = tensor([c, ...size]);
  let k = 0;
  for (let i = 0; i < c; i++) {
    for (let y = 0; y < size[0]; y++) {
      const rows = [Math.floor((y * h) / size[0]), Math.ceil(((y + 1) * h) / size[0])];
      for (let x = 0; x < size[1]; x++) {
        const columns = [Math.floor((x * w) / size[1]), Math.ceil(((x + 1) * w) / size[1])];
        let sum = 0;
        for (let r = rows[0]; r < rows[1]; r++) {
          for (let s = columns[0]; s < columns[1]; s++) sum += X.data[(i * h + r) * w + s];
        }
        Y.data[k++] = sum / ((rows[1] - rows[0]) * (columns[1] - columns[0]));
      }
    }
  }
  return Y;
}

function linear(X, W, bias) {
  const [out, features] = W.shape;
  const Y = tensor([out]);
  for (let o = 0; o < out; o++) {
    let sum = bias ? bias.data[o] : 0;
    for (let i = 0; i < features; i++) sum += W.data[o * features + i] * X.data[i];
    Y.data[o] = sum;
  }
  return Y;
}

// Along the channels, or the features.
function concatenate(parts) {
  const channels = parts.reduce((sum, part) => sum + part.shape[0], 0);
  const Y = tensor([channels, ...parts[0].shape.slice(1)]);
  let at = 0;
  for (const part of parts) {
    Y.data.set(part.data, at);
    at += part.data.length;
  }
  return Y;
}

// Over the channels, at each place.
function softmax(X) {
  const Y = tensor(X.shape);
  const [c, places] = [X.shape[0], X.data.length / X.shape[0]];
  for (let p = 0; p < places; p++) {
    let [most, sum] = [-Infinity, 0];
    for (let i = 0; i < c; i++) most = Math.max(most, X.data[i * places + p]);
    for (let i = 0; i < c; i++) sum += Y.data[i * places + p] = Math.exp(X.data[i * places + p] - most);
    for (let i = 0; i < c; i++) Y.data[i * places + p] /= sum;
  }
  return Y;
}

// One factor and one term for each channel: what batch normalisation does once its statistics stand.
function scaled(X, factor, term) {
  const places = X.data.length / X.shape[0];
  return { shape: X.shape, data: X.data.map((x, k) => {
    const i = Math.floor(k / places);
    return x * factor.data[i] + term.data[i];
  }) };
}

const ACTIVATIONS = {
  relu: (x) => (x > 0 ? x : 0),
  relu6: (x) => Math.min(Math.max(x, 0), 6),
  leaky_relu: (x, slope) => (x > 0 ? x : slope * x),
  elu: (x, alpha) => (x > 0 ? x : alpha * Math.expm1(x)),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  silu: (x) => x / (1 + Math.exp(-x)),
  tanh: Math.tanh,
};
const activate = (name, X, setting) => ({ shape: X.shape, data: X.data.map((x) => ACTIVATIONS[name](x, setting)) });

// ---- A network from its trace ------------------------------------------------------------------------------------

const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

// Eight-bit weights with a scale for each output channel, or plain numbers.
function decoded({ shape, q, scale, values }) {
  if (values) return tensor(shape, values);
  const integers = new Int8Array(bytes(q).buffer);
  const per = integers.length / scale.length;
  return tensor(shape, Float32Array.from(integers, (value, k) => value * scale[Math.floor(k / per)]));
}

// `spec` is what d2lcnn.explore writes: the nodes of a trace, and for each what to do and its weights.
class Network {
  constructor(spec) {
    this.nodes = spec.trace.nodes.map((node) => {
      const step = spec.steps[node.name];
      const weights = Object.entries(step.weights ?? {}).map(([name, value]) => [name, decoded(value)]);
      return { ...node, ...step, shape: node.shape.slice(1), weights: Object.fromEntries(weights) };
    });
    this.named = Object.fromEntries(this.nodes.map((node) => [node.name, node]));
    this.output = this.nodes.at(-1);
  }

  // All nodes' tensors by name, for an input of the trace's shape.
  run(X) {
    const made = {};
    for (const node of this.nodes) made[node.name] = node.inputs.length ? this.step(node, made) : X;
    return made;
  }

  step(node, made) {
    const inputs = node.inputs.map((name) => made[name]);
    const X = inputs[0];
    const { weight, bias, factor, term } = node.weights;
    const { stride, padding, dilation, kernel, setting } = node;
    const window = { stride, padding, dilation, size: node.shape.slice(1), countsPadding: setting !== false };
    switch (node.op) {
      case "conv2d": return conv2d(X, weight, bias, { ...window, groups: node.groups });
      case "max": case "avg": return pool2d(X, node.op, kernel, { ...window, dilation: dilation ?? [1, 1] });
      case "mean": return { shape: node.shape, data: averageTo(X, [1, 1]).data };
      case "adaptive": return averageTo(X, node.shape.slice(1));
      case "linear": return linear(X, weight, bias);
      case "concatenate": return concatenate(inputs);
      case "add": return { shape: X.shape, data: X.data.map((x, k) => x + inputs[1 % inputs.length].data[k]) };
      case "scaled": return scaled(X, factor, term);
      case "softmax": return softmax(X);
      case "same": return { shape: node.shape, data: X.data };
      default: return activate(node.op, X, setting);
    }
  }
}

// ---- The page ----------------------------------------------------------------------------------------------------

const STYLE = `
:host { --cell: 34px; display: block; max-width: 46rem; margin: 0.5rem 0; color-scheme: light;
  --card: #ffffff; --ink: #1a202c; --faint: #56616f; --line: #c3ccd6; --soft: #f1f4f7; --focus: #1f5fa8;
  --input: #2563a5; --kernel: #a34d05; --output: #27694a; --violet: #6b46a8;
  --input-soft: #dbe8f6; --kernel-soft: #fbe3cd; --output-soft: #d6ecdf; }
:host([data-dark]) { color-scheme: dark;
  --card: #15191e; --ink: #e5eaf0; --faint: #a3afbb; --line: #46515d; --soft: #222931; --focus: #8fc1ff;
  --input: #86b8f2; --kernel: #f2ab6d; --output: #80d0a2; --violet: #bfa2f0;
  --input-soft: #1f3d5e; --kernel-soft: #573417; --output-soft: #1c4631; }
* { box-sizing: border-box; margin: 0; font: inherit; color: inherit; letter-spacing: normal; }
.frame { background: var(--card); color: var(--ink); border: 1px solid var(--line); border-radius: 10px;
  padding: 14px 16px; grid-template-columns: minmax(0, 1fr); display: grid; gap: 12px;
  font: 15px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.title { font-weight: 650; }
.live { min-height: 1.4em; color: var(--ink); }
.faint, .slider span, legend, .menu span { color: var(--faint); font-size: 13.5px; }
.row { display: flex; flex-wrap: wrap; gap: 12px 14px; align-items: center; }
.panel { display: grid; grid-template-columns: minmax(0, auto); gap: 6px; justify-items: start; min-width: 0;
  max-width: 100%; }
.panel > .name { font-size: 13.5px; font-weight: 600; }
.input { color: var(--input); } .kernel { color: var(--kernel); } .output { color: var(--output); }
.sign { font-size: 20px; color: var(--faint); }
button, select, .choice label { min-height: 38px; padding: 6px 13px; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); cursor: pointer; }
button:hover, .choice label:hover { background: var(--soft); }
button:disabled { opacity: 0.5; cursor: default; }
:is(button, select, input, canvas, svg, [tabindex]):focus-visible, .choice label:focus-within {
  outline: 3px solid var(--focus); outline-offset: 1px; }
fieldset { border: 0; padding: 0; min-width: 0; }
.choice { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
.choice legend { float: left; margin-right: 6px; padding: 0; }
.choice label { display: inline-flex; align-items: center; padding: 6px 12px; }
.choice label:has(:checked) { background: var(--input-soft); border-color: var(--input); font-weight: 600; }
.choice input { position: absolute; opacity: 0; width: 1px; height: 1px; }
.choice label { position: relative; }
.menu { display: inline-flex; gap: 8px; align-items: center; max-width: 100%; }
.menu span { white-space: nowrap; } select { min-width: 0; }
.sliders { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 4px 18px; }
.slider { display: grid; grid-template-columns: 1fr auto; align-items: center; column-gap: 8px; }
.slider b { font-weight: 600; font-size: 14px; }
.slider input { grid-column: 1 / -1; width: 100%; height: 30px; accent-color: var(--input); cursor: pointer; }
.check { display: inline-flex; gap: 8px; align-items: center; min-height: 38px; cursor: pointer; }
.check input { width: 20px; height: 20px; accent-color: var(--input); }
.cells { display: grid; gap: 2px; width: 100%; }
.cells > * { width: 100%; height: 36px; min-height: 0; padding: 0; border: 1px solid transparent; border-radius: 5px;
  text-align: center; font-size: 14px; color: var(--ink); background: var(--soft); }
.cells.edit > * { border-color: var(--line); background: var(--card); }
.cells.input > .on { background: var(--input-soft); border-color: var(--input); }
.cells.kernel > * { background: var(--kernel-soft); border-color: transparent; }
.cells.output > .on { background: var(--output-soft); border-color: var(--output); font-weight: 700; }
.picture { position: relative; line-height: 0; touch-action: manipulation; }
.picture canvas { display: block; width: 100%; height: 100%; image-rendering: pixelated; border-radius: 3px; }
.picture.paint { touch-action: none; }
.picture.paint canvas, .picture.pick canvas { cursor: crosshair; }
.mark { position: absolute; border: 2px solid var(--kernel); box-shadow: 0 0 0 1px var(--card); pointer-events: none;
  min-width: 7px; min-height: 7px; }
.bars { display: grid; grid-template-columns: auto minmax(60px, 1fr) auto; gap: 3px 10px; align-items: center;
  font-size: 14px; width: 100%; }
.bars i { display: block; height: 12px; background: var(--input); border-radius: 2px; min-width: 1px; }
.bars .top { font-weight: 700; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: 14px; }
th, td { padding: 4px 10px 4px 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--faint); } th:first-child, td:first-child { text-align: left; }
.thumbs { display: flex; flex-wrap: wrap; gap: 6px; }
.thumb { padding: 2px; min-height: 0; min-width: 0; line-height: 0; }
.thumb[aria-pressed="true"] { outline: 3px solid var(--input); }
.layers { display: grid; grid-template-columns: minmax(0, 1fr); gap: 12px; }
.matrix td { padding: 2px 8px; border: 1px solid var(--line); text-align: right; }
[hidden] { display: none !important; }
svg { display: block; max-width: 100%; } svg text { fill: var(--ink); font-size: 13px; }
svg .faint { fill: var(--faint); }
@media (max-width: 480px), (pointer: coarse) {
  :host { --cell: 42px; }
  .frame { padding: 12px; }
  button, select, .choice label, .check { min-height: 44px; }
  .slider input { height: 40px; }
}
@media (max-width: 480px) { svg text { font-size: 20px; } }
@media (prefers-reduced-motion: no-preference) { .mark { transition: all 80ms; } }
`;

const SVG = "http://www.w3.org/2000/svg";
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}
const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// Texts of a table hold {names}.
const put = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
function number(value, digits = 3) {
  const text = Number.isInteger(value) && Math.abs(value) < 1e5 ? String(value) : String(+value.toPrecision(digits));
  return (text === "-0" ? "0" : text).replace("-", "−");
}
const thousands = (value) => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
const signed = (value, digits) => (value < 0 ? `(${number(value, digits)})` : number(value, digits));
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

const button = (label, on, attributes) => h("button", { type: "button", onclick: on, ...attributes }, label);

function slider({ label, min, max, step = 1, value, show = number, kind }, on) {
  const range = h("input", { type: "range", min, max, step, "aria-label": label });
  const shown = h("b", { class: kind });
  const update = () => {
    shown.textContent = show(+range.value);
    range.setAttribute("aria-valuetext", shown.textContent);
  };
  range.value = value;
  range.addEventListener("input", () => { update(); on(+range.value); });
  update();
  return {
    element: h("label", { class: "slider" }, h("span", {}, label), shown, range),
    get value() { return +range.value; },
    set(next) { range.value = next; update(); },
    limit(low, high) { [range.min, range.max] = [low, high]; update(); },
  };
}

// One of several, all to be seen; options are [value, text].
let groups = 0;
function choice(label, options, value, on) {
  const name = `choice-${groups++}`;
  const radios = options.map(([option, text]) => {
    const radio = h("input", { type: "radio", name, value: option, onchange: () => on(option) });
    radio.checked = option === value;
    return [radio, h("label", {}, radio, text)];
  });
  return {
    element: h("fieldset", { class: "choice" }, h("legend", {}, label), radios.map((pair) => pair[1])),
    set(next) { for (const [radio] of radios) radio.checked = radio.value === String(next); },
  };
}

function menu(label, options, value, on) {
  const select = h("select", {}, options.map(([option, text]) => h("option", { value: option }, text)));
  select.value = value;
  select.addEventListener("change", () => on(select.value));
  return { element: h("label", { class: "menu" }, h("span", {}, label), select), set(next) { select.value = next; } };
}

function check(label, value, on) {
  const box = h("input", { type: "checkbox", onchange: () => on(box.checked) });
  box.checked = value;
  return { element: h("label", { class: "check" }, box, label), set(next) { box.checked = next; } };
}

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// A small array of numbers. `edit(r, c, value)` makes them inputs; `pick(r, c)` buttons. One tab stop, arrows inside.
function cells({ label, kind, rows, columns, edit, pick, name }) {
  const made = [];
  let stop = 0;
  const go = (k) => {
    made[stop].tabIndex = -1;
    made[stop = k].tabIndex = 0;
  };
  const move = (event, k) => {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    const r = clamp(Math.floor(k / columns) + step[0], 0, rows - 1);
    const c = clamp((k % columns) + step[1], 0, columns - 1);
    made[r * columns + c].focus();
  };
  for (let k = 0; k < rows * columns; k++) {
    const [r, c] = [Math.floor(k / columns), k % columns];
    const common = { tabindex: k ? -1 : 0, onkeydown: (event) => move(event, k) };
    if (edit) {
      const input = h("input", { type: "text", inputmode: "text", autocomplete: "off", ...common });
      input.addEventListener("focus", () => { go(k); input.select(); });
      input.addEventListener("input", () => {
        const value = Number(input.value.trim().replace("−", "-").replace(",", "."));
        const right = input.value.trim() !== "" && Number.isFinite(value);
        input.toggleAttribute("aria-invalid", false);
        if (right) edit(r, c, value);
        else input.setAttribute("aria-invalid", "true");
      });
      made.push(input);
    } else {
      const choose = () => { go(k); pick(r, c); };
      made.push(h("button", { type: "button", ...common, onfocus: choose, onclick: choose, onpointerenter: choose }));
    }
  }
  const element = h("div", { role: "group", "aria-label": label, class: `cells ${kind} ${edit ? "edit" : ""}`,
    style: `grid-template-columns: repeat(${columns}, minmax(0, var(--cell)))` }, made);
  return {
    element,
    show(value, digits = 3) {
      made.forEach((cell, k) => {
        const [r, c] = [Math.floor(k / columns), k % columns];
        const text = number(value(r, c), digits);
        if (!edit) cell.textContent = text;
        else if (cell.getRootNode().activeElement !== cell) cell.value = text;
        cell.setAttribute("aria-label", put(name, { row: r, column: c, value: text }));
      });
    },
    mark(isOn) {
      made.forEach((cell, k) => cell.classList.toggle("on", isOn(Math.floor(k / columns), k % columns)));
    },
  };
}

// Grey from low to high; signed values blue below 0, white at 0, red above.
const ENDS = { minus: [33, 102, 172], plus: [178, 24, 43] };
function colour(value, low, high, isSigned) {
  if (!isSigned) {
    const grey = Math.round(255 * clamp((value - low) / (high - low || 1), 0, 1));
    return [grey, grey, grey];
  }
  const strength = clamp(Math.abs(value) / (Math.max(Math.abs(low), Math.abs(high)) || 1), 0, 1);
  return ENDS[value < 0 ? "minus" : "plus"].map((end) => Math.round(255 + (end - 255) * strength));
}

// A map drawn as pixels. `pick(r, c)` on hover (unless false), tap and arrows; `paint(r, c)` on dragging and space bar.
function picture({ label, height, width, side, pick, paint, hover = true }) {
  const canvas = h("canvas", { width, height, "aria-label": label });
  canvas.setAttribute("role", pick || paint ? "application" : "img");
  const box = h("div", { class: `picture ${paint ? "paint" : pick ? "pick" : ""}`,
    style: `width: ${side}px; aspect-ratio: ${width} / ${height}; max-width: 100%` }, canvas);
  const context = canvas.getContext("2d");
  let [at, marks] = [[Math.floor(height / 2), Math.floor(width / 2)], []];
  const place = (event) => {
    const frame = canvas.getBoundingClientRect();
    return [clamp(Math.floor(((event.clientY - frame.top) / frame.height) * height), 0, height - 1),
      clamp(Math.floor(((event.clientX - frame.left) / frame.width) * width), 0, width - 1)];
  };
  if (pick || paint) {
    canvas.tabIndex = 0;
    let down = false;
    const follow = (event) => {
      at = place(event);
      if (paint && down) paint(...at, event.shiftKey);
      if (pick) pick(...at);
    };
    canvas.addEventListener("pointerdown", (event) => {
      down = true;
      if (paint) canvas.setPointerCapture(event.pointerId);
      follow(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (down || (hover && pick && event.pointerType === "mouse")) follow(event);
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { down = false; });
    canvas.addEventListener("keydown", (event) => {
      const step = ARROWS[event.key];
      const go = () => { at = [clamp(at[0] + step[0], 0, height - 1), clamp(at[1] + step[1], 0, width - 1)]; };
      if (step) go();
      else if (paint && (event.key === " " || event.key === "Enter")) paint(...at, event.shiftKey);
      else return;
      event.preventDefault();
      // Between two maps there is nothing to pick.
      if (pick && pick(...at) === false && step) {
        go();
        pick(...at);
      }
    });
  }
  return {
    element: box,
    canvas,
    get at() { return at; },
    set at(next) { at = next; },
    // data of (h, w), see-through where NaN, or of (3, h, w) with red, green and blue from 0 to 1
    draw(data, { low = 0, high = 1, signed: isSigned = false, rgb = false } = {}) {
      const image = context.createImageData(width, height);
      const n = width * height;
      for (let k = 0; k < n; k++) {
        const shown = rgb ? [0, 1, 2].map((c) => 255 * data[c * n + k]) : colour(data[k], low, high, isSigned);
        image.data.set([...shown, Number.isNaN(data[k]) ? 0 : 255], 4 * k);
      }
      context.putImageData(image, 0, 0);
    },
    // Frames around windows [row, column, rows, columns].
    mark(...windows) {
      while (marks.length < windows.length) box.append(marks[marks.push(h("div", { class: "mark" })) - 1]);
      marks.forEach((mark, k) => {
        mark.hidden = k >= windows.length;
        if (mark.hidden) return;
        const [r, c, rows, columns] = windows[k];
        const parts = { top: r / height, left: c / width, height: rows / height, width: columns / width };
        for (const [name, part] of Object.entries(parts)) mark.style[name] = `${100 * part}%`;
      });
    },
  };
}

const panel = (name, kind, ...children) =>
  h("div", { class: "panel" }, h("div", { class: `name ${kind}` }, name), children);

// Rows of [label, value, text], the longest bar that of `most`; the largest in bold.
function bars() {
  const element = h("div", { class: "bars" });
  return { element, show(rows, most = Math.max(...rows.map((row) => row[1]))) {
    const top = Math.max(...rows.map((row) => row[1]));
    element.replaceChildren(...rows.flatMap(([label, value, text]) => {
      const kind = value === top ? "top" : undefined;
      return [h("span", { class: kind }, label), h("i", { style: `width: ${(100 * value) / (most || 1)}%` }),
        h("span", { class: kind, style: "text-align: right" }, text)];
    }));
  } };
}

// Numbers in rows, the first of them the head.
function table() {
  const element = h("table");
  const line = (row, tag) => h("tr", {}, row.map((cell, k) =>
    h(tag, tag === "th" ? { scope: "col" } : {}, cell)));
  return { element: h("div", { class: "scroll", tabindex: 0, role: "group" }, element), show([head, ...rows], label) {
    element.parentNode.setAttribute("aria-label", label);
    element.replaceChildren(h("thead", {}, line(head, "th")), h("tbody", {}, rows.map((row) => line(row, "td"))));
  } };
}

// A light text stands on a dark page; this holds for every reader that a notebook is opened in.
function isDark(host) {
  const parts = getComputedStyle(host).color.match(/[\d.]+/g).map(Number);
  return 0.299 * parts[0] + 0.587 * parts[1] + 0.114 * parts[2] > 140;
}

// Builds the figure into each element of the page that waits for it; `key` tells what it shows.
function start(key, text, data, build) {
  for (const host of document.querySelectorAll(`[data-d2lcnn="${key}"]:not([data-ready])`)) {
    host.setAttribute("data-ready", "");
    const root = host.attachShadow({ mode: "open" });
    const dress = () => host.toggleAttribute("data-dark", isDark(host));
    dress();
    const watch = new MutationObserver(dress);
    for (const element of [document.documentElement, document.body]) watch.observe(element, { attributes: true });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
    const title = text.titles?.[data.title] ?? text.title;
    const frame = h("div", { class: "frame", role: "group", "aria-label": title, lang: text.lang });
    const reset = () => {
      const live = h("p", { class: "live", "aria-live": "polite" });
      const again = () => {
        reset();
        frame.querySelector("[data-reset]").focus();
      };
      const anew = button(text.reset, again, { "data-reset": "" });
      frame.replaceChildren(h("p", { class: "title" }, title));
      build({ text, data, host, live, reset: anew, add: (...parts) => frame.append(...parts.map((p) => p.element ?? p)),
        say: (words) => { live.textContent = words; } });
    };
    root.append(h("style", {}, STYLE), frame);
    reset();
  }
}

// A photograph, and the 1x1 kernel that makes one number of each pixel's red, green and blue.

const text = {
  lang: "en",
  title: "Three weights make a picture of a picture",
  red: "weight of red",
  green: "weight of green",
  blue: "weight of blue",
  presets: "Kernel",
  kernels: { grey: "grey, as the eye sees", red: "red alone", redNotBlue: "red, not blue", skin: "red, less green",
    own: "your own" },
  input: "input: three channels",
  output: "output: one channel",
  photo: "the photograph; arrow keys move from pixel to pixel",
  map: "the output; arrow keys move from pixel to pixel",
  product: "at this pixel: kernel times pixel",
  pixel: "Pixel ({row}, {column}): {red}·{r} + {green}·{g} + {blue}·{b} = {value}",
  signs: "red above 0, blue below",
  reset: "reset",
};

const KERNELS = { grey: [0.299, 0.587, 0.114], red: [1, 0, 0], redNotBlue: [1, 0, -1], skin: [1, -1, 0] };

function build({ text, data, add, say, live, reset }) {
  const [, height, width] = data.shape;
  const X = tensor(data.shape, Float32Array.from(bytes(data.image), (v) => v / 255));
  const n = height * width;
  let [K, at] = [KERNELS.redNotBlue.slice(), [Math.floor(height / 2), Math.floor(width / 2)]];
  let Y;
  const side = Math.min(300, width * Math.ceil(240 / width));
  const pick = (r, c) => { at = [r, c]; point(); };
  const photo = picture({ label: text.photo, height, width, side, pick });
  const map = picture({ label: text.map, height, width, side, pick });
  const product = h("p", { class: "product" });
  const note = h("span", { class: "faint" }, text.signs);

  function draw() {
    Y = conv2d(X, tensor([1, 3, 1, 1], K), null).data;
    let [low, high] = [Infinity, -Infinity];
    for (const v of Y) [low, high] = [Math.min(low, v), Math.max(high, v)];
    map.draw(Y, { low: 0, high: low < 0 ? Math.max(-low, high) : high, signed: low < 0 });
    note.style.visibility = low < 0 ? "visible" : "hidden";
    point();
  }

  function point() {
    const k = at[0] * width + at[1];
    const [r, g, b] = [0, 1, 2].map((c) => X.data[c * n + k].toFixed(2));
    const show = (value) => signed(+value.toFixed(3));
    const weights = K.map((w) => number(+w.toFixed(3))).join("  ");
    product.textContent = `[ ${weights} ] · [ ${r}  ${g}  ${b} ]ᵀ = ${number(+Y[k].toFixed(3))}`;
    for (const one of [photo, map]) {
      one.mark([...at, 1, 1]);
      one.at = at;
    }
    say(put(text.pixel, { row: at[0], column: at[1], red: show(K[0]), green: show(K[1]), blue: show(K[2]), r, g, b,
      value: number(+Y[k].toFixed(3)) }));
  }

  const sliders = ["red", "green", "blue"].map((name, c) => slider(
    { label: text[name], min: -1, max: 1, step: 0.05, value: K[c], show: (v) => number(+v.toFixed(3)) }, (value) => {
      K[c] = value;
      presets.set("own");
      draw();
    }));
  const presets = menu(text.presets, Object.entries(text.kernels), "redNotBlue", (name) => {
    if (!KERNELS[name]) return;
    K = KERNELS[name].slice();
    sliders.forEach((one, c) => one.set(K[c]));
    draw();
  });
  photo.draw(X.data, { rgb: true });
  add(h("div", { class: "row" }, presets.element), h("div", { class: "sliders" }, sliders.map((one) => one.element)),
    h("div", { class: "row", style: "align-items: flex-start" }, panel(text.input, "input", photo.element),
      panel(text.output, "output", map.element, note)),
    panel(text.product, "kernel", product), live, h("div", { class: "row" }, reset));
  draw();
}

// Input, kernel and output side by side: every number can be changed, every window looked into.

const text = {
  lang: "en",
  title: "Slide a kernel over an input",
  input: "input X",
  kernel: "kernel K",
  turned: "kernel K, turned by half a turn before it slides",
  output: "output Y",
  inputs: "Input",
  given: "numbers",
  garment: "a garment",
  drawing: "draw your own",
  kernels: "Kernel",
  presets: { given: "as given", leftRight: "edges, left to right", topDown: "edges, top to bottom", blur: "blur",
    sharpen: "sharpen", spots: "bright spots", own: "your own" },
  operation: "Operation",
  correlation: "cross-correlation",
  convolution: "convolution",
  back: "◀ step",
  step: "step ▶",
  play: "play",
  pause: "pause",
  reset: "reset",
  clear: "clear the drawing",
  xCell: "X row {row}, column {column}: {value}",
  kCell: "K row {row}, column {column}: {value}",
  yCell: "Y row {row}, column {column}: {value}",
  sum: "Y[{row}, {column}] = {terms} = {value}",
  draw: "Draw with a finger or the mouse; with the keyboard, arrows move and the space bar draws.",
  picture: "input picture, 28 by 28; arrow keys move, the space bar draws",
  map: "output picture; arrow keys move the window",
};

const PRESETS = {
  leftRight: [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
  topDown: [[1, 2, 1], [0, 0, 0], [-1, -2, -1]],
  blur: [[1, 1, 1], [1, 1, 1], [1, 1, 1]].map((row) => row.map((one) => one / 9)),
  sharpen: [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
  spots: [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
};

function build({ text, data, add, say, live, reset }) {
  const side = data.side;
  const garment = [...bytes(data.garment)].map((value) => value / 255);
  const inputs = {
    given: data.X.map((row) => row.slice()),
    garment: Array.from({ length: side }, (_, r) => garment.slice(r * side, (r + 1) * side)),
    drawing: Array.from({ length: side }, () => Array(side).fill(0)),
  };
  let [source, K, turned, at, timer] = ["given", data.K.map((row) => row.slice()), false, [0, 0], null];
  let [X, Y, xGrid, kGrid, yGrid] = [];
  const stage = h("div", { class: "row" });
  const clear = button(text.clear, () => { inputs.drawing.forEach((row) => row.fill(0)); update(); });

  const size = () => [X.length - K.length + 1, X[0].length - K[0].length + 1];
  const slid = () => (turned ? K.map((row) => row.slice().reverse()).reverse() : K);

  // New grids, where a shape has changed.
  function lay() {
    X = inputs[source];
    clear.hidden = source !== "drawing";
    const small = source === "given";
    const [rows, columns] = size();
    at = [clamp(at[0], 0, rows - 1), clamp(at[1], 0, columns - 1)];
    const pick = (r, c) => { at = [clamp(r, 0, rows - 1), clamp(c, 0, columns - 1)]; point(); };
    const draw = source === "drawing" && ((r, c) => {
      for (const [a, b] of [[0, 0], [0, 1], [1, 0], [1, 1]]) if (r + a < side && c + b < side) X[r + a][c + b] = 1;
      update();
    });
    const centred = (r, c) => pick(r - Math.floor(K.length / 2), c - Math.floor(K[0].length / 2));
    xGrid = small
      ? cells({ label: text.input, kind: "input", rows: X.length, columns: X[0].length, name: text.xCell,
        edit: (r, c, value) => { X[r][c] = value; update(); } })
      : picture({ label: text.picture, height: side, width: side, side: 224, pick: centred, paint: draw || undefined });
    kGrid = cells({ label: text.kernel, kind: "kernel", rows: K.length, columns: K[0].length, name: text.kCell,
      edit: (r, c, value) => { K[r][c] = value; kernelMenu.set("own"); update(); } });
    yGrid = small
      ? cells({ label: text.output, kind: "output", rows, columns, name: text.yCell, pick })
      : picture({ label: text.map, height: rows, width: columns, side: Math.round((224 * columns) / side), pick });
    stage.replaceChildren(
      panel(text.input, "input", xGrid.element), h("span", { class: "sign" }, "⋆"),
      panel(turned ? text.turned : text.kernel, "kernel", kGrid.element), h("span", { class: "sign" }, "="),
      panel(text.output, "output", yGrid.element));
    update();
  }

  function update() {
    const [rows, columns] = size();
    const flat = corr2d(tensor([X.length, X[0].length], X.flat()), tensor([K.length, K[0].length], slid().flat())).data;
    Y = Array.from({ length: rows }, (_, r) => [...flat.slice(r * columns, (r + 1) * columns)]);
    kGrid.show((r, c) => K[r][c]);
    if (source === "given") {
      xGrid.show((r, c) => X[r][c]);
      yGrid.show((r, c) => +Y[r][c].toFixed(4));
    } else {
      const most = Math.max(...flat.map(Math.abs));
      xGrid.draw(X.flat());
      yGrid.draw(flat, { low: 0, high: most, signed: flat.some((value) => value < -1e-6) });
    }
    point();
  }

  function point() {
    const [r, c] = at;
    const inside = (y, x) => y >= r && y < r + K.length && x >= c && x < c + K[0].length;
    if (source === "given") {
      xGrid.mark(inside);
      yGrid.mark((y, x) => y === r && x === c);
    } else {
      xGrid.mark([r, c, K.length, K[0].length]);
      yGrid.mark([r, c, 1, 1]);
      yGrid.at = at;
    }
    const terms = slid().flatMap((row, a) => row.map((k, b) => `${number(X[r + a][c + b], 2)}·${signed(k, 2)}`));
    say(put(text.sum, { row: r, column: c, terms: terms.slice(0, 25).join(" + "), value: number(+Y[r][c].toFixed(4)) }));
  }

  function step(by) {
    const [rows, columns] = size();
    const k = (at[0] * columns + at[1] + by + rows * columns) % (rows * columns);
    at = [Math.floor(k / columns), k % columns];
    point();
  }

  const presets = { given: data.K, ...PRESETS };
  const fits = ([, kernel]) => kernel.length <= data.X.length && kernel[0].length <= data.X[0].length;
  const names = [...Object.entries(presets).filter(fits).map(([name]) => name), "own"];
  const kernelMenu = menu(text.kernels, names.map((name) => [name, text.presets[name]]), "given", (name) => {
    if (name === "own") return;
    K = presets[name].map((row) => row.slice());
    lay();
  });
  const inputMenu = menu(text.inputs, ["given", "garment", "drawing"].map((name) => [name, text[name]]), "given", (name) => {
    source = name;
    if (name === "garment") at = [4, 8];
    lay();
    if (name === "drawing") say(text.draw);
  });
  const operation = choice(text.operation, [["corr", text.correlation], ["conv", text.convolution]], "corr",
    (name) => { turned = name === "conv"; lay(); });
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const play = button(text.play, () => {
    const starts = timer === null;
    if (starts) timer = setInterval(() => (stage.isConnected ? step(1) : clearInterval(timer)), source === "given" ? 700 : 60);
    else { clearInterval(timer); timer = null; }
    play.textContent = starts ? text.pause : text.play;
    live.setAttribute("aria-live", starts ? "off" : "polite");
  });
  play.hidden = still;
  add(h("div", { class: "row" }, inputMenu.element, kernelMenu.element, operation.element), stage, live,
    h("div", { class: "row" }, button(text.back, () => step(-1)), button(text.step, () => step(1)), play, clear, reset));
  lay();
  // A number that says something.
  at = [0, 0];
  Y.forEach((row, r) => row.forEach((value, c) => { if (Math.abs(value) > Math.abs(Y[at[0]][at[1]])) at = [r, c]; }));
  point();
}

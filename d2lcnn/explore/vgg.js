// A VGG to design: what each block costs, and what its last element sees.

const text = {
  lang: "en",
  title: "Design a VGG: what does it cost?",
  preset: "Begin with",
  own: "your own",
  block: "block {number}: convolutions",
  width: "channels of block 1",
  hidden: "hidden units",
  size: "input size",
  head: ["part", "convolutions", "channels", "size", "field", "parameters", "multiplications"],
  row: "block {number}",
  fc: "fully connected",
  all: "all",
  table: "what each block costs",
  parameters: "parameters",
  macs: "multiplications for a picture",
  memory: "memory: {weights} MB of weights in 32 bits, {maps} MB of maps for a picture",
  says: "{parameters} parameters, {macs} multiplications, and a last element that sees {field} pixels.",
  small: "A picture of {size} vanishes in block {number}: a larger one, or fewer blocks.",
  reset: "reset",
};

function build({ text, data, add, say, live, reset }) {
  const presets = data.presets;
  let state;
  const names = Object.keys(presets);
  const out = table();
  const [parameters, macs] = [bars(), bars()];
  const memory = h("p", { class: "faint" });

  // Rows of {convs, channels, size, field, parameters, macs, elements}; the last is the fully connected head.
  function costs() {
    let [c, size, field, jump] = [state.in, state.size, 1, 1];
    const rows = [];
    state.convs.forEach((convs, k) => {
      if (!convs) return;
      const channels = Math.min(state.width * 2 ** k, state.width * 8);
      const row = { number: k + 1, convs, channels, parameters: 0, macs: 0, elements: 0 };
      for (let i = 0; i < convs; i++) {
        row.parameters += (9 * c + 1) * channels;
        row.macs += 9 * c * channels * size * size;
        row.elements += channels * size * size;
        [c, field] = [channels, field + 2 * jump];
      }
      [size, field, jump] = [Math.floor(size / 2), field + jump, 2 * jump];
      row.elements += c * size * size;
      rows.push({ ...row, size, field });
    });
    const sizes = [c * size * size, state.hidden, state.hidden, state.classes];
    const head = { parameters: 0, macs: 0, elements: 0 };
    for (let k = 0; k < 3; k++) {
      head.parameters += (sizes[k] + 1) * sizes[k + 1];
      head.macs += sizes[k] * sizes[k + 1];
      head.elements += sizes[k + 1];
    }
    return [...rows, head];
  }

  function draw() {
    const rows = costs();
    const lost = rows.find((row) => row.size === 0);
    if (lost) {
      say(put(text.small, { size: state.size, number: lost.number }));
      return;
    }
    const label = (row) => (row.number ? put(text.row, row) : text.fc);
    const total = (name) => rows.reduce((sum, row) => sum + row[name], 0);
    out.show([text.head, ...rows.map((row) => [label(row), row.convs ?? "", row.channels ?? "", row.size ?? "", row.field ?? "",
      thousands(row.parameters), thousands(row.macs)].map(String)),
    [text.all, String(rows.reduce((sum, row) => sum + (row.convs ?? 0), 0)), "", "", "", thousands(total("parameters")),
      thousands(total("macs"))]], text.table);
    for (const [bar, name] of [[parameters, "parameters"], [macs, "macs"]]) {
      bar.show(rows.map((row) => [label(row), row[name], `${((100 * row[name]) / total(name)).toFixed(1)} %`]));
    }
    const mega = (bytes_) => (bytes_ / 1e6).toFixed(1);
    memory.textContent = put(text.memory, { weights: mega(4 * total("parameters")), maps: mega(4 * total("elements")) });
    say(put(text.says, { parameters: thousands(total("parameters")), macs: thousands(total("macs")), field: rows.at(-2).field }));
  }

  const change = (act) => (value) => {
    act(value);
    chosen.set("own");
    draw();
  };
  const convs = [0, 1, 2, 3, 4].map((k) => slider({ label: put(text.block, { number: k + 1 }), min: k ? 0 : 1, max: 4, value: 1 },
    change((value) => { state.convs[k] = value; })));
  const width = slider({ label: text.width, min: 8, max: 96, step: 4, value: 64 }, change((value) => { state.width = value; }));
  const powers = (label, min, max, name) => slider({ label, min, max, value: min, show: (k) => thousands(2 ** k) },
    change((value) => { state[name] = 2 ** value; }));
  const hidden = powers(text.hidden, 4, 12, "hidden");
  const size = slider({ label: text.size, min: 28, max: 252, step: 28, value: 28 }, change((value) => { state.size = value; }));
  const chosen = menu(text.preset, [...names, "own"].map((name) => [name, name === "own" ? text.own : name]), data.first, (name) => {
    if (name !== "own") load(name);
  });

  function load(name) {
    state = { ...presets[name], convs: presets[name].convs.slice() };
    convs.forEach((one, k) => one.set(state.convs[k]));
    width.set(state.width);
    hidden.set(Math.log2(state.hidden));
    size.set(state.size);
    draw();
  }

  add(h("div", { class: "row" }, chosen.element),
    h("div", { class: "sliders" }, [...convs, width, hidden, size].map((one) => one.element)), live, out,
    h("div", { class: "row", style: "align-items: flex-start; gap: 14px 40px" },
      h("div", { class: "panel", style: "flex: 1 1 260px" }, h("div", { class: "name kernel" }, text.parameters), parameters.element),
      h("div", { class: "panel", style: "flex: 1 1 260px" }, h("div", { class: "name output" }, text.macs), macs.element)),
    memory, h("div", { class: "row" }, reset));
  load(data.first);
}

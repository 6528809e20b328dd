// An Inception block to design: what each branch costs, with its 1x1 reductions and without.

const text = {
  lang: "en",
  title: "An Inception block: which branch costs what?",
  preset: "Block",
  own: "your own",
  published: "GoogLeNet's block {number}: {channels} channels out",
  reductions: "1×1 reductions in front of the 3×3 and the 5×5",
  sliders: { in: "channels in", c1: "1×1 branch", r2: "reduced for the 3×3", c2: "3×3 branch", r3: "reduced for the 5×5",
    c3: "5×5 branch", c4: "pooling branch" },
  size: "map size",
  branches: ["1×1", "3×3", "5×5", "pooling, 1×1"],
  parameters: "parameters",
  macs: "multiplications",
  says: "{in} channels in, {out} out: {parameters} parameters, {macs} multiplications on maps of {size} by {size}.",
  saved: "Without the reductions: {parameters} parameters, {times} times the multiplications.",
  reset: "reset",
};

function build({ text, data, add, say, live, reset }) {
  let [state, reduced] = [{ ...data.blocks[0] }, true];
  const [parameters, macs] = [bars(), bars()];
  const saved = h("p", { class: "faint saved" });

  // Of each branch [parameters, multiplications].
  function costs(isReduced) {
    const cost = (k, from, to) => [(k * k * from + 1) * to, k * k * from * to * state.size ** 2];
    const two = (k, r, c) => {
      if (!isReduced) return cost(k, state.in, c);
      const [first, second] = [cost(1, state.in, r), cost(k, r, c)];
      return [first[0] + second[0], first[1] + second[1]];
    };
    return [cost(1, state.in, state.c1), two(3, state.r2, state.c2), two(5, state.r3, state.c3), cost(1, state.in, state.c4)];
  }

  function draw() {
    const [now, without] = [costs(reduced), costs(false)];
    const total = (rows, k) => rows.reduce((sum, row) => sum + row[k], 0);
    [parameters, macs].forEach((bar, k) => {
      // On one scale, so that the reductions show what they save.
      bar.show(text.branches.map((name, b) => [name, now[b][k], thousands(now[b][k])]),
        Math.max(...now.map((row) => row[k]), ...without.map((row) => row[k])));
    });
    sliders.r2.element.hidden = sliders.r3.element.hidden = !reduced;
    saved.textContent = put(text.saved, { parameters: thousands(total(without, 0)),
      times: (total(without, 1) / total(now, 1)).toFixed(2) });
    say(put(text.says, { in: state.in, out: state.c1 + state.c2 + state.c3 + state.c4, size: state.size,
      parameters: thousands(total(now, 0)), macs: thousands(total(now, 1)) }));
  }

  const change = (name) => (value) => {
    state[name] = value;
    chosen.set("own");
    draw();
  };
  const most = { in: 832, c1: 384, r2: 192, c2: 384, r3: 48, c3: 128, c4: 128 };
  const sliders = Object.fromEntries(Object.entries(most).map(([name, max]) => [name,
    slider({ label: text.sliders[name], min: 8, max, step: 8, value: state[name] }, change(name))]));
  sliders.size = slider({ label: text.size, min: 3, max: 56, value: state.size }, change("size"));
  const label = (block, k) => put(text.published, { number: k + 1, channels: block.c1 + block.c2 + block.c3 + block.c4 });
  const chosen = menu(text.preset, [...data.blocks.map((block, k) => [k, label(block, k)]), ["own", text.own]], "0", (k) => {
    if (k === "own") return;
    state = { ...data.blocks[k] };
    for (const [name, one] of Object.entries(sliders)) one.set(state[name]);
    draw();
  });
  const switch_ = check(text.reductions, true, (value) => { reduced = value; draw(); });
  add(h("div", { class: "row" }, chosen.element, switch_.element),
    h("div", { class: "sliders" }, Object.values(sliders).map((one) => one.element)), live,
    h("div", { class: "row", style: "align-items: flex-start; gap: 14px 40px" },
      h("div", { class: "panel", style: "flex: 1 1 260px" }, h("div", { class: "name kernel" }, text.parameters), parameters.element),
      h("div", { class: "panel", style: "flex: 1 1 260px" }, h("div", { class: "name output" }, text.macs), macs.element)),
    saved, h("div", { class: "row" }, reset));
  draw();
}

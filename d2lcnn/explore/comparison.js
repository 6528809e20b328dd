// The recorded runs of the five networks: choose the axes, a dot a seed; two networks are compared seed by seed.

const text = {
  lang: "en",
  title: "Five networks compared: accuracy against what?",
  x: "Across",
  sizes: "Networks",
  variants: { mini: "mini, 28 pixels", full: "full size" },
  axes: { parameters: "parameters", macs: "multiplications for a picture", memory: "memory in training, MB",
    seconds: "seconds of training", field: "receptive field of the last map, pixels" },
  accuracy: "test accuracy",
  first: "Compare",
  second: "with",
  pair: "{a} − {b}, seed by seed: {list}; mean {mean}, standard deviation {spread}.",
  same: "Choose two different networks.",
  alone: "{a} and {b} share fewer than two seeds here.",
  dot: "{network}, seed {seed}: accuracy {accuracy}, {axis}: {value}. {runs} runs.",
  plot: "Test accuracy by {axis}. {list}.",
  item: "{network}: {accuracy} at {value}",
  reset: "reset",
};

function build({ text, data, add, say, live, reset }) {
  let [axis, variant, pair] = ["macs", "mini", ["vgg", "googlenet"]];
  const plot = s("svg", { role: "img", viewBox: "0 0 640 360", width: 640 });
  const legend = h("div", { class: "row" });
  const COLOURS = ["#2563a5", "#c2570c", "#27816a", "#8b5fbf", "#8a7400"];
  const names = Object.keys(data.names);
  const paired = h("p", { class: "paired", "aria-live": "polite" });

  // Each network has a shape of its own, too.
  const SHAPES = [(x, y) => `M${x - 6},${y}a6,6 0 1,0 12,0a6,6 0 1,0 -12,0`, (x, y) => `M${x - 5},${y - 5}h10v10h-10z`,
    (x, y) => `M${x},${y - 7}l7,12h-14z`, (x, y) => `M${x},${y - 8}l7,8l-7,8l-7,-8z`, (x, y) => `M${x},${y + 7}l7,-12h-14z`];
  const dot = (k, x, y, more) => s("path", { d: SHAPES[k](x, y), fill: COLOURS[k], stroke: "var(--card)", ...more });
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

  function draw() {
    const nets = names.map((name) => data.networks[variant][name]).map((net, k) => ({ ...net, k, name: names[k] }));
    const value = (net, run) => (axis === "seconds" ? run.seconds : net[axis]);
    const dots = nets.flatMap((net) => net.runs.map((run) => ({ net, run, value: value(net, run) })));
    const isLog = axis !== "field";
    const place = (v) => (isLog ? Math.log10(v) : v);
    const [low, high] = [Math.min(...dots.map((d) => place(d.value))), Math.max(...dots.map((d) => place(d.value)))];
    const scores = dots.map((d) => d.run.accuracy);
    const [least, most] = [Math.floor(Math.min(...scores) * 100) / 100, Math.ceil(Math.max(...scores) * 100) / 100];
    const x = (v) => 80 + (530 * (place(v) - low)) / (high - low || 1);
    const y = (v) => 310 - (285 * (v - least)) / (most - least);
    const ticks = Array.from({ length: Math.round((most - least) * 100) + 1 }, (_, k) => least + k / 100);
    const short = (v) => (v >= 1e9 ? `${number(v / 1e9, 2)} G` : v >= 1e6 ? `${number(v / 1e6, 2)} M` : v >= 1e4
      ? `${Math.round(v / 1e3)} k` : number(v, 3));
    const across = [0, 1 / 3, 2 / 3, 1].map((part) => low + part * (high - low)).map((p) => (isLog ? 10 ** p : p));
    plot.replaceChildren(
      ...ticks.map((v) => s("g", {}, s("line", { x1: 60, x2: 630, y1: y(v), y2: y(v), stroke: "var(--line)" }),
        s("text", { x: 52, y: y(v) + 4, "text-anchor": "end", class: "faint" }, v.toFixed(2)))),
      ...across.map((v) => s("text", { x: x(v), y: 332, "text-anchor": "middle", class: "faint" }, short(v))),
      s("text", { x: 345, y: 354, "text-anchor": "middle" }, text.axes[axis]),
      ...dots.map(({ net, run, value: v }) => {
        const tell = () => say(put(text.dot, { network: data.names[net.name], seed: run.seed, runs: net.runs.length,
          accuracy: run.accuracy.toFixed(4), axis: text.axes[axis], value: v < 100 ? number(v) : thousands(v) }));
        const choose = () => {
          tell();
          if (!pair.includes(net.name)) choosePair([pair[1], net.name]);
        };
        return dot(net.k, x(v), y(run.accuracy), { class: "dot", style: "cursor: pointer", onpointerenter: tell, onclick: choose });
      }));
    const list = nets.map((net) => put(text.item, { network: data.names[net.name],
      accuracy: mean(net.runs.map((run) => run.accuracy)).toFixed(4), value: short(mean(net.runs.map((run) => value(net, run)))) }));
    plot.setAttribute("aria-label", put(text.plot, { axis: text.axes[axis], list: list.join("; ") }));
    say(plot.getAttribute("aria-label"));
    compare();
  }

  function compare() {
    const [a, b] = pair;
    const runs = Object.fromEntries(data.networks[variant][b].runs.map((run) => [run.seed, run.accuracy]));
    const gaps = data.networks[variant][a].runs.filter((run) => run.seed in runs).map((run) => run.accuracy - runs[run.seed]);
    const [middle, titles] = [mean(gaps), { a: data.names[a], b: data.names[b] }];
    const spread = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - middle) ** 2, 0) / (gaps.length - 1));
    const show = (gap) => `${gap < 0 ? "−" : "+"}${Math.abs(gap).toFixed(4)}`;
    paired.textContent = a === b ? text.same : gaps.length < 2 ? put(text.alone, titles)
      : put(text.pair, { ...titles, list: gaps.map(show).join(", "), mean: show(middle), spread: spread.toFixed(4) });
  }

  function choosePair(next) {
    pair = next;
    menus.forEach((one, k) => one.set(pair[k]));
    compare();
  }
  const options = names.map((name) => [name, data.names[name]]);
  const menus = [text.first, text.second].map((label, k) => menu(label, options, pair[k], (name) => {
    pair[k] = name;
    compare();
  }));
  legend.replaceChildren(...names.map((name, k) => h("span", { class: "menu" },
    s("svg", { viewBox: "0 0 20 20", width: 18, height: 18, "aria-hidden": "true" }, dot(k, 10, 10)), data.names[name])));
  const axes = menu(text.x, Object.entries(text.axes), axis, (name) => { axis = name; draw(); });
  const variants = choice(text.sizes, Object.entries(text.variants), variant, (name) => { variant = name; draw(); });
  add(variants, h("div", { class: "row" }, axes.element), panel(text.accuracy, "", plot), legend, live,
    h("div", { class: "row" }, menus.map((one) => one.element)), paired, h("div", { class: "row" }, reset));
  draw();
}

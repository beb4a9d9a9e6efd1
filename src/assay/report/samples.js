"use strict";
(() => {
  const PAGE = 20;
  const SIDES = ["baseline", "candidate"];
  const paired = report.examples.some((example) => example.baseline);
  const metricOf = new Map(report.metrics.map((metric) => [metric.name, metric]));
  const haystacks = new Map();
  const view = { query: "", filter: "all", tag: "", metric: report.focus, order: "worst", page: 0 };

  const many = (number) => number.toLocaleString("en");
  const format = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(2));
  const scoreOf = (answer, metric) => (answer && metric in answer.scores ? answer.scores[metric] : null);
  // 0 where neither way is better, or nobody knows which
  const gain = (metric) => ({ higher: 1, lower: -1 })[metricOf.get(metric)?.direction] ?? 0;

  function difference(example, metric) {
    const before = scoreOf(example.baseline, metric);
    const after = scoreOf(example.candidate, metric);
    return before === null || after === null ? null : after - before;
  }

  function change(example, metric) {
    const moved = difference(example, metric);
    return moved === null ? null : moved * gain(metric);
  }

  function any(example, test) {
    return SIDES.some((side) => example[side] && test(example[side]));
  }

  const unscored = (example) => any(example, (answer) => Object.keys(answer.unscored).length > 0);
  const truncated = (example) =>
    any(example, (answer) => answer.finish === "length" || answer.prompt_truncated);
  const same = (example) =>
    example.baseline && example.candidate && example.baseline.output === example.candidate.output;
  const silent = (example) =>
    !example.candidate || (paired && !example.baseline) || any(example, (answer) => answer.output === "");

  const PREFERENCES = [["candidate", "candidate better"], ["baseline", "baseline better"], ["tie", "tie"], ["inconsistent", "inconsistent"]];
  const asked = report.examples.some((example) => example.pair);
  const preference = (example) => example.pair && example.pair.preference;

  const FILTERS = [
    ["all", "All", () => true],
    ["regressions", "Regressions", (example) => change(example, view.metric) < 0],
    ["gains", "Gains", (example) => change(example, view.metric) > 0],
    ["unscored", "Unscored", unscored],
    ["truncated", "Truncated", truncated],
    ["identical", "Identical outputs", same],
    ["silent", "Without an answer", silent],
    ...(asked ? PREFERENCES : []).map(([name, label]) => [`pair-${name}`, `Pairwise: ${label}`, (example) => preference(example) === name]),
  ].filter(([name]) => paired || !["regressions", "gains", "identical"].includes(name));

  // What has no value goes last, whichever way round.
  const by = (value, way) => (left, right) => {
    const [a, b] = [value(left), value(right)];
    if (a === null || b === null) return (a === null) - (b === null);
    return (a - b) * way;
  };
  const candidateScore = (example) => {
    const score = scoreOf(example.candidate, view.metric);
    return score === null ? null : score * (gain(view.metric) || 1);
  };
  const ORDERS = [
    ["worst", paired ? "Largest loss first" : "Lowest score first",
      paired ? by((example) => change(example, view.metric), 1) : by(candidateScore, 1)],
    ["best", paired ? "Largest gain first" : "Highest score first",
      paired ? by((example) => change(example, view.metric), -1) : by(candidateScore, -1)],
    ["longest", "Longest answer first",
      by((example) => (example.candidate ? example.candidate.output.length : null), -1)],
    ["dataset", "Dataset order", () => 0],
  ];

  function haystack(example) {
    if (!haystacks.has(example)) {
      const texts = [example.id, example.target, ...Object.values(example.tags), ...example.messages.map((turn) => turn.content)];
      for (const side of SIDES) {
        if (example[side]) texts.push(example[side].output, example[side].commentary);
      }
      if (example.pair) texts.push(example.pair.commentary);
      haystacks.set(example, texts.join("\n").toLowerCase());
    }
    return haystacks.get(example);
  }

  function found() {
    const test = FILTERS.find(([name]) => name === view.filter)[2];
    const order = ORDERS.find(([name]) => name === view.order)[2];
    const query = view.query.trim().toLowerCase();
    return report.examples
      .filter((example) => test(example) && (!view.tag || tagged(example, view.tag)) && (!query || haystack(example).includes(query)))
      .sort(order);
  }

  function text(content, label) {
    if (content === "") return el("div", { class: "text empty" }, "empty");
    return el("div", { class: "text", dir: "auto", tabindex: "0", role: "group", "aria-label": label }, visible(content));
  }

  function turn(role, content) {
    // the system prompt is the same on most samples: one line until it is asked for
    if (role === "system" || role === "tools") {
      return el("details", { class: "turn system" }, el("summary", {}, role), text(content, role));
    }
    return el("div", { class: `turn ${role}` }, el("div", { class: "role" }, role), text(content, role));
  }

  function panelOf({ panel, panel_judges: judges }) {
    const told = Object.entries(judges).map(([name, count]) => {
      const label = (metricOf.get(name)?.label || name).toLowerCase();
      return `${label} ${name in panel ? format(panel[name]) : "unscored"} (${count} judge${count === 1 ? "" : "s"})`;
    });
    return told.length > 0 && el("p", { class: "comment panel" }, el("b", {}, "Panel"), told.join(", "));
  }

  function answerOf(example, side) {
    const answer = example[side];
    if (!answer) {
      return el("div", { class: `answer ${side}` }, el("div", { class: "role" }, side), el("div", { class: "text empty" }, "no answer"));
    }
    const tokens = `${answer.output_tokens} token${answer.output_tokens === 1 ? "" : "s"}`;
    return el(
      "div",
      { class: `answer ${side}` },
      el(
        "div",
        { class: "role" },
        el("span", {}, el("span", { class: `dot ${side}` }), side[0].toUpperCase() + side.slice(1)),
        el("span", {}, tokens),
        answer.finish === "length" && el("span", { class: "chip note" }, "cut at max_new_tokens"),
        answer.prompt_truncated && el("span", { class: "chip note" }, "prompt truncated"),
      ),
      answer.thought && el("details", { class: "turn thought" }, el("summary", {}, "thought"), text(answer.thought, `${side} thought`)),
      text(answer.output, `${side} output`),
      answer.commentary &&
        el("p", { class: "comment", dir: "auto" }, el("b", {}, "Judge"), visible(answer.commentary)),
      panelOf(answer),
    );
  }

  function pairOf({ pair }) {
    if (!pair) return null;
    const label = new Map(PREFERENCES).get(pair.preference) || `unscored, ${pair.cause}`;
    const tone = { candidate: "better", baseline: "worse" }[pair.preference] || (pair.preference ? "" : "note");
    return el("p", { class: "comment pairwise", dir: "auto" }, el("b", {}, "Pairwise"),
      el("span", { class: `chip ${tone}` }, visible(label)), " ", visible(pair.commentary));
  }

  function tagsOf({ tags }) {
    const told = Object.entries(tags).map(([name, value]) => el("span", { class: "chip" }, visible(`${name}=${value}`)));
    return told.length > 0 && el("p", { class: "tags" }, told);
  }

  function cell(answer, metric) {
    const value = scoreOf(answer, metric);
    if (value !== null) return el("td", { class: "num" }, format(value));
    const cause = answer && answer.unscored[metric];
    const none = answer ? "not scored by this metric" : "no answer";
    return el("td", { class: "num", title: !cause && none }, cause ? el("span", { class: "chip note" }, visible(cause)) : "–");
  }

  function marks(example, judged) {
    const sides = SIDES.filter((side) => example[side]);
    const names = report.metrics.filter(({ name, kind }) => kind !== "diagnostic" && (kind === "judge") === judged &&
      sides.some((side) => name in example[side].scores || name in example[side].unscored));
    if (!names.length) return null;
    const titles = sides.map((side) => el("th", { scope: "col", class: "num" }, side));
    const rows = names.map(({ name, label }) => {
      const gained = change(example, name);
      const tone = gained > 0 ? "better-text" : gained < 0 ? "worse-text" : "";
      const moved = difference(example, name);
      const shown = moved === null ? "" : signed(moved);
      return el("tr", {}, el("th", { scope: "row" }, label), sides.map((side) => cell(example[side], name)),
        sides.length > 1 && el("td", { class: `num ${tone}` }, shown));
    });
    return el("table", { class: "marks" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, judged ? "Judge" : "Metric"), titles, sides.length > 1 && el("th", { scope: "col", class: "num" }, "change"))),
      el("tbody", {}, rows));
  }

  function signed(value) {
    if (value === 0) return "0";
    return (value > 0 ? "+" : "−") + format(Math.abs(value));
  }

  function body(example) {
    return el("div", { class: "body" },
      el("div", { class: "both" },
        el("div", { class: "asides" },
          example.tools && turn("tools", example.tools),
          example.messages.map((message) => turn(message.role, message.content))),
        el("div", { class: "asides" }, turn("target", example.target))),
      el("div", { class: "both" }, (paired ? SIDES : ["candidate"]).map((side) => answerOf(example, side))),
      pairOf(example),
      tagsOf(example),
      el("div", { class: "both" }, marks(example, true), marks(example, false)));
  }

  function moved(example, metric) {
    const before = scoreOf(example.baseline, metric);
    const after = scoreOf(example.candidate, metric);
    const shown = (value) => (value === null ? "–" : format(value));
    if (before === null && after === null) return null;
    return el("span", { class: "moved" }, paired ? `${shown(before)} → ${shown(after)}` : shown(after));
  }

  function flags(example, metric) {
    const gained = change(example, metric);
    const sign = gained > 0 ? "▲" : "▼";
    return el("span", { class: "flags" },
      truncated(example) && el("span", { class: "chip note" }, "truncated"),
      unscored(example) && el("span", { class: "chip note" }, "unscored"),
      same(example) && el("span", { class: "chip" }, "identical"),
      moved(example, metric),
      Boolean(gained) && el("span", { class: `chip ${gained > 0 ? "better" : "worse"}` }, `${sign} ${format(Math.abs(gained))}`));
  }

  function card(example, metric, open) {
    const asked = example.messages.findLast((message) => message.role === "user") || example.messages.at(-1);
    const snippet = visible((asked ? asked.content : "").slice(0, 300).replace(/\s+/g, " "));
    const node = el("details", { class: "sample", open },
      el("summary", {}, el("span", { class: "asked", dir: "auto" }, snippet || "(empty prompt)"),
        el("code", { class: "id", title: visible(example.id) }, visible(example.id)), flags(example, metric)));
    // the texts are made when they are looked at: a page of long answers stays quick
    const fill = () => node.open && node.children.length === 1 && node.append(body(example));
    node.addEventListener("toggle", fill);
    fill();
    return node;
  }

  function pages(count) {
    const last = Math.max(0, Math.ceil(count / PAGE) - 1);
    for (const place of document.querySelectorAll("#samples .pages")) {
      const go = (label, page, possible) => {
        const button = el("button", { type: "button", disabled: !possible }, label);
        button.addEventListener("click", () => turnTo(page, label));
        return button;
      };
      place.replaceChildren(
        go("Previous", view.page - 1, view.page > 0),
        el("span", {}, `Page ${view.page + 1} of ${last + 1}`),
        go("Next", view.page + 1, view.page < last));
    }
  }

  // The list's top is what is read next, and the keyboard stays on the button, or on the other one
  // where there is no page further.
  function turnTo(page, label) {
    show({ page });
    const pager = document.querySelector("#samples .pager");
    const buttons = [...pager.querySelectorAll("button:enabled")];
    (buttons.find((button) => button.textContent === label) || buttons[0]).focus({ preventScroll: true });
    pager.scrollIntoView();
  }

  // A tag is known by its place in report.tags: its name and value may hold any character.
  function tagged(example, place) {
    const { name, value } = report.tags[place];
    return Object.hasOwn(example.tags, name) && example.tags[name] === value;
  }

  // Of a filter, the samples of the whole run, of which the page may hold a draw.
  function inRun(name) {
    if (!report.counts.all) return null;
    return report.counts[name] ?? metricOf.get(view.metric)?.[name] ?? null;
  }

  // Of what is chosen, the same; of a category the filters are not counted.
  function wholeRun() {
    if (!view.tag) return inRun(view.filter);
    return report.counts.all && view.filter === "all" ? report.tags[view.tag].samples : null;
  }

  function show(changed) {
    Object.assign(view, { page: 0 }, changed);
    const examples = found();
    const first = view.page * PAGE;
    const shown = examples.slice(first, first + PAGE);
    const whole = view.query ? null : wholeRun();
    const drawn = whole === null || whole === examples.length ? "samples" : `samples on this page, ${many(whole)} in the run`;
    document.getElementById("status").textContent = examples.length
      ? `${many(first + 1)}–${many(first + shown.length)} of ${many(examples.length)} ${drawn}`
      : "No sample matches";
    document.getElementById("list").replaceChildren(...shown.map((example) => card(example, view.metric, false)));
    pages(examples.length);
  }

  function choices(id, options, chosen, then) {
    const select = document.getElementById(id);
    select.replaceChildren(...options.map(([value, label]) => el("option", { value, selected: value === chosen }, label)));
    select.onchange = () => then(select.value);
  }

  function filters() {
    const options = FILTERS.map(([name, label, test]) => [name, `${label} (${many(inRun(name) ?? report.examples.filter(test).length)})`]);
    choices("filter", options, view.filter, (filter) => show({ filter }));
  }

  function categories() {
    const options = report.tags.map(({ name, value, samples }, place) =>
      [String(place), visible(`${name}=${value} (${many(samples)})`)]);
    document.getElementById("tag").parentElement.hidden = !options.length;
    choices("tag", [["", "All"], ...options], view.tag, (tag) => show({ tag }));
  }

  const search = document.getElementById("search");
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => show({ query: search.value }), 120);
  });
  choices("metric", report.metrics.map(({ name, label }) => [name, label]), view.metric, (metric) => {
    view.metric = metric;
    filters();
    show({});
  });
  categories();
  choices("order", ORDERS, view.order, (order) => show({ order }));
  filters();
  show({});

  const worst = document.getElementById("worst");
  const byId = new Map(report.examples.map((example) => [example.id, example]));
  report.regressions.forEach((id, place) => worst.append(card(byId.get(id), report.focus, place < 3)));
})();

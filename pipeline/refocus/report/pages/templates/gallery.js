"use strict";
// The gallery: filters, a list, and one question at a time. Everything from the data becomes text nodes, never markup.
(() => {
  const DATA = window.GALLERY;
  const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const ALL = "";
  const WIDE = 1000; // units of a time axis; as wide as its column on the screen
  const SIZES = { strip: 80, few: 74, many: 52 }; // of a picture on the screen, pixels; many: more than FEW picks
  const FEW = 8;
  const LONG = 240; // characters of a question that is set smaller
  const OUTCOMES = {
    win: ["right from ReFoCUS alone", "good"],
    both: ["right from both", "good"],
    loss: ["right from uniform alone", "bad"],
    neither: ["right from neither", "bad"],
    open: ["not answered from both", "none"],
    kept: ["kept by the filter", "good"],
    dropped: ["not kept by the filter", "none"],
  };
  const find = (id) => document.getElementById(id);
  const state = { shown: [], at: 0 };

  // ---- elements

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  function shape(name, attributes, hint) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (hint) made.append(Object.assign(document.createElementNS(made.namespaceURI, "title"), { textContent: hint }));
    return made;
  }

  function choices(id, values, all) {
    const select = find(id);
    select.replaceChildren(...(all ? [new Option(all, ALL)] : []), ...values.map(([value, text]) => new Option(text, value)));
    select.closest("label").hidden = select.options.length < 2;
  }

  // ---- what a question came to

  const isTraining = (question) => question.margins !== undefined;
  const inRun = (one) => !find("run").value || !one.run || one.run === find("run").value;
  const answer = (question, selector) => (question.answers?.[selector] ?? [])[Number(find("lmm").value)] ?? null;

  function outcome(question) {
    if (isTraining(question)) return question.kept ? "kept" : "dropped";
    const said = ["uniform", "refocus"].map((kind) => {
      const place = DATA.selectors.findIndex((one) => one.kind === kind && inRun(one));
      return place < 0 ? null : answer(question, place);
    });
    if (said.includes(null)) return "open";
    const [uniform, ours] = said.map((one) => one[1]);
    return ours ? (uniform ? "both" : "win") : uniform ? "loss" : "neither";
  }

  // ---- filters

  function matches(question) {
    const asked = (id, test) => find(id).value === ALL || test(find(id).value);
    const gave = (correct) => (place) => answer(question, Number(place))?.[1] === correct;
    const words = find("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = [question.question, ...question.options, question.id, question.source, question.video].join(" ").toLowerCase();
    return (
      asked("dataset", (name) => question.dataset === name) &&
      asked("kind", (kind) => question.kind === kind) &&
      asked("outcome", (name) => outcome(question) === name) &&
      asked("right", gave(1)) &&
      asked("wrong", gave(0)) &&
      words.every((word) => text.includes(word))
    );
  }

  function filter(wanted) {
    const keep = wanted ?? state.shown[state.at]?.id;
    state.shown = DATA.questions.filter(matches);
    find("count").textContent = `${state.shown.length} of ${DATA.questions.length} questions`;
    find("list").replaceChildren(
      ...state.shown.map((question, at) => {
        const [text, tone] = OUTCOMES[outcome(question)];
        const row = element("button", { type: "button" }, element("div", { class: "asked" }, question.question), element("span", {}, `${question.dataset} · ${question.kind || "no kind"} · `, element("em", { class: tone }, text)));
        row.addEventListener("click", () => show(at));
        return element("li", {}, row);
      }),
    );
    show(Math.max(0, state.shown.findIndex((question) => question.id === keep)));
  }

  function step(id) {
    const select = find(id);
    if (!select.options.length) return;
    select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
    filter();
  }

  function reset() {
    for (const id of ["search", "dataset", "kind", "outcome", "right", "wrong"]) find(id).value = ALL;
    filter();
  }

  // ---- time

  // Of a clip without an index only the picks have times.
  function clock(clip, question) {
    const picked = (question.picks ?? []).flatMap((one) => one?.times ?? []).sort((a, b) => a - b);
    const times = clip.times.length ? clip.times : picked;
    const start = times[0] ?? 0;
    const last = times.at(-1) ?? 1;
    const end = last + (times.length > 1 ? times[1] - times[0] : 1);
    return { start, end, x: (time) => (WIDE * (time - start)) / (end - start) };
  }

  const marked = (question, time) => question.evidence.filter(([low, high]) => high - low < 0.95 * (time.end - time.start));
  const inEvidence = (question, time, at) => marked(question, time).some(([low, high]) => low <= at && at < high);

  function lane(question, time, height, extra = "") {
    const made = shape("svg", { class: `lane ${extra}`, viewBox: `0 0 ${WIDE} ${height}`, preserveAspectRatio: "none" });
    for (const [low, high] of marked(question, time)) {
      made.append(shape("rect", { class: "evidence", x: time.x(low), y: 0, width: Math.max(2, time.x(high) - time.x(low)), height }));
      for (const edge of [low, high]) made.append(shape("line", { class: "edge", x1: time.x(edge), x2: time.x(edge), y1: 0, y2: height }));
    }
    return made;
  }

  function mark(time, at, colour, hint) {
    return shape("rect", { class: "mark", x: time.x(at) - 2, y: 4, width: 5, height: 18, fill: colour }, hint);
  }

  function axis(time) {
    const step = [0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 1800].find((one) => (time.end - time.start) / one <= 8) ?? 3600;
    const made = element("div", { class: "axis" });
    for (let at = Math.ceil(time.start / step) * step; at < time.end; at += step) {
      const label = element("span", {}, `${Number(at.toFixed(1))} s`);
      label.style.left = `${time.x(at) / (WIDE / 100)}%`;
      made.append(label);
    }
    return made;
  }

  // ---- pictures

  function shot(question, clip, time, side, frame, at, rank, tick) {
    const place = clip.pictures.indexOf(frame);
    const picture = element("div", {}, rank ? element("b", {}, String(rank)) : null);
    picture.style.width = picture.style.height = `${side + 4}px`;
    if (place >= 0) {
      const columns = Math.min(DATA.sheet.columns, clip.pictures.length);
      picture.style.backgroundImage = `url("${clip.sheet}")`;
      picture.style.backgroundSize = `${side * columns}px auto`;
      picture.style.backgroundPosition = `-${side * (place % columns)}px -${side * Math.floor(place / columns)}px`;
    }
    const seen = inEvidence(question, time, at);
    const hint = `${frame < 0 ? "frame that is not stored" : `kept frame ${frame}`}, ${at ?? "?"} s${rank ? `, pick ${rank}` : ""}${seen ? ", shows the evidence" : ""}`;
    const made = element("div", { class: seen ? "shot seen" : "shot", title: hint }, picture, `${at?.toFixed(1) ?? "?"} s`);
    if (tick) {
      made.addEventListener("mouseenter", () => tick.classList.add("hot"));
      made.addEventListener("mouseleave", () => tick.classList.remove("hot"));
    }
    return made;
  }

  const sizeFor = (count) => (count > FEW ? SIZES.many : SIZES.few);

  function shots(question, clip, time, side, frames, ranks = [], ticks = []) {
    const every = frames.map((frame, at) => shot(question, clip, time, side, frame, clip.times[frame], ranks[at], ticks[at]));
    return element("div", { class: "shots" }, ...every);
  }

  // ---- one question

  const rowsOf = (rows) => element("table", { class: "picks" }, element("tbody", {}, ...rows.filter((row) => row !== null)));

  function said(question, place) {
    const given = (question.answers[place] ?? []).map((one, lmm) => {
      const name = DATA.lmms.length > 1 ? `${DATA.lmms[lmm]}: ` : "";
      if (!one) return element("div", { class: "none" }, `${name}not asked`);
      const [option, correct, share] = one;
      const text = option < 0 ? "no option" : `${LETTERS[option] ?? option + 1}. ${question.options[option]}`;
      return element("div", { class: correct ? "good" : "bad" }, `${name}${correct ? "✓" : "✗"} ${text}${share === null ? "" : ` ${share} %`}`);
    });
    return element("td", { class: "said" }, ...given);
  }

  function pickRow(question, clip, time, selector, place) {
    const picked = question.picks[place];
    const made = lane(question, time, 26);
    const head = element("th", { scope: "row", title: selector.name }, selector.label, selector.run ? element("small", {}, selector.run) : null);
    const cells = [head, said(question, place), element("td", { class: "when" }, made)];
    if (!picked) return element("tr", {}, ...cells, element("td", { class: "none" }, "no picks in the results"));
    const times = picked.times ?? picked.frames.map((frame) => clip.times[frame]);
    const ticks = times.map((at) => at !== undefined && made.appendChild(mark(time, at, selector.colour, `${at} s`)));
    const notes = [...(times.length === DATA.frames ? [] : [`${times.length} frames`]), ...picked.flags];
    const flags = notes.length ? element("small", {}, notes.join(", ")) : null;
    const pictures = picked.times
      ? element("div", { class: "shots" }, ...times.map((at, n) => shot(question, clip, time, sizeFor(times.length), -1, at, null, ticks[n])))
      : shots(question, clip, time, sizeFor(times.length), picked.frames, picked.rank, ticks);
    return element("tr", {}, ...cells, element("td", {}, pictures, flags));
  }

  function likelihoodRow(question, time, clip) {
    const drawn = DATA.policies.map((policy, place) => [policy, question.likelihood[place]]).filter(([policy, shares]) => shares?.length === clip.times.length && inRun(policy));
    if (!drawn.length) return null;
    const most = Math.max(1, ...drawn.flatMap(([, shares]) => shares));
    const made = lane(question, time, 64, "curve");
    for (const [policy, shares] of drawn) {
      const steps = shares.map((share, n) => `L${time.x(clip.times[n])} ${64 - (60 * share) / most}L${n + 1 < shares.length ? time.x(clip.times[n + 1]) : WIDE} ${64 - (60 * share) / most}`);
      const look = policy.kind === "refocus" ? { fill: policy.colour, "fill-opacity": 0.55 } : { fill: "none", stroke: policy.colour };
      made.append(shape("path", { class: "share", d: `M0 64${steps.join("")}L${WIDE} 64Z`, ...look }, `${policy.label} ${policy.run}`));
    }
    const names = [...new Set(drawn.map(([policy]) => policy.label))];
    const head = element("th", { scope: "row" }, "Likelihood", element("small", {}, names.join(", ")));
    return element("tr", {}, head, element("td", { class: "said" }, `highest: ${most} %`), element("td", { class: "when" }, made), element("td", { class: "hint" }, "how often the policy picks each frame"));
  }

  function picksOf(question, clip, time) {
    const rows = DATA.selectors.map((selector, place) => (inRun(selector) ? pickRow(question, clip, time, selector, place) : null));
    const foot = element("tr", {}, element("th", {}, ""), element("td", {}), element("td", { class: "when" }, axis(time)), element("td", {}));
    return rowsOf([likelihoodRow(question, time, clip), foot, ...rows]);
  }

  function marginsOf(question, clip, time) {
    const known = question.margins.filter((one) => one.margin !== null);
    const ends = known.length ? [Math.max, Math.min].map((pick) => known.find((one) => one.margin === pick(...known.map((other) => other.margin)))) : [];
    const rows = question.margins.map((one) => {
      const made = lane(question, time, 26);
      for (const at of one.frames.map((frame) => clip.times[frame]).filter((known) => known !== undefined)) made.append(mark(time, at, "#0072B2", `${at} s`));
      const bar = shape("svg", { class: "bar", viewBox: "-1.05 0 2.1 1", preserveAspectRatio: "none" });
      const margin = one.margin ?? 0;
      bar.append(shape("rect", { x: Math.min(0, margin), y: 0.15, width: Math.abs(margin), height: 0.7, fill: margin < 0 ? "#D55E00" : "#009E73" }));
      bar.append(shape("line", { class: "middle", x1: 0, x2: 0, y1: 0, y2: 1, "stroke-width": 0.02 }));
      const name = one.subset < 8 ? `window ${one.subset + 1}` : `without window ${one.subset - 7}`;
      const note = one === ends[0] ? "highest margin" : one === ends[1] ? "lowest margin" : null;
      const pictures = note && clip.sheet ? [element("small", {}, note), shots(question, clip, time, sizeFor(one.frames.length), one.frames)] : [];
      return element("tr", {}, element("th", { scope: "row" }, name), element("td", { class: "said" }, element("div", { class: "margin" }, bar, one.margin === null ? "no number" : one.margin.toFixed(3))), element("td", { class: "when" }, made), element("td", {}, ...pictures));
    });
    const foot = element("tr", {}, element("th", {}, ""), element("td", { class: "hint" }, "margin, −1 to 1"), element("td", { class: "when" }, axis(time)), element("td", {}));
    return rowsOf([foot, ...rows]);
  }

  function facts(question, clip, time) {
    const [from, to] = question.part;
    const seconds = clip.times.length ? `${clip.times.length} kept frames, ${time.start.toFixed(1)} to ${time.end.toFixed(1)} s` : "";
    const part = from === null && to === null ? "" : `asked about ${from ?? 0} to ${to ?? "the end"} s`;
    const spans = marked(question, time).map(([low, high]) => `${low.toFixed(1)}–${high.toFixed(1)} s`).join(", ");
    const evidence = question.evidence.length ? `evidence: ${spans || "visible all the time"}` : "evidence not known";
    return [question.dataset, question.kind, question.video, seconds, part, evidence, question.flags.join(", "), question.id].filter(Boolean).join(" · ");
  }

  function page(question) {
    const clip = DATA.clips[question.clip];
    const time = clock(clip, question);
    const [text, tone] = OUTCOMES[outcome(question)];
    const options = question.options.map((option, n) => element("li", n === question.right ? { class: "right" } : {}, `${LETTERS[n] ?? n + 1}. ${option}${n === question.right ? " ✓" : ""}`));
    const variance = isTraining(question) ? `variance of the margins ${question.variance?.toFixed(3) ?? "not known"}, τ = ${DATA.tau} · ` : "";
    const body = !isTraining(question) ? picksOf(question, clip, time) : question.margins.length ? marginsOf(question, clip, time) : element("p", { class: "none" }, "The results hold no margins of this question.");
    return [
      element("h1", question.question.length > LONG ? { class: "long" } : {}, question.question),
      options.length ? element("ul", { class: "options" }, ...options) : element("p", {}, `Open question; the published answer: ${question.answer}`),
      element("p", { class: "meta" }, element("span", { class: `outcome ${tone}` }, text), variance, facts(question, clip, time)),
      clip.why ? element("p", { class: "missing" }, `No pictures: ${clip.why}`) : element("div", { class: "strip" }, shots(question, clip, time, SIZES.strip, clip.strip)),
      body,
    ];
  }

  function show(at) {
    const question = state.shown[at];
    state.at = question ? at : 0;
    find("place").textContent = question ? `${at + 1} of ${state.shown.length}` : "";
    find("view").replaceChildren(...(question ? page(question) : [element("p", { class: "none" }, DATA.questions.length ? "No question fits these filters." : "There are no questions in the results.")]));
    find("view").scrollTop = 0;
    for (const row of find("list").querySelectorAll("[aria-current]")) row.removeAttribute("aria-current");
    if (!question) return;
    const row = find("list").children[at].firstChild;
    row.setAttribute("aria-current", "true");
    row.scrollIntoView({ block: "nearest" });
    history.replaceState(null, "", `#${encodeURIComponent(question.id)}`);
  }

  // ---- keys

  const move = (by) => show(Math.min(state.shown.length - 1, Math.max(0, state.at + by)));
  const KEYS = {
    ArrowRight: () => move(1),
    ArrowLeft: () => move(-1),
    Home: () => show(0),
    End: () => show(state.shown.length - 1),
    "/": () => find("search").focus(),
    k: () => step("kind"),
    o: () => step("outcome"),
    r: () => step("run"),
    Escape: reset,
    "?": () => find("legend").showModal(),
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select");
    if (typing && event.key === "Escape") event.target.blur();
    if ((typing && event.key !== "Escape") || event.ctrlKey || event.metaKey || event.altKey || find("legend").open) return;
    if (!(event.key in KEYS)) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  function counted(values) {
    const counts = new Map();
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
    return [...counts].sort().map(([value, count]) => [value, `${value || "no kind"} (${count})`]);
  }

  choices("dataset", counted(DATA.questions.map((question) => question.dataset)), "all data sets");
  choices("kind", counted(DATA.questions.map((question) => question.kind)), "all kinds");
  choices("lmm", DATA.lmms.map((name, place) => [place, name]));
  choices("run", [...DATA.runs.map((name) => [name, name]), ...(DATA.runs.length > 1 ? [[ALL, "all"]] : [])]);
  const outcomes = new Set(DATA.questions.map(outcome));
  choices("outcome", Object.entries(OUTCOMES).filter(([name]) => outcomes.has(name)).map(([name, [text]]) => [name, text]), "all outcomes");
  for (const id of ["right", "wrong"]) choices(id, DATA.selectors.map((one, place) => [place, `${one.label}${one.run ? ` [${one.run}]` : ""}`]), "any");
  for (const select of document.querySelectorAll("#filters select")) select.addEventListener("change", () => (select.blur(), filter()));
  find("search").addEventListener("input", () => filter());
  find("filters").addEventListener("submit", (event) => event.preventDefault());
  find("back").addEventListener("click", () => move(-1));
  find("next").addEventListener("click", () => move(1));
  find("help").addEventListener("click", () => find("legend").showModal());
  const named = location.hash.slice(1);
  filter(DATA.questions.find((question) => encodeURIComponent(question.id) === named)?.id);
})();

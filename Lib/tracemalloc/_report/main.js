// The page: what is chosen, and the views of it.  `start.js` shows the one that
// is in a file, `viewer.js` those that are served.

import {hasAccounts, withAccounts} from "./accounts.js";
import {Colors} from "./colors.js";
import {Details} from "./details.js";
import {fill, make} from "./dom.js";
import {Flame} from "./flame.js";
import {countText, durationText, figureText, plural, shareText, sizeText,
        timeText} from "./format.js";
import {FIGURES, GROUPS, OTHER} from "./profile.js";
import {matching, parse} from "./search.js";
import {Source} from "./source.js";
import {State} from "./state.js";
import {Table} from "./table.js";
import {Timeline} from "./timeline.js";
import {Treemap} from "./treemap.js";
import {View, valuesOf} from "./tree.js";

const VIEWS = {flame: "Flame graph", table: "Table", treemap: "Treemap",
               source: "Source", timeline: "Timeline"};

// What `run` tells first of a program that has ended.
const PEAK_TIMES = 1.5;
const PEAK_MORE = 1 << 20;

const HELP = [
    ["1 \u2013 5", "flame graph, table, treemap, source, timeline"],
    ["/", "search: text, file.py:42, /regular expression/, module:name"],
    ["\u2190 \u2191 \u2192 \u2193", "go to callers, callees and neighbours"],
    ["Enter", "zoom to what is selected"],
    ["Esc", "show all; in the search: forget it"],
    ["+ \u2212", "zoom; so does Ctrl and the wheel; dragging moves"],
    ["i", "callers first, or callees first"],
    ["t", "dark or light"],
    ["?", "this help"],
];

export class Page {
    /** root: element that the page is in; served: null, or what a viewer adds:
        {open(nodes), load(file), madeBy, notes, keys} */
    constructor(profile, {root = document.body, state = new State(),
                          served = null} = {}) {
        // The one that is shown, and the one without frames of accounts.
        this.profile = this.plain = profile;
        this.hasAccounts = hasAccounts(profile);
        this.root = root;
        this.state = state;
        this.served = served;
        this.dark = matchMedia("(prefers-color-scheme: dark)");
        const change = (choices) => this.state.set(choices);
        const load = served && ((file) => served.load(file));
        this.details = new Details(profile, {
            change, open: served && ((nodes) => served.open(nodes)), load});
        this.flame = new Flame({
            select: (node) => this.#selectNode(node, true),
            step: (node) => this.#selectNode(node, false),
            hover: (node, event) => this.#hoverNode(node, event),
            move: (from, to) => this.#moved(from, to),
        });
        this.table = new Table(profile, {
            select: (name) => change({selected: name}),
            sort: (sort) => change({sort}),
        });
        this.treemap = new Treemap(profile, {
            select: (box) => change({selected: box.name}),
            zoom: (box) => change({at: box.name, selected: box.name}),
            hover: (box, event) => this.#hoverBox(box, event),
        });
        this.source = new Source(profile, {change, load});
        this.timeline = profile.sets > 1 || profile.history?.time.length > 1
            ? new Timeline(profile, {change}) : null;
        this.#build();
        const {signal} = this.#closing;
        this.state.onChange(() => this.update(), signal);
        this.dark.addEventListener("change", () => this.update(), {signal});
        addEventListener("keydown", (event) => this.#onKey(event), {signal});
        addEventListener("beforeprint", () => this.#forPrint(true), {signal});
        addEventListener("afterprint", () => this.#forPrint(false), {signal});
        this.update();
    }

    #closing = new AbortController();

    /** Take the page away; another one may come in its place. */
    close() {
        this.#closing.abort();
        fill(this.root);
    }

    /** Show what the profile has now: call paths were added to it.  With that
        other choices, because some numbers may have changed. */
    renew(choices = {}) {
        this.made = "";
        this.view = null;
        this.#plain = null;
        this.#accounts = null;
        this.state.set(choices, false);
        this.update();
    }

    // What is on the page

    #build() {
        const {profile} = this;
        this.tip = make("div", {className: "tip", role: "tooltip",
                                hidden: true});
        this.said = make("p", {className: "unseen", "aria-live": "polite"});
        this.summary = make("p", {className: "summary"});
        this.found = make("p", {className: "found", "aria-live": "polite"});
        this.crumbs = make("nav", {className: "crumbs",
                                   "aria-label": "What is zoomed to"});
        this.empty = make("p", {className: "empty", hidden: true});
        this.views = {
            flame: make("div", {}, this.crumbs, this.flame.element),
            table: this.table.element,
            treemap: make("div", {}, this.treemap.element),
            source: this.source.element,
        };
        if (this.timeline) {
            this.views.timeline = this.timeline.element;
        }
        const main = make("main", {id: "main", tabIndex: -1}, this.empty,
                          ...Object.values(this.views),
                          this.details.element);
        this.root.append(
            make("a", {className: "skip", href: "#view=table"},
                 "Show the table, which has all numbers"),
            this.#header(), this.#tabs(), this.#tools(),
            make("div", {className: "told"}, this.summary, this.found),
            main, this.#footer(), this.tip, this.said, this.#help());
        document.title = profile.title;
    }

    #header() {
        const {snapshots, history} = this.profile;
        const last = snapshots.at(-1);
        const facts = [
            last.command?.join(" "),
            history && `${history.state}, written ${durationText(history.age)
                } before this page`,
            last.time === null ? null : timeText(last.time),
            last.pid === null || this.profile.groups.process.length > 1
                && new Set(this.profile.groups.process).size > 1
                ? null : `process ${last.pid}`,
            last.python && `Python ${last.python}`,
            `up to ${plural(this.profile.limit, "frame")}`,
        ].filter(Boolean);
        return make("header", {},
            make("div", {},
                make("h1", {}, this.profile.title),
                make("p", {className: "facts"},
                    ...facts.map((fact) => make("span", {title: fact},
                                                fact)))),
            make("div", {className: "corner"},
                make("button", {
                    type: "button", className: "plain",
                    title: "dark or light (t)", "aria-label": "dark or light",
                    onclick: () => this.#turnLight()}, "\u25d0"),
                make("button", {
                    type: "button", className: "plain", title: "help (?)",
                    "aria-label": "help",
                    onclick: () => this.help.showModal()}, "?")));
    }

    #tabs() {
        this.tabs = {};
        const list = make("nav", {className: "tabs", "aria-label": "Views"});
        for (const [name, text] of Object.entries(VIEWS)) {
            if (!(name in this.views)) {
                continue;
            }
            this.tabs[name] = make("button", {
                type: "button", onclick: () => this.#goTo(name)}, text);
            list.append(this.tabs[name]);
        }
        return list;
    }

    #goTo(view) {
        this.state.set({view, at: "", range: "",
                        selected: /^f/.test(this.state.selected)
                            && view !== "flame" ? this.state.selected : ""});
    }

    #choice(name, label, options) {
        const select = make("select", {
            name, onchange: () => this.state.set(
                {[name]: select.value, at: "", range: "",
                 selected: this.state.selected.startsWith("f")
                    ? this.state.selected : ""})},
            ...options.map(([value, text, title]) =>
                make("option", {value, textContent: text, title})));
        this.selects[name] = select;
        return make("label", {}, make("span", {}, label), select);
    }

    #groups() {
        return Object.keys(GROUPS).filter((name) => name !== "account"
            || this.hasAccounts);
    }

    #toggle(name, text, title) {
        this.toggles[name] = make("button", {
            type: "button", className: "toggle", title,
            onclick: () => this.state.set({
                [name]: this.state[name] ? "" : "1", at: "", range: "",
                selected: ""})}, text);
        return this.toggles[name];
    }

    #tools() {
        const {profile} = this;
        this.selects = {};
        this.toggles = {};
        const known = Object.entries(FIGURES).filter(([, figure]) =>
            profile.figures.has(figure.bytes));
        const names = profile.snapshots.filter((each, at, all) => at
            === all.findIndex((other) => other.set === each.set))
            .map((each) => [String(each.set), profile.sets < 3 ? each.name
                : `${each.set + 1}: ${each.name}`]);
        const tools = [
            this.#choice("figure", "Memory", known.map(([name, figure]) =>
                [name, figure.text])),
            this.#choice("unit", "in", [["bytes", "bytes"],
                                        ["blocks", "blocks"]]),
            this.#choice("group", "by", this.#groups().map((name) =>
                [name, GROUPS[name].toLowerCase()])),
        ];
        if (profile.sets > 1) {
            tools.push(
                this.#choice("older", "from", [["none", "nothing"], ...names]),
                this.#choice("newer", "to", names),
                this.#choice("width", "drawn by", [["change", "change"],
                                                   ["size", "size"]]));
        }
        for (const [name, label] of [["account", "Account"],
                                     ["thread", "Thread"],
                                     ["process", "Process"],
                                     ["module", "Module"],
                                     ["domain", "Domain"]]) {
            const values = profile.filterValues(name);
            if (values.length > 1) {
                tools.push(this.#choice(name, label, [
                    ["", "all"], ...values.map((value) =>
                        [value, value || "(unknown)"])]));
            }
        }
        this.flameTools = make("div", {className: "group"},
            this.#toggle("inverted", "Callers below",
                         "begin with what allocates (i)"),
            this.#toggle("imports", "Fold imports", "what import statements "
                         + "run counts for them"),
            this.#toggle("standard", "Fold standard library",
                         "what it allocates counts for its callers"));
        if (profile.sets > 1) {
            this.flameTools.append(this.#choice("colors", "Colours", [
                ["module", "by change"], ["modules", "by module"]]));
        }
        this.search = make("input", {
            type: "search", placeholder: "Search: text, file.py:42, /regex/",
            "aria-label": "Search", spellcheck: false, autocomplete: "off",
            oninput: () => this.state.set({search: this.search.value}, false),
            onkeydown: (event) => {
                if (event.key === "Escape") {
                    this.search.value = "";
                    this.state.set({search: ""}, false);
                    this.search.blur();
                }
            }});
        const choices = make("details", {className: "choices", open: true},
            make("summary", {}, "What is shown"),
            make("div", {className: "group"}, ...tools), this.flameTools);
        if (matchMedia("(max-width: 640px)").matches) {
            choices.open = false;
        }
        return make("div", {className: "tools", role: "search"}, this.search,
                    choices);
    }

    #footer() {
        const {profile} = this;
        const notes = [...this.served?.notes ?? []];
        if (profile.leftOut && this.served) {
            notes.push(`${plural(profile.leftOut, "call path")} below `
                + `${Number((100 * profile.share).toPrecision(2))}% of every `
                + "total were summed as (other) at first, and are loaded when "
                + "that is opened.");
        } else if (profile.leftOut) {
            notes.push(`${plural(profile.leftOut, "call path")} below `
                + `${Number((100 * profile.share).toPrecision(2))}% of every `
                + "total are summed as (other); totals are exact.");
        }
        for (const interval of new Set(profile.snapshots.map(
                (each) => each.interval))) {
            if (interval) {
                notes.push("All figures are estimated from samples, one per "
                    + `${sizeText(interval)}.`);
            }
        }
        const dropped = profile.snapshots.reduce(
            (sum, each) => sum + (each.dropped || 0), 0);
        if (dropped) {
            notes.push(`${plural(dropped, "block")} could not be recorded.`);
        }
        notes.push(this.served?.madeBy ?? "Made by python -m tracemalloc "
            + "report; nothing is loaded from anywhere.");
        return make("footer", {}, ...notes.map((note) =>
            make("p", {}, note)));
    }

    #help() {
        this.help = make("dialog", {className: "help"},
            make("h2", {}, "Keys"),
            make("dl", {}, ...[...HELP, ...this.served?.keys ?? []].flatMap(
                ([keys, text]) => [
                make("dt", {}, keys), make("dd", {}, text)])),
            make("form", {method: "dialog"},
                make("button", {}, "Close")));
        return this.help;
    }

    // What is chosen

    /** Return what the state means: sets, filters, values of nodes. */
    #chosen() {
        const {state} = this;
        const group = !this.#groups().includes(state.group)
            || (state.group === "path" && state.view !== "table") ? "line"
            : state.group;
        const profile = this.#useProfile(group === "account");
        const sets = profile.sets;
        const number = (text, usual) => {
            const found = Number(text || NaN);
            return Number.isInteger(found) && found >= 0 && found < sets
                ? found : usual;
        };
        const newer = number(state.newer, sets - 1);
        let older = state.older === "none" || sets < 2 ? -1
            : number(state.older, 0);
        if (older === newer) {
            older = -1;
        }
        const figure = Object.hasOwn(FIGURES, state.figure) ? state.figure
            : "live";
        const unit = state.unit === "blocks" ? "blocks" : "bytes";
        const column = FIGURES[figure][unit];
        const chosen = profile.chosenGroups(state);
        const query = parse(state.search);
        const byChange = state.width !== "size";
        return {
            state, older, newer, figure, unit, column, chosen, query,
            byChange,
            group,
            // What frames of call paths are put together by.
            pathGroup: group === "account" || group === "path" ? "line"
                : group,
            values: valuesOf(profile, {older, newer, figure: column, chosen,
                                       byChange}),
            matchingKeys: (keys) => matching(profile, keys, query),
            text: (value) => figureText(value, unit, older >= 0),
        };
    }

    /** Return the profile that is shown, and have all views show it. */
    #useProfile(apart) {
        // What is loaded meanwhile changes no numbers until renew() is called.
        this.profile = apart ? this.#accounts ??= withAccounts(this.plain)
            : this.plain;
        for (const each of [this.details, this.table, this.treemap,
                            this.source]) {
            each.profile = this.profile;
        }
        return this.profile;
    }

    update() {
        const {state} = this;
        const dark = state.theme ? state.theme === "dark"
            : this.dark.matches;
        document.documentElement.dataset.theme = dark ? "dark" : "light";
        this.choice = this.#chosen();
        this.colors = new Colors(dark, this.profile);
        const view = Object.hasOwn(this.views, state.view) ? state.view
            : "flame";
        this.#syncTools(view);
        for (const [name, element] of Object.entries(this.views)) {
            element.hidden = name !== view || (!this.choice.values
                && name !== "timeline");
        }
        this.empty.hidden = Boolean(this.choice.values);
        this.found.textContent = "";
        if (!this.choice.values) {
            this.empty.textContent = "A snapshot that is chosen does not tell "
                + `what was ${FIGURES[this.choice.figure].text.toLowerCase()}`
                + ": files whose names end in .tmz do.";
            this.summary.textContent = "";
            this.details.clear();
            return;
        }
        this.#tellTotals();
        const show = {flame: () => this.#showFlame(),
                      table: () => this.table.show(this.choice),
                      treemap: () => this.#showTreemap(),
                      source: () => this.source.show(this.choice),
                      timeline: () => this.timeline.show(this.choice)};
        show[view]();
        if (view !== "flame") {
            this.#tellFound();
            this.#showFrameDetails();
        }
    }

    #syncTools(view) {
        const {state, choice} = this;
        for (const [name, tab] of Object.entries(this.tabs)) {
            if (name === view) {
                tab.setAttribute("aria-current", "page");
            } else {
                tab.removeAttribute("aria-current");
            }
        }
        const values = {figure: choice.figure, unit: choice.unit,
                        group: choice.group, newer: String(choice.newer),
                        older: choice.older < 0 ? "none"
                            : String(choice.older)};
        for (const [name, select] of Object.entries(this.selects)) {
            select.value = values[name] ?? state[name];
        }
        for (const [name, button] of Object.entries(this.toggles)) {
            button.setAttribute("aria-pressed", String(Boolean(state[name])));
        }
        this.flameTools.hidden = view !== "flame";
        if (document.activeElement !== this.search) {
            this.search.value = state.search;
        }
    }

    #tellTotals() {
        const {profile, choice} = this;
        const {older, newer, figure, chosen} = choice;
        const {bytes, blocks, text} = FIGURES[figure];
        const [size, count] = [bytes, blocks].map((name) =>
            profile.total(newer, name, chosen));
        const filtered = chosen.some((each) => !each);
        const all = new Uint8Array(chosen.length).fill(1);
        const filter = filtered ? `  \u00b7  filtered from ${
            sizeText(profile.total(newer, bytes, all))}` : "";
        if (older < 0) {
            const variances = profile.own(newer, "size_variance", chosen);
            const error = variances && figure === "live"
                ? ` \u00b1${sizeText(Math.sqrt(variances.reduce(
                    (sum, each) => sum + each, 0)))}` : "";
            fill(this.summary, `${text}: `,
                 make("strong", {}, `${sizeText(size)}${error}`),
                 ` in ${plural(count, "block")}`, this.#estimated(), filter,
                 ...this.#higherPeak(size));
            document.title = `${sizeText(size)} \u00b7 ${profile.title}`;
            return;
        }
        const before = profile.total(older, bytes, chosen);
        const countBefore = profile.total(older, blocks, chosen);
        const {values} = choice;
        let [more, less] = [0, 0];
        for (let node = 0; node < values.after.length; node++) {
            const by = values.after[node] - values.before[node];
            if (by > 0) {
                more += by;
            } else {
                less += by;
            }
        }
        const change = sizeText(size - before, true);
        fill(this.summary, `${text}: `, make("strong", {}, change),
             `  in ${countText(count - countBefore, true)} blocks: `
             + `${sizeText(before)} \u2192 ${sizeText(size)}`,
             make("span", {className: "parts"},
                  make("span", {className: "more"},
                       `grown ${choice.text(more)}`),
                  make("span", {className: "less"},
                       `shrunk ${choice.text(less)}`)),
             this.#estimated(), filter);
        document.title = `${change} \u00b7 ${profile.title}`;
    }

    /** Return what leads to the peak, if much more was held then. */
    #higherPeak(size) {
        const {newer, figure, chosen} = this.choice;
        const peak = figure === "live"
            && this.profile.total(newer, "peak_size", chosen);
        return !peak || peak < size * PEAK_TIMES || peak - size <= PEAK_MORE
            ? [] : ["  \u00b7  ", make("button", {
                type: "button", className: "link peak",
                onclick: () => this.state.set({
                    figure: "peak", at: "", range: "", selected: ""})},
                `at the peak: ${sizeText(peak)}`)];
    }

    #estimated() {
        return this.profile.sampled
            ? make("span", {className: "estimate"}, "estimated from samples")
            : "";
    }

    #tellFound() {
        const {query} = this.choice;
        if (query?.error) {
            this.found.textContent =
                `no regular expression: ${query.error}`;
        }
    }

    // The flame graph

    #showFlame() {
        const {profile, state, choice} = this;
        const options = {
            group: choice.pathGroup, inverted: Boolean(state.inverted),
            foldImports: Boolean(state.imports),
            foldStandard: Boolean(state.standard),
            focus: state.focus === "" ? -1 : Number(state.focus),
            relation: state.relation,
        };
        const made = JSON.stringify([options, choice.older, choice.newer,
            choice.column, choice.byChange, state.thread, state.domain,
            state.process, state.module, state.account, choice.group]);
        const isNew = made !== this.made;
        if (isNew) {
            this.made = made;
            this.view = new View(profile, options, choice.values);
        }
        const {view} = this;
        const look = this.#look();
        if (isNew) {
            this.flame.show(view, look);
        } else {
            this.flame.look = look;
        }
        const at = state.at ? view.find(state.at) : 0;
        if (state.range) {
            const [from, to] = state.range.split("-").map(Number);
            if (from < to) {
                this.flame.move(from * view.width[0], to * view.width[0],
                                isNew);
            }
        } else {
            this.flame.zoomTo(at, isNew);
        }
        const selected = state.selected
            && !state.selected.startsWith("f")
            ? view.find(state.selected) : at;
        this.flame.select(selected);
        this.#showCrumbs(at);
        if (selected) {
            this.details.showNode(view, selected,
                                  {...choice, group: choice.pathGroup});
            this.said.textContent = `${view.label(selected)}, `
                + `${look.value(selected)}, level ${view.depth[selected]}, `
                + plural(view.children(selected).length, "callee");
        } else {
            this.details.clear();
        }
        this.#tellMatched(look.matches);
    }

    #look() {
        const {choice, colors, view, state} = this;
        const total = choice.older < 0 ? view.after[0] : 0;
        const byChange = choice.older >= 0 && state.colors !== "modules";
        const net = (node) => view.after[node] - view.before[node];
        return {
            colors,
            color: (node) => byChange ? colors.ofChange(
                net(node), Math.max(view.after[node], view.before[node]))
                : colors.ofModule(view.frame(node)),
            value: (node) => choice.older < 0
                ? `${choice.text(view.after[node])}  ${
                    shareText(view.after[node], total)}`
                : choice.text(net(node)),
            mark: choice.older < 0 ? null : (node) => !node ? ""
                : !view.before[node] ? "new" : !view.after[node] ? "gone"
                    : "",
            matches: choice.query && choice.matchingKeys(view.keys),
            boxColor: (box) => byChange ? colors.ofChange(
                box.value, Math.max(box.after, box.after - box.value))
                : colors.ofModule(box.frame),
            boxValue: (box) => choice.text(box.value),
        };
    }

    #tellMatched(matches) {
        this.#tellFound();
        const {choice, view} = this;
        if (!matches || choice.query.error) {
            return;
        }
        if (choice.older < 0) {
            const sum = view.matched(matches);
            this.found.textContent = `found: ${choice.text(sum)}, `
                + shareText(sum, view.after[0]);
        } else {
            const sum = view.matched(matches, view.after)
                - view.matched(matches, view.before);
            this.found.textContent = `found: ${choice.text(sum)}`;
        }
    }

    #showCrumbs(at) {
        const {view, state, profile} = this;
        const crumbs = [];
        const crumb = (text, choices, current) => make("button", {
            type: "button", className: "link",
            "aria-current": current ? "location" : undefined,
            onclick: () => this.state.set(choices)}, text);
        if (state.relation && state.focus !== "") {
            const keys = profile.keys(this.choice.pathGroup);
            const label = keys.label(keys.of[Number(state.focus)] ?? -1);
            crumbs.push(make("span", {className: "relation"},
                state.relation === "callers"
                    ? `Everything that calls ${label}`
                    : `Everything below ${label}`,
                make("button", {
                    type: "button", className: "plain",
                    "aria-label": "show everything again",
                    onclick: () => this.state.set({
                        focus: "", relation: "", at: "", range: "",
                        selected: ""})}, "\u00d7")));
        }
        if (at || state.range) {
            crumbs.push(crumb("total", {at: "", range: "", selected: ""}));
            const path = view.path(at).slice(1);
            for (const node of path.slice(-4)) {
                if (node === path.at(-4) && path.length > 4) {
                    crumbs.push(make("span", {}, "\u2026"));
                }
                const address = view.address(node);
                crumbs.push(crumb(view.label(node),
                                  {at: address, range: "", selected: address},
                                  node === at));
            }
        }
        if (view.cut) {
            crumbs.push(make("span", {className: "note"},
                "Callers farther away are left out: there are too many."));
        }
        if (!view.width[0]) {
            crumbs.push(make("span", {className: "note"},
                this.choice.older < 0 ? "There is nothing."
                    : "Nothing has changed."));
        }
        fill(this.crumbs, ...crumbs);
    }

    #selectNode(node, zoom) {
        if (zoom && node && this.served
                && this.view.frame(node) === OTHER) {
            this.served.open(this.view.sums(node));
            return;
        }
        const address = node ? this.view.address(node) : "";
        this.state.set(zoom ? {selected: address, at: address, range: ""}
            : {selected: address}, zoom);
    }

    #moved(from, to) {
        if (this.#closing.signal.aborted) {
            return;
        }
        const total = this.view.width[0] || 1;
        const whole = to - from >= total * 0.9999;
        this.state.set({range: whole ? ""
            : `${(from / total).toFixed(7)}-${(to / total).toFixed(7)}`,
            at: ""}, false);
    }

    #hoverNode(node, event) {
        if (node < 0 || !event || event.pointerType === "touch") {
            this.tip.hidden = true;
            return;
        }
        const {view, profile, choice} = this;
        const frame = view.frame(node);
        const lines = [node && frame >= 0
            ? profile.place(frame, choice.group) : view.label(node),
            this.flame.look.value(node)];
        if (choice.older >= 0) {
            const mark = this.flame.look.mark(node);
            lines.push(`${figureText(view.before[node], choice.unit)} \u2192 `
                + figureText(view.after[node], choice.unit)
                + (mark ? `  (${mark})` : ""));
        }
        this.#showTip(lines, event);
    }

    #showTip(lines, event) {
        fill(this.tip, ...lines.map((line) => make("div", {}, line)));
        this.tip.hidden = false;
        const {offsetWidth, offsetHeight} = this.tip;
        const left = Math.min(event.clientX + 14,
                              innerWidth - offsetWidth - 8);
        const below = event.clientY + 18;
        this.tip.style.left = `${Math.max(left, 4)}px`;
        this.tip.style.top = `${below + offsetHeight > innerHeight
            ? event.clientY - offsetHeight - 10 : below}px`;
    }

    // The other views

    #showTreemap() {
        const {choice, state} = this;
        this.treemap.show(choice, this.#treemapLook());
        const box = this.treemap.find(state.selected);
        if (box) {
            this.said.textContent = `${box.text}, ${choice.text(box.value)}, `
                + `level ${box.depth}`;
        }
    }

    #treemapLook() {
        if (this.view?.profile !== this.profile) {
            this.made = "";
            this.view = this.#plainView();
        }
        return this.#look();
    }

    #accounts = null;
    #plain = null;

    /** Return the View of all call paths as they are. */
    #plainView() {
        const {values} = this.choice;
        if (this.#plain?.values.width !== values.width) {
            this.#plain = new View(this.profile, {
                group: "line", inverted: false, foldImports: false,
                foldStandard: false, focus: -1, relation: ""}, values);
        }
        return this.#plain;
    }

    #hoverBox(box, event) {
        if (!box || box === this.treemap.top || event.pointerType
                === "touch") {
            this.tip.hidden = true;
            return;
        }
        const {profile, choice} = this;
        const kind = box.name[0];
        const text = box.frame < 0 ? box.text : kind === "m" ? box.text
            : profile.place(box.frame, kind === "p" ? "file" : "line");
        this.#showTip([text, choice.text(box.value)], event);
    }

    #showFrameDetails() {
        const {profile} = this;
        const path = /^n(\d+)$/.exec(this.state.selected);
        if (path && this.choice.group === "path") {
            const view = this.#plainView();
            const node = view.find(path[1]);
            if (node) {
                this.details.showNode(view, node,
                                      {...this.choice, group: "line"});
                return;
            }
        }
        const found = /^([fpm])(\d+)(?:\.(\d+))?$/.exec(this.state.selected);
        const number = Number(found?.[2]);
        if (!found || (found[1] === "f"
                && number >= profile.frames.line.length)) {
            this.details.clear();
            return;
        }
        const choice = this.#within(Number(found[3] ?? NaN));
        if (found[1] === "f") {
            const group = profile.isAccount(number) ? "account"
                : this.state.view === "table" ? choice.pathGroup : "line";
            this.details.showFrame(number, group, {...choice, group});
            return;
        }
        const frame = found[1] === "p" ? profile.frames.file.indexOf(number)
            : [...profile.frames.file].findIndex((file) =>
                profile.files.module[file] === number);
        if (frame < 0) {
            this.details.clear();
            return;
        }
        const group = found[1] === "p" ? "file" : "module";
        this.details.showFrame(frame, group, {...choice, group});
    }

    /** Return the choice, and of that what is in an account, if it is one
        that is asked for. */
    #within(account) {
        const {profile, choice} = this;
        if (!profile.isAccount(account)) {
            return choice;
        }
        const chosen = choice.chosen.map((is, group) =>
            is && profile.accountFrame[group] === account);
        const {older, newer, column, byChange} = choice;
        return {...choice, chosen, values: valuesOf(profile, {
            older, newer, figure: column, chosen, byChange})};
    }

    // Keys, light and paper

    #turnLight() {
        const dark = document.documentElement.dataset.theme === "dark";
        this.state.set({theme: dark ? "light" : "dark"}, false);
    }

    #onKey(event) {
        if (event.altKey || event.ctrlKey || event.metaKey
                || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)
                || this.help.open) {
            return;
        }
        const views = Object.keys(this.tabs);
        const actions = {
            "/": () => this.search.focus(),
            "?": () => this.help.showModal(),
            t: () => this.#turnLight(),
            i: () => this.toggles.inverted.click(),
        };
        views.forEach((view, at) => {
            actions[at + 1] = () => {
                this.#goTo(view);
                (view === "flame" ? this.flame.element
                    : view === "treemap" ? this.treemap.element : null)
                    ?.focus();
            };
        });
        if (Object.hasOwn(actions, event.key)) {
            event.preventDefault();
            actions[event.key]();
        }
    }

    #forPrint(printing) {
        document.documentElement.dataset.theme = printing ? "light"
            : this.state.theme || (this.dark.matches ? "dark" : "light");
        this.colors = new Colors(!printing
            && document.documentElement.dataset.theme === "dark",
            this.profile);
        if (this.view) {
            this.flame.look = this.#look();
            this.treemap.look = this.#look();
            this.flame.paint();
            this.treemap.paint();
        }
    }
}

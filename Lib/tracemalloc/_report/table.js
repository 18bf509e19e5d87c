// The table: what allocates, by line, function, file or module.  It has all
// numbers, also those of call paths that are too small for pictures.

import {download, fill, make} from "./dom.js";
import {countText, plural, shareText, sizeText} from "./format.js";
import {FIGURES, OTHER} from "./profile.js";
import {linesOf, plainLine} from "./source.js";

const PAGE = 100;               // rows that are added at once

/** Return what each key holds with all that it calls, from nodes. */
function withCallees(profile, keys, own) {
    const {parent, frame} = profile;
    const count = parent.length;
    const below = Float64Array.from(own);
    const first = new Int32Array(count);
    const after = new Int32Array(count);
    for (let node = count - 1; node > 0; node--) {
        below[parent[node]] += below[node];
        after[node] = first[parent[node]];
        first[parent[node]] = node;
    }
    const found = new Float64Array(keys.count);
    const above = new Int32Array(keys.count);
    // Down the tree; a negative number is the way up again.
    const waiting = [];
    for (let child = first[0]; child; child = after[child]) {
        waiting.push(child);
    }
    while (waiting.length) {
        const node = waiting.pop();
        const key = keys.of[frame[Math.abs(node)]];
        if (node < 0) {
            above[key]--;
            continue;
        }
        if (frame[node] === OTHER) {
            continue;
        }
        if (!above[key]) {
            found[key] += below[node];
        }
        above[key]++;
        waiting.push(-node);
        for (let child = first[node]; child; child = after[child]) {
            waiting.push(child);
        }
    }
    return found;
}

/** Columns of numbers: name -> [head, what it is, width of its text]. */
const COLUMNS = {
    change: ["change", "bytes more or less than before"],
    size: ["size", "bytes"],
    share: ["share", "share of the total"],
    cumulative: ["sum", "share of this and all before it"],
    blocksChange: ["change", "blocks more or less than before"],
    blocks: ["blocks", "number of blocks"],
    average: ["average", "bytes of a block"],
    callees: ["with callees", "bytes of this and of all that it calls"],
};

export class Table {
    /** told: {select("f" and a frame, or "n" and a node), sort(name)} */
    constructor(profile, told) {
        this.profile = profile;
        this.told = told;
        this.head = make("thead");
        this.body = make("tbody");
        this.foot = make("tfoot");
        this.caption = make("caption");
        this.more = make("button", {
            type: "button", className: "more", onclick: () => this.#add()});
        this.element = make("div", {className: "table"},
            make("div", {className: "table-tools"},
                make("button", {type: "button", onclick: () => this.#save()},
                     "CSV")),
            make("div", {className: "table-scroll"},
                make("table", {role: "table"}, this.caption, this.head, this.body,
                     this.foot)),
            this.more);
        new IntersectionObserver((entries) => {
            if (entries.some((entry) => entry.isIntersecting)) {
                this.#add();
            }
        }).observe(this.more);
    }

    #compute(choice) {
        if (choice.group === "path") {
            this.#computePaths(choice);
            return;
        }
        const {profile} = this;
        const {older, newer, chosen, group} = choice;
        const keys = profile.keys(group);
        const figure = FIGURES[choice.figure];
        const places = profile.spotKeys(keys);
        const sums = (set, name) => profile.sums(
            profile.spots, places, keys.count + 1, set, name, chosen);
        const [size, blocks] = [sums(newer, figure.bytes),
                                sums(newer, figure.blocks)];
        const [sizeBefore, blocksBefore] = [sums(older, figure.bytes),
                                            sums(older, figure.blocks)];
        const callees = withCallees(profile, keys,
                                    profile.own(newer, figure.bytes, chosen));
        const calleesBefore = withCallees(profile, keys,
            profile.own(older, figure.bytes, chosen));
        const matches = choice.query && choice.matchingKeys(keys);
        const cut = this.#cutKeys(keys);
        this.rows = [];
        for (let key = 0; key <= keys.count; key++) {
            const other = key === keys.count;
            if (!size[key] && !sizeBefore[key] && !blocks[key]
                    && !blocksBefore[key] && (other || !callees[key])) {
                continue;
            }
            if (matches && (other || !matches[key])) {
                continue;
            }
            this.rows.push({
                frame: other ? OTHER : keys.first[key],
                name: `f${keys.first[key]}`,
                place: other ? "(other)" : profile.place(
                    keys.first[key], group, group === "line"
                        && keys.isMixed(profile, key)),
                size: size[key], blocks: blocks[key],
                change: size[key] - sizeBefore[key],
                blocksChange: blocks[key] - blocksBefore[key],
                average: blocks[key] ? size[key] / blocks[key] : 0,
                callees: other ? 0 : callees[key] - (choice.older < 0 ? 0
                    : calleesBefore[key]),
                cut: !other && cut[key],
                gone: choice.older >= 0 && !blocks[key] && blocksBefore[key],
                fresh: choice.older >= 0 && blocks[key]
                    && !blocksBefore[key],
            });
        }
        this.total = size.reduce((sum, each) => sum + each, 0);
    }

    /** Each call path is a row, by what it allocates itself. */
    #computePaths(choice) {
        const {profile} = this;
        const {older, newer, chosen} = choice;
        const {parent, frame} = profile;
        const figure = FIGURES[choice.figure];
        const own = (set, name) => profile.own(set, name, chosen);
        const [size, blocks] = [own(newer, figure.bytes),
                                own(newer, figure.blocks)];
        const [sizeBefore, blocksBefore] = [own(older, figure.bytes),
                                            own(older, figure.blocks)];
        const callees = size.map((value, node) => value - sizeBefore[node]);
        const depth = new Int32Array(parent.length);
        for (let node = 1; node < parent.length; node++) {
            depth[node] = depth[parent[node]] + 1;
        }
        for (let node = parent.length - 1; node > 0; node--) {
            callees[parent[node]] += callees[node];
        }
        const keys = profile.keys("line");
        const matches = choice.query && choice.matchingKeys(keys);
        this.rows = [];
        for (let node = 1; node < parent.length; node++) {
            const at = frame[node];
            if (!size[node] && !sizeBefore[node] && !blocks[node]
                    && !blocksBefore[node]) {
                continue;
            }
            if (matches && (at === OTHER || !matches[keys.of[at]])) {
                continue;
            }
            const callers = depth[node] - 1;
            this.rows.push({
                frame: at, name: `n${node}`,
                place: (at === OTHER ? "(other)" : profile.place(at))
                    + (callers ? `  (+${callers})` : ""),
                size: size[node], blocks: blocks[node],
                change: size[node] - sizeBefore[node],
                blocksChange: blocks[node] - blocksBefore[node],
                average: blocks[node] ? size[node] / blocks[node] : 0,
                callees: callees[node], cut: 0,
                gone: older >= 0 && !blocks[node] && blocksBefore[node],
                fresh: older >= 0 && blocks[node] && !blocksBefore[node],
            });
        }
        this.total = size.reduce((sum, each) => sum + each, 0);
    }

    /** Return which keys are also in call paths that were summed up. */
    #cutKeys(keys) {
        const found = new Uint8Array(keys.count);
        this.profile.frames.cut.forEach((cut, frame) => {
            found[keys.of[frame]] |= cut;
        });
        return found;
    }

    show(choice) {
        this.choice = choice;
        this.#compute(choice);
        const compared = choice.older >= 0;
        this.columns = compared
            ? ["change", "size", "blocksChange", "blocks", "average",
               "callees"]
            : ["size", "share", "cumulative", "blocks", "average", "callees"];
        const byBlocks = choice.unit === "blocks";
        let sort = choice.state.sort || (compared
            ? (byBlocks ? "blocksChange" : "change")
            : (byBlocks ? "blocks" : "size"));
        this.reversed = sort.startsWith("-");
        sort = sort.replace("-", "");
        if (sort !== "location" && !this.columns.includes(sort)) {
            sort = this.columns[0];
        }
        this.sort = sort;
        this.#order();
        this.#fillHead();
        fill(this.body);
        this.shown = 0;
        this.#add();
        this.#fillFoot();
    }

    #order() {
        const {sort} = this;
        const place = (row) => row.frame === OTHER ? "\uffff" : row.place;
        const by = {share: "size", cumulative: "size"}[sort] ?? sort;
        const absolute = sort === "change" || sort === "blocksChange";
        const value = (row) => absolute ? Math.abs(row[by]) : row[by];
        const compare = sort === "location"
            ? (one, other) => place(one) < place(other) ? -1 : 1
            : (one, other) => value(other) - value(one)
                || other.size - one.size || other.callees - one.callees
                || (place(one) < place(other) ? -1 : 1);
        this.rows.sort(compare);
        if (this.reversed) {
            this.rows.reverse();
        }
        let sum = 0;
        for (const row of this.rows) {
            sum += row.size;
            row.cumulative = sum;
        }
    }

    #fillHead() {
        const head = (name, text, title) => {
            const current = name === this.sort;
            const ascending = current
                && this.reversed !== (name === "location");
            return make("th", {
                role: "columnheader", scope: "col", className: name === "location" ? "location" : "",
                "aria-sort": current ? (ascending ? "ascending"
                    : "descending") : undefined},
                make("button", {
                    type: "button", title,
                    onclick: () => this.told.sort(
                        current && !this.reversed ? `-${name}` : name)},
                    text, make("span", {
                        className: "arrow", "aria-hidden": "true"},
                        current ? (ascending ? "\u25b4" : "\u25be") : "")));
        };
        const group = this.#groupText();
        fill(this.head, make("tr", {role: "row"},
            ...this.columns.map((name) => head(name, ...COLUMNS[name])),
            head("location", group, "in the order of names")));
    }

    #groupText() {
        const {group} = this.choice;
        return group === "path" ? "call path" : group;
    }

    #cell(row, name) {
        const compared = this.choice.older >= 0;
        const text = {
            change: () => sizeText(row.change, true),
            size: () => sizeText(row.size),
            share: () => shareText(row.size, this.total),
            cumulative: () => shareText(row.cumulative, this.total),
            blocksChange: () => countText(row.blocksChange, true),
            blocks: () => countText(row.blocks),
            average: () => row.blocks ? sizeText(row.average) : "-",
            callees: () => (row.cut && !compared ? "\u2265 " : "")
                + (row.frame === OTHER ? "-"
                    : sizeText(row.callees, compared)),
        }[name]();
        const value = {change: row.change, blocksChange: row.blocksChange,
                       callees: compared ? row.callees : 0}[name];
        return make("td", {
            role: "cell", "data-head": COLUMNS[name][0],
            className: value > 0 ? "more" : value < 0 ? "less" : "",
            title: name === "callees" && row.cut
                ? "it is also in call paths that are summed as (other)"
                : ""}, text);
    }

    #location(row) {
        const {profile, choice} = this;
        const isPath = choice.group === "path";
        if (row.frame === OTHER && !isPath) {
            return make("td", {role: "cell", className: "location"},
                        "(other)");
        }
        const marks = [];
        if (row.fresh || row.gone) {
            marks.push(make("span", {
                className: row.fresh ? "mark new" : "mark gone"},
                row.fresh ? "new" : "gone"));
        }
        const source = choice.group === "line"
                || (isPath && row.frame !== OTHER)
            ? plainLine(profile, row.frame) : "";
        return make("td", {role: "cell", className: "location"},
            make("button", {
                type: "button", className: "link",
                onclick: () => this.told.select(row.name)},
                row.place), ...marks,
            source ? make("code", {}, source) : null);
    }

    #add() {
        const next = this.rows.slice(this.shown, this.shown + PAGE);
        const selected = this.choice.state.selected;
        const fragment = document.createDocumentFragment();
        for (const row of next) {
            fragment.append(make("tr", {
                role: "row", className: selected === row.name ? "current" : ""},
                ...this.columns.map((name) => this.#cell(row, name)),
                this.#location(row)));
        }
        this.body.append(fragment);
        this.shown += next.length;
        const left = this.rows.length - this.shown;
        this.more.hidden = !left;
        this.more.textContent = `${plural(left, "more row")}`;
    }

    #fillFoot() {
        const sum = (name) => this.rows.reduce(
            (total, row) => total + row[name], 0);
        const all = {size: sum("size"), blocks: sum("blocks"),
                     change: sum("change"),
                     blocksChange: sum("blocksChange"), frame: OTHER};
        all.cumulative = all.size;
        all.average = all.blocks ? all.size / all.blocks : 0;
        fill(this.foot, make("tr", {role: "row"},
            ...this.columns.map((name) => name === "callees" ? make("td", {})
                : this.#cell(all, name)),
            make("td", {className: "location"},
                 this.choice.query ? "total of what matches" : "total")));
        this.caption.textContent =
            plural(this.rows.length, this.#groupText());
    }

    #save() {
        const names = this.columns.filter((name) => name !== "share"
            && name !== "cumulative" && name !== "average");
        const cell = (text) => {
            // Spreadsheets run what begins like a formula.
            const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
            return /[",\r\n]/.test(plain)
                ? `"${plain.replaceAll('"', '""')}"` : plain;
        };
        const lines = [[...names, this.#groupText()].join(",")];
        for (const row of this.rows) {
            lines.push([...names.map((name) => row[name]),
                        cell(row.place)].join(","));
        }
        download("tracemalloc.csv", `${lines.join("\n")}\n`, "text/csv");
    }
}

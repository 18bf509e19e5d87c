// What is known of what is selected: figures, the way there, source, callers.

import {fill, make} from "./dom.js";
import {countText, shareText, sizeText} from "./format.js";
import {FIGURES, KINDS, OTHER} from "./profile.js";
import {codeLine, linesOf} from "./source.js";
import {View} from "./tree.js";

const NEAR = 2;                 // lines of source before and after
const MOST_CALLERS = 12;

/** Return the sums of a table's rows that `counts(row)` lets through. */
function sumOf(table, set, figure, chosen, counts) {
    const column = set < 0 ? null : table.sets[set][figure];
    if (!column) {
        return null;
    }
    let sum = 0;
    for (let row = 0; row < column.length; row++) {
        if (chosen[table.group[row]] && counts(row)) {
            sum += column[row];
        }
    }
    return sum;
}

export class Details {
    /** told: {change(choices), open(nodes) or null, load(file) or null} */
    constructor(profile, told) {
        this.profile = profile;
        this.told = told;
        this.element = make("section", {
            className: "details", "aria-label": "Selection"});
    }

    clear() {
        this.element.hidden = true;
        fill(this.element);
    }

    /** Show a node of a View. */
    showNode(view, node, choice) {
        const members = view.members(node);
        const {rows} = this.profile;
        this.#show(view.frame(node), view.label(node), choice,
                   view.frame(node) === OTHER ? view.sums(node) : [],
                   this.#figures(choice, rows, (row) =>
                       members[rows.node[row]]),
                   this.#way(view, node));
    }

    /** Show a frame: all that is allocated there, whoever calls it. */
    showFrame(frame, group, choice) {
        const {spots} = this.profile;
        const keys = this.profile.keys(group);
        const wanted = keys.of[frame];
        const keyOf = this.profile.spotKeys(keys);
        this.#show(frame, keys.label(wanted), choice, [],
                   this.#figures(choice, spots, (row) =>
                       keyOf[row] === wanted),
                   this.#callers(frame, group, choice));
    }

    #show(frame, label, choice, sums, figures, more) {
        this.element.hidden = false;
        const head = frame === OTHER || frame < 0
            ? [make("h2", {}, label),
               make("p", {className: "place"},
                    "call paths that are too small to be shown one by one, "
                    + "or what no frame is known of")]
            : [make("h2", {}, this.profile.functionName(frame)
                    || this.profile.shortPlace(frame)),
               make("p", {className: "place"},
                    this.#placeText(frame, choice.group))];
        fill(this.element, make("div", {className: "details-head"},
             make("div", {className: "details-name"}, ...head),
             frame >= 0 ? this.#buttons(frame, choice)
                 : this.told.open && sums.length ? this.#opening(sums) : null,
             choice.state.view === "flame" ? null : make("button", {
                 type: "button", className: "plain close", title: "close",
                 "aria-label": "close",
                 onclick: () => this.told.change({selected: ""})},
                 "\u00d7")),
             make("div", {className: "details-body"},
                  figures,
                  make("div", {className: "details-more"},
                       frame >= 0 ? this.#source(frame, choice) : null,
                       more)));
    }

    #placeText(frame, group) {
        const line = this.profile.frames.line[frame];
        const name = this.profile.fileName(frame);
        if (this.profile.isAccount(frame)) {
            return this.profile.kind(frame) === KINDS.account
                ? "an account" : "";
        }
        const place = group === "line" && line ? `${name}:${line}` : name;
        return `${place}  \u00b7  ${this.profile.module(frame)}`;
    }

    #opening(sums) {
        return make("div", {className: "details-buttons"}, make("button", {
            type: "button", className: "open",
            onclick: () => this.told.open(sums)}, "Show these call paths"));
    }

    #buttons(frame, choice) {
        const go = (text, choices, pressed) => make("button", {
            type: "button", "aria-pressed": pressed ? "true" : undefined,
            onclick: () => this.told.change(choices)}, text);
        const {focus, relation} = choice.state;
        const is = (name) => focus === String(frame) && relation === name;
        return make("div", {className: "details-buttons"},
            this.profile.isAccount(frame) ? null : go(
                "Everything that calls this",
                {view: "flame", focus: frame, relation: "callers", at: "",
                 range: "", selected: ""}, is("callers")),
            go("Everything below this",
               {view: "flame", focus: frame, relation: "callees", at: "",
                range: "", selected: ""}, is("callees")),
            linesOf(this.profile, frame) || this.profile.lacksSource(
                this.profile.frames.file[frame], 1) ? go("Source",
                {view: "source", file: this.profile.frames.file[frame],
                 line: this.profile.frames.line[frame]}) : null);
    }

    #figures(choice, table, counts) {
        const {profile} = this;
        const {older, newer, chosen} = choice;
        const body = make("tbody");
        for (const [name, figure] of Object.entries(FIGURES)) {
            const bytes = sumOf(table, newer, figure.bytes, chosen, counts);
            const blocks = sumOf(table, newer, figure.blocks, chosen, counts);
            if (bytes === null) {
                continue;
            }
            const cells = [];
            if (older >= 0) {
                const before = sumOf(table, older, figure.bytes, chosen,
                                     counts);
                const blocksBefore = sumOf(table, older, figure.blocks,
                                           chosen, counts);
                if (before === null) {
                    continue;
                }
                cells.push(sizeText(bytes - before, true),
                           sizeText(bytes),
                           countText(blocks - blocksBefore, true),
                           countText(blocks));
            } else {
                cells.push(sizeText(bytes),
                           shareText(bytes, profile.total(
                               newer, figure.bytes, chosen)),
                           countText(blocks),
                           blocks ? sizeText(bytes / blocks) : "-");
            }
            body.append(make("tr", {
                className: name === choice.figure ? "current" : ""},
                make("th", {scope: "row"}, figure.text),
                ...cells.map((text) => make("td", {}, text))));
        }
        const head = older >= 0 ? ["change", "size", "change", "blocks"]
            : ["size", "share", "blocks", "average"];
        const error = older < 0 ? sumOf(table, newer, "size_variance", chosen,
                                        counts) : null;
        return make("div", {className: "details-figures"},
            make("table", {}, make("thead", {}, make("tr", {},
                make("th"), ...head.map((text) =>
                    make("th", {scope: "col"}, text)))), body),
            error === null ? null : make("p", {className: "estimate"},
                `live: an estimate, \u00b1${sizeText(Math.sqrt(error))} `
                + "(standard error)"));
    }

    #source(frame, choice) {
        const found = linesOf(this.profile, frame);
        const line = this.profile.frames.line[frame];
        if (choice.group !== "line" || !line) {
            return null;
        }
        const file = this.profile.frames.file[frame];
        if (this.profile.lacksSource(file, line)) {
            this.told.load(file);
        }
        if (!found) {
            return null;
        }
        const lines = make("pre", {className: "code"});
        for (let at = line - NEAR; at <= line + NEAR; at++) {
            const code = codeLine(this.profile, found, at, at === line
                ? choice : null);
            if (code) {
                lines.append(make("span", {
                    className: at === line ? "line here" : "line"},
                    make("span", {className: "number"},
                         String(at).padStart(5)), code, "\n"));
            }
        }
        return lines;
    }

    /** Return the way from the root to a node, as links. */
    #way(view, node) {
        const path = view.path(node).slice(1, -1);
        if (!path.length) {
            return null;
        }
        const list = make("ol", {className: "way"});
        const shown = path.length > 60
            ? [...path.slice(0, 30), -1, ...path.slice(-30)] : path;
        for (const each of shown) {
            list.append(make("li", {}, each < 0
                ? `\u2026 ${path.length - 60} more \u2026`
                : make("button", {
                    type: "button", className: "link",
                    onclick: () => this.told.change({
                        at: view.address(each), range: "",
                        selected: view.address(each)})}, view.label(each))));
        }
        const title = view.options.inverted
            || view.options.relation === "callers"
            ? "Called on the way" : "Called by, the oldest first";
        return make("details", {className: "callers", open: path.length < 13},
            make("summary", {}, `${title} (${path.length})`), list);
    }

    /** Return who calls a frame, the biggest first. */
    #callers(frame, group, choice) {
        if (!choice.values || group === "account") {
            return null;
        }
        const view = new View(this.profile, {
            group, focus: frame, relation: "callers", inverted: false,
            foldImports: false, foldStandard: false}, choice.values);
        const top = view.children(0)[0];
        const callers = top === undefined ? [] : [...view.children(top)];
        if (!callers.length) {
            return null;
        }
        const list = make("ol", {className: "way"});
        for (const caller of callers.slice(0, MOST_CALLERS)) {
            list.append(make("li", {},
                make("span", {className: "amount"}, choice.text(
                    view.after[caller] - view.before[caller])),
                make("button", {
                    type: "button", className: "link",
                    onclick: () => this.told.change({
                        selected: `f${view.frame(caller)}`})},
                    view.label(caller))));
        }
        const more = callers.length - MOST_CALLERS;
        if (more > 0) {
            list.append(make("li", {}, `${more} more`));
        }
        return make("details", {className: "callers", open: true},
            make("summary", {}, `Called by (${callers.length})`), list);
    }
}

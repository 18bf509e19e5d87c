// Source files, with what their lines hold in the margin, and the expressions
// that allocate underlined.

import {fill, make} from "./dom.js";
import {plural, sizeText} from "./format.js";
import {FIGURES, OTHER} from "./profile.js";

const CLASSES = ["", "keyword", "string", "comment", "numeral", "name"];

const entries = new WeakMap();

/** Return the source of a frame's file, null if the page has none. */
export function linesOf(profile, frame) {
    return fileLines(profile, profile.frames.file[frame]);
}

function fileLines(profile, file) {
    const {sources} = profile;
    if (!entries.has(sources)) {
        const known = new Map();
        for (const entry of sources.files) {
            entry.at = new Map(entry.line.map((line, at) => [line, at]));
            known.set(entry.file, entry);
        }
        entries.set(sources, known);
    }
    return entries.get(sources).get(file) ?? null;
}

/** Return a line of source without the blanks around it; "" if not known. */
export function plainLine(profile, frame) {
    const found = linesOf(profile, frame);
    const at = found?.at.get(profile.frames.line[frame]);
    return at === undefined ? "" : found.text[at].trim();
}

/** Return the spots of a file by line: [{line, from, to, spot}]. */
function spotsByLine(profile, file) {
    const {spots, frames} = profile;
    const found = new Map();
    for (let spot = 0; spot < spots.frame.length; spot++) {
        const frame = spots.frame[spot];
        if (frame === OTHER || frames.file[frame] !== file) {
            continue;
        }
        const line = frames.line[frame];
        if (!found.has(line)) {
            found.set(line, []);
        }
        found.get(line).push(spot);
    }
    return found;
}

/** Return a line of code as an element; with the expressions of `choice`
    underlined that begin there.  null if the page does not have it. */
export function codeLine(profile, entry, line, choice, spots = null) {
    const at = entry.at.get(line);
    if (at === undefined) {
        return null;
    }
    const text = [...entry.text[at]];
    const classes = new Array(text.length).fill("");
    const tokens = entry.tokens[at];
    for (let token = 0; token < tokens.length; token += 3) {
        classes.fill(CLASSES[tokens[token + 2]], tokens[token],
                     tokens[token] + tokens[token + 1]);
    }
    const under = new Array(text.length).fill(false);
    if (choice) {
        const here = spots ?? spotsByLine(profile, entry.file).get(line) ?? [];
        for (const spot of here) {
            if (isLive(profile, spot, choice)) {
                underline(profile, spot, line, under);
            }
        }
    }
    const code = make("code");
    let begin = 0;
    for (let end = 1; end <= text.length; end++) {
        if (end === text.length || classes[end] !== classes[begin]
                || under[end] !== under[begin]) {
            const part = text.slice(begin, end).join("");
            const names = [classes[begin], under[begin] ? "spot" : ""]
                .filter(Boolean).join(" ");
            code.append(names ? make("span", {className: names}, part) : part);
            begin = end;
        }
    }
    return code;
}

function isLive(profile, spot, choice) {
    const column = FIGURES[choice.figure].bytes;
    return choice.chosen[profile.spots.group[spot]]
        && [choice.older, choice.newer].some((set) =>
            set >= 0 && profile.spots.sets[set][column]?.[spot]);
}

function underline(profile, spot, line, under) {
    const {column, endColumn, endLine} = profile.spots;
    if (column[spot] >= 0) {
        const end = endLine[spot] > line || endColumn[spot] < 0
            ? under.length : endColumn[spot];
        under.fill(true, column[spot], end);
    }
}

export class Source {
    /** told: {change(choices), load(file) or null} */
    constructor(profile, told) {
        this.profile = profile;
        this.told = told;
        this.list = make("nav", {
            className: "files", "aria-label": "Source files"});
        this.body = make("div", {className: "listing"});
        this.element = make("div", {className: "source"}, this.list,
                            this.body);
    }

    show(choice) {
        this.choice = choice;
        const sums = this.#byFile(choice);
        const files = this.#files().sort((one, other) =>
            Math.abs(sums[other]) - Math.abs(sums[one]) || one - other);
        let file = Number(choice.state.file || files[0]);
        if (!files.includes(file) && !this.#isNamed(file)) {
            file = files[0];
        }
        this.#fillList(files, file, sums);
        if (file === undefined) {
            fill(this.body, make("p", {className: "empty"},
                this.#whyNone()));
            return;
        }
        this.#fillBody(file);
    }

    /** Return the files that are listed: with source, or to be asked for. */
    #files() {
        const {sources, fileNumbers} = this.profile;
        const found = new Set(sources.files.map((entry) => entry.file));
        for (let file = 0; file < fileNumbers?.length; file++) {
            if (this.profile.lacksSource(file)) {
                found.add(file);
            }
        }
        return [...found];
    }

    /** Return whether a viewer was asked for a file, or can be. */
    #isNamed(file) {
        const {sources, fileNumbers} = this.profile;
        return file < fileNumbers?.length && (sources.missing.has(file)
            || this.profile.lacksSource(file, 1));
    }

    #whyNone() {
        return this.profile.sources.wanted
            ? "No source file of this snapshot could be read where the "
              + "report was made."
            : "The report was made with --no-source.";
    }

    #byFile(choice) {
        const {profile} = this;
        const {spots, frames, files} = profile;
        const places = Int32Array.from(spots.frame, (frame) =>
            frame === OTHER ? files.name.length : frames.file[frame]);
        const column = FIGURES[choice.figure].bytes;
        const sums = (set) => profile.sums(
            spots, places, files.name.length + 1, set, column, choice.chosen);
        const before = sums(choice.older);
        return sums(choice.newer).map((sum, file) => sum - before[file]);
    }

    #fillList(files, current, sums) {
        const {profile} = this;
        const items = files.map((file) => {
            const name = profile.names[profile.files.name[file]];
            const short = name.split("/").slice(-2).join("/");
            return make("li", {}, make("button", {
                type: "button", title: name, className: "file",
                "aria-current": file === current ? "true" : undefined,
                onclick: () => this.told.change({file, line: ""})},
                make("span", {className: "name"}, short),
                make("span", {className: "amount"},
                     sizeText(sums[file], this.choice.older >= 0))));
        });
        const leftOut = this.told.load ? 0 : profile.sources.leftOut.length;
        fill(this.list, make("ul", {}, ...items), leftOut
            ? make("p", {className: "note"}, `${plural(leftOut, "more file")}`
                   + " for which there was no room") : null);
    }

    #byLine(file, figure, set) {
        const {profile, choice} = this;
        const {spots, frames} = profile;
        const column = set < 0 ? null : spots.sets[set][figure];
        const found = new Map();
        if (!column) {
            return found;
        }
        for (let spot = 0; spot < column.length; spot++) {
            const frame = spots.frame[spot];
            if (frame !== OTHER && frames.file[frame] === file
                    && choice.chosen[spots.group[spot]]) {
                const line = frames.line[frame];
                found.set(line, (found.get(line) ?? 0) + column[spot]);
            }
        }
        return found;
    }

    #fillBody(file) {
        const {profile, choice} = this;
        const entry = fileLines(profile, file);
        const name = profile.names[profile.files.name[file]];
        if (profile.lacksSource(file, entry ? Number(choice.state.line) : 1)
                || profile.lacksSpots(file)) {
            this.told.load(file);
        }
        if (!entry) {
            fill(this.body, make("h2", {}, name), make(
                "p", {className: "empty"},
                profile.sources.missing.get(file) ?? "Loading it \u2026"));
            return;
        }
        const compared = choice.older >= 0;
        const columns = Object.values(FIGURES).slice(0, 3)
            .filter((figure) => profile.knows(choice.newer, figure.bytes)
                && profile.knows(choice.older, figure.bytes))
            .map((figure) => {
                const lines = this.#byLine(file, figure.bytes, choice.newer);
                const before = this.#byLine(file, figure.bytes, choice.older);
                for (const [line, size] of before) {
                    lines.set(line, (lines.get(line) ?? 0) - size);
                }
                const most = Math.max(...[...lines.values()].map(Math.abs), 1);
                return {text: figure.text.toLowerCase(), lines, most};
            });
        const spots = spotsByLine(profile, file);
        const frames = this.#framesByLine(file);
        const body = make("tbody");
        let last = 0;
        for (const line of entry.line) {
            if (line !== last + 1) {
                body.append(this.#gap(line - last - 1, columns.length));
            }
            last = line;
            body.append(this.#row(entry, line, columns, spots, frames,
                                  compared));
        }
        if (last < entry.total) {
            body.append(this.#gap(entry.total - last, columns.length));
        }
        fill(this.body, make("h2", {}, name),
             entry.newer ? make("p", {className: "warning"},
                 "The file has been changed since the snapshot was taken: "
                 + "lines may be others.") : null,
             make("table", {}, make("thead", {}, make("tr", {},
                 ...columns.map((column) =>
                     make("th", {scope: "col"}, column.text)),
                 make("th", {scope: "col"}, "line"),
                 make("th", {scope: "col", className: "text"}, "source"))),
                 body));
        const wanted = Number(choice.state.line);
        if (wanted && this.#shownLine !== `${file}:${wanted}`) {
            this.#shownLine = `${file}:${wanted}`;
            requestAnimationFrame(() => this.body.querySelector(".here")
                ?.scrollIntoView({block: "center"}));
        }
    }

    #shownLine = "";

    #framesByLine(file) {
        const found = new Map();
        this.profile.frames.file.forEach((each, frame) => {
            if (each === file && !found.has(this.profile.frames.line[frame])) {
                found.set(this.profile.frames.line[frame], frame);
            }
        });
        return found;
    }

    #gap(lines, columns) {
        return make("tr", {className: "gap"}, make("td", {
            colSpan: columns + 2}, `\u2026 ${plural(lines, "line")}`));
    }

    #row(entry, line, columns, spots, frames, compared) {
        const {profile, choice} = this;
        const cells = columns.map(({lines, most}) => {
            const size = lines.get(line);
            const heat = size ? Math.ceil(4 * Math.abs(size) / most) : 0;
            return make("td", {
                className: heat ? `size heat${heat}${size < 0 ? " less" : ""}`
                    : "size"}, size ? sizeText(size, compared) : "");
        });
        const frame = frames.get(line);
        return make("tr", {
            className: Number(choice.state.line) === line ? "here" : ""},
            ...cells,
            make("td", {className: "number"}, frame === undefined
                ? String(line) : make("button", {
                    type: "button", className: "link",
                    title: "who calls this line",
                    onclick: () => this.told.change({
                        file: entry.file, line, selected: `f${frame}`})},
                    String(line))),
            make("td", {className: "text"}, codeLine(
                profile, entry, line, choice, spots.get(line) ?? [])));
    }
}

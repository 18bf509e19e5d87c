// What is zoomed to and selected, when other data come: numbers of nodes and
// frames differ, and stand for the same places.

import {OTHER} from "./profile.js";

function frameText(profile, frame) {
    return frame === OTHER ? "" : JSON.stringify(
        [profile.isAccount(frame), profile.fileName(frame),
         profile.frames.line[frame], profile.functionName(frame)]);
}

/** Finds frames and call paths of one Profile in another. */
class Carrier {
    #frames = null;
    #children = null;

    constructor(from, to) {
        this.from = from;
        this.to = to;
    }

    /** Return the number of the same frame; undefined if there is none. */
    frame(frame) {
        this.#frames ??= new Map(this.to.frames.line.map((_, at) =>
            [frameText(this.to, at), at]));
        return frame === OTHER ? OTHER : frame < 0
            || !(frame < this.from.frames.line.length) ? undefined
            : this.#frames.get(frameText(this.from, frame));
    }

    #child(parent, frame) {
        if (!this.#children) {
            const {parent: above, frame: of} = this.to;
            this.#children = new Map();
            for (let node = 1; node < above.length; node++) {
                this.#children.set(`${above[node]} ${of[node]}`, node);
            }
        }
        return this.#children.get(`${parent} ${frame}`);
    }

    /** Return the number of the same call path, or of as much of it as there
        is. */
    node(node) {
        const path = [];
        for (let at = node; at > 0; at = this.from.parent[at]) {
            path.unshift(this.from.frame[at]);
        }
        let found = 0;
        for (const frame of path) {
            const next = this.#child(found, this.frame(frame));
            if (next === undefined) {
                break;
            }
            found = next;
        }
        return found;
    }

    file(file) {
        const {from, to} = this;
        const name = from.names[from.files.name[file]];
        return to.files.name.findIndex((each) => to.names[each] === name);
    }

    /** Return what an address says of nodes: "12", "12.34", "n12". */
    address(text) {
        const [, kind, numbers] = /^(n?)([\d.]*)$/.exec(text) ?? [];
        if (!numbers) {
            return "";
        }
        const found = numbers.split(".").map((number) =>
            this.node(Number(number)));
        return found.every(Boolean) ? kind + found.join(".") : "";
    }

    /** Return what an address says of frames, files and modules, all of which
        may be those of an account: "f12", "p12.57"; and of nodes. */
    selected(text) {
        const [, kind, number, account] =
            /^([fpm])(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
        if (!kind) {
            return this.address(text);
        }
        const {from, to} = this;
        const found = {
            f: () => this.frame(Number(number)) ?? -1,
            p: () => this.file(Number(number)),
            m: () => to.names.indexOf(from.names[number]),
        }[kind]();
        const within = account === undefined ? undefined
            : this.frame(Number(account)) ?? -1;
        return found < 0 || within < 0 ? ""
            : within === undefined ? `${kind}${found}`
                : `${kind}${found}.${within}`;
    }
}

/** Return the choices that a State has to make when `to` is shown in the place
    of `from`, so that they say the same. */
export function carried(state, from, to) {
    const carrier = new Carrier(from, to);
    const focus = state.focus === "" ? undefined
        : carrier.frame(Number(state.focus));
    const file = state.file === "" ? -1 : carrier.file(Number(state.file));
    return {
        at: carrier.selected(state.at),
        selected: carrier.selected(state.selected),
        focus: focus ?? "", relation: focus === undefined ? ""
            : state.relation,
        file: file < 0 ? "" : file, line: file < 0 ? "" : state.line,
        ...from.sets === to.sets ? {} : {older: "", newer: "", range: ""},
    };
}

/** Return the choices that a State has to make because a filter asks for what
    there is not. */
export function withoutMissing(state, profile) {
    return Object.fromEntries(
        ["thread", "domain", "process", "module", "account"].filter((name) =>
            state[name] !== ""
            && !profile.filterValues(name).includes(state[name]))
            .map((name) => [name, ""]));
}

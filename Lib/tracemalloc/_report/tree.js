// Call paths as they are shown: from callers to what they call, or the other
// way up; with frames put together, folded, or seen from one of them.
//
// A View numbers what is shown; 0 is the root, callers are smaller than what
// is below them (in an inverted view: callees than callers).
//
//     node     View's node -> node of the profile that it was first made for
//     parent, key, depth
//     width    how wide a node is drawn: the value, or how much has changed
//     before, after   what the old and the new set have (before: all 0 if
//              nothing is compared)
//     x        where a node begins; levels: nodes by depth, from left to right

import {OTHER} from "./profile.js";

// An inverted view of deep paths is cut when it takes more steps than these.
const MOST_STEPS = 6e6;

class Growing {
    constructor() {
        this.node = [0];
        this.parent = [-1];
        this.key = [OTHER];
        this.depth = [0];
        this.known = new Map();
    }

    child(parent, key, node, keys) {
        const name = parent * (keys + 1) + key + 1;
        let found = this.known.get(name);
        if (found === undefined) {
            found = this.node.length;
            this.known.set(name, found);
            this.node.push(node);
            this.parent.push(parent);
            this.key.push(key);
            this.depth.push(this.depth[parent] + 1);
        }
        return found;
    }
}

export class View {
    /** options: {group, inverted, foldImports, foldStandard, focus, relation}
        values: {width, before, after}, what each node holds itself */
    constructor(profile, options, values) {
        this.profile = profile;
        this.options = options;
        this.keys = profile.keys(options.group);
        this.values = values;
        this.cut = false;
        this.#markFrames();
        const below = this.#withCallees(values.width);
        if (options.relation === "callers" || options.inverted) {
            this.#fromCallees(below);
        } else {
            this.#fromCallers(below);
        }
        this.#arrange();
    }

    #folded;
    #focused;

    #markFrames() {
        const {profile, options, keys} = this;
        const count = profile.frames.file.length;
        this.#folded = new Uint8Array(count);
        for (let frame = 0; frame < count; frame++) {
            this.#folded[frame] = Number(
                (options.foldImports && profile.isImport(frame))
                || (options.foldStandard && profile.isStandard(frame)));
        }
        this.#focused = null;
        if (options.focus >= 0 && options.focus < count) {
            const wanted = keys.of[options.focus];
            this.#focused = Uint8Array.from(keys.of, (key) =>
                Number(key === wanted));
        }
    }

    #withCallees(own) {
        const sums = Float64Array.from(own);
        const {parent} = this.profile;
        for (let node = parent.length - 1; node > 0; node--) {
            sums[parent[node]] += sums[node];
        }
        return sums;
    }

    /** Callers stand above what they call. */
    #fromCallers(below) {
        const {parent, frame} = this.profile;
        const {of, count, group} = this.keys;
        const made = new Growing();
        const place = new Int32Array(parent.length);
        place[0] = this.#focused ? -1 : 0;
        for (let node = 1; node < parent.length; node++) {
            let above = place[parent[node]];
            const at = frame[node];
            if (above < 0) {
                if (at === OTHER || !this.#focused[at]) {
                    place[node] = -1;
                    continue;
                }
                above = 0;
            }
            if (!below[node]) {
                place[node] = above;
                continue;
            }
            const key = at === OTHER ? OTHER : of[at];
            const hidden = above > 0 && at !== OTHER && (this.#folded[at]
                || (group !== "line" && made.key[above] === key));
            place[node] = hidden ? above
                : made.child(above, key, node, count);
        }
        this.place = place;
        this.#adopt(made);
        this.#sum((column, own) => {
            for (let node = 0; node < place.length; node++) {
                if (place[node] >= 0) {
                    column[place[node]] += own[node];
                }
            }
            for (let node = column.length - 1; node > 0; node--) {
                column[this.parent[node]] += column[node];
            }
        });
    }

    /** What allocates, or what is in focus, stands above its callers. */
    #fromCallees(below) {
        const {profile} = this;
        const {parent, frame} = profile;
        const {of, count} = this.keys;
        const made = new Growing();
        const {nodes, own} = this.#beginnings(below);
        // Entries: where one is in the profile and in the view, and where it
        // came from.
        let at = Int32Array.from(nodes);
        let shown = new Int32Array(at.length);
        let from = Int32Array.from(at.keys());
        let steps = 0;
        const where = [];
        for (let entry = 0; entry < at.length; entry++) {
            // What a folded frame holds is its caller's.
            while (frame[at[entry]] !== OTHER
                    && this.#folded[frame[at[entry]]] && parent[at[entry]]) {
                at[entry] = parent[at[entry]];
            }
            const key = frame[at[entry]] === OTHER ? OTHER
                : of[frame[at[entry]]];
            shown[entry] = made.child(0, key, at[entry], count);
        }
        while (at.length) {
            where.push([from, shown]);
            steps += at.length;
            if (steps > MOST_STEPS) {
                this.cut = true;
                break;
            }
            let next = 0;
            const [nodeOf, placeOf, fromOf] = [
                new Int32Array(at.length), new Int32Array(at.length),
                new Int32Array(at.length)];
            for (let entry = 0; entry < at.length; entry++) {
                const caller = this.#caller(at[entry], made.key[shown[entry]]);
                if (caller > 0) {
                    nodeOf[next] = caller;
                    placeOf[next] = made.child(
                        shown[entry], of[frame[caller]], caller, count);
                    fromOf[next++] = from[entry];
                }
            }
            [at, shown, from] = [nodeOf.subarray(0, next),
                                 placeOf.subarray(0, next),
                                 fromOf.subarray(0, next)];
        }
        this.place = null;
        this.where = where;
        this.beginnings = nodes;
        this.#adopt(made);
        this.#sum((column, _, name) => {
            const value = own(name);
            for (const [entries, places] of where) {
                for (let entry = 0; entry < entries.length; entry++) {
                    column[places[entry]] += value[entries[entry]];
                }
            }
            for (const node of where.length ? where[0][0].keys() : []) {
                column[0] += value[node];
            }
        });
    }

    /** Return the nodes where an inverted view begins, and a function that
        gives what each of them counts for. */
    #beginnings(below) {
        const {parent, frame} = this.profile;
        const nodes = [];
        if (!this.#focused) {
            const {width} = this.values;
            for (let node = 0; node < parent.length; node++) {
                if (width[node] && node) {
                    nodes.push(node);
                }
            }
            return {nodes, own: (name) => Float64Array.from(
                nodes, (node) => this.values[name][node])};
        }
        const inside = new Uint8Array(parent.length);
        for (let node = 1; node < parent.length; node++) {
            const found = frame[node] !== OTHER && this.#focused[frame[node]];
            if (found && !inside[parent[node]] && below[node]) {
                nodes.push(node);
            }
            inside[node] = Number(found || inside[parent[node]]);
        }
        return {nodes, own: (name) => {
            const sums = this.#withCallees(this.values[name]);
            return Float64Array.from(nodes, (node) => sums[node]);
        }};
    }

    /** Return the node above that is shown; 0 if there is none. */
    #caller(node, key) {
        const {parent, frame} = this.profile;
        const {of, group} = this.keys;
        let above = parent[node];
        while (above > 0 && (this.#folded[frame[above]]
                || (group !== "line" && of[frame[above]] === key))) {
            above = parent[above];
        }
        return above;
    }

    #adopt(made) {
        this.node = Int32Array.from(made.node);
        this.parent = Int32Array.from(made.parent);
        this.key = Int32Array.from(made.key);
        this.depth = Int32Array.from(made.depth);
        this.count = this.node.length;
    }

    #sum(add) {
        for (const name of ["width", "before", "after"]) {
            const own = this.values[name];
            this[name] = own === this.values.width && name !== "width"
                ? this.width : new Float64Array(this.count);
            if (this[name] !== this.width || name === "width") {
                add(this[name], own, name);
            }
        }
    }

    /** Sort what is below each node, and give all their places. */
    #arrange() {
        const {count, parent, width} = this;
        const start = new Int32Array(count + 1);
        for (let node = 1; node < count; node++) {
            start[parent[node] + 1]++;
        }
        for (let node = 0; node < count; node++) {
            start[node + 1] += start[node];
        }
        const children = new Int32Array(count - 1);
        const at = start.slice();
        for (let node = 1; node < count; node++) {
            children[at[parent[node]]++] = node;
        }
        // The biggest first; of changes, growth before shrinking.
        const order = this.values.compared
            ? (one, other) => (this.after[other] - this.before[other])
                - (this.after[one] - this.before[one])
                || width[other] - width[one] || one - other
            : (one, other) => width[other] - width[one] || one - other;
        this.x = new Float64Array(count);
        const levels = [Int32Array.of(0)];
        while (levels.at(-1).length) {
            const next = [];
            for (const node of levels.at(-1)) {
                let x = this.x[node];
                const below = children.subarray(start[node], start[node + 1]);
                if (below.length > 1) {
                    below.sort(order);
                }
                for (const child of below) {
                    this.x[child] = x;
                    x += width[child];
                    next.push(child);
                }
            }
            levels.push(Int32Array.from(next));
        }
        levels.pop();
        this.levels = levels;
        this.#start = start;
        this.#children = children;
    }

    #start;
    #children;

    children(node) {
        return this.#children.subarray(this.#start[node],
                                       this.#start[node + 1]);
    }

    label(node) {
        const key = this.key[node];
        // A line may be one of several functions: of two versions of a file.
        return !node ? "total" : key !== OTHER && this.keys.group === "line"
            && this.keys.isMixed(this.profile, key)
            ? this.keys.describe(this.frame(node)) : this.keys.label(key);
    }

    /** Return a frame that a node stands for; OTHER for sums and the root. */
    frame(node) {
        return node ? this.profile.frame[this.node[node]] : OTHER;
    }

    /** Return the nodes from the root to one. */
    path(node) {
        const found = [];
        for (let at = node; at >= 0; at = this.parent[at]) {
            found.unshift(at);
        }
        return found;
    }

    // What a link says of a node: a node of the profile, and in inverted
    // views how many callers above it.

    address(node) {
        return this.place ? String(this.node[node])
            : this.path(node).map((each) => this.node[each]).slice(1)
                .join(".");
    }

    find(address) {
        const numbers = address.split(".").map(Number);
        if (this.place) {
            const place = this.place[numbers[0]];
            return place > 0 ? place : 0;
        }
        let at = 0;
        const {frame} = this.profile;
        for (const number of numbers) {
            const wanted = frame[number] === OTHER || !(number in frame)
                ? OTHER : this.keys.of[frame[number]];
            const found = [...this.children(at)].find((child) =>
                this.key[child] === wanted);
            if (found === undefined) {
                break;
            }
            at = found;
        }
        return at;
    }

    /** Return, by node of the profile, whether what it holds itself is part
        of a node. */
    members(node) {
        const {parent} = this.profile;
        const found = new Uint8Array(parent.length);
        if (this.place) {
            const inside = new Uint8Array(this.count);
            inside[node] = 1;
            for (let each = node + 1; each < this.count; each++) {
                inside[each] = inside[this.parent[each]];
            }
            for (let each = 0; each < found.length; each++) {
                found[each] = this.place[each] >= 0
                    ? inside[this.place[each]] : 0;
            }
            return found;
        }
        if (node) {
            const [entries, places] = this.where[this.depth[node] - 1];
            for (let entry = 0; entry < entries.length; entry++) {
                if (places[entry] === node) {
                    found[this.beginnings[entries[entry]]] = 1;
                }
            }
        } else {
            for (const each of this.beginnings) {
                found[each] = 1;
            }
        }
        if (this.#focused) {
            for (let each = 1; each < found.length; each++) {
                found[each] |= found[parent[each]];
            }
        }
        return found;
    }

    /** Return the sums that are part of a node of this view, the biggest
        first, by the nodes of the profile without accounts. */
    sums(node) {
        const members = this.members(node);
        const {frame, places, origin} = this.profile;
        const {width} = this.values;
        const sizes = new Map();
        for (let each = 1; each < members.length; each++) {
            const sum = origin ? origin[each] : each;
            if (members[each] && frame[each] === OTHER && places.has(sum)) {
                // Several accounts may have a part of it.
                sizes.set(sum, (sizes.get(sum) ?? 0) + width[each]);
            }
        }
        return [...sizes.keys()].sort((one, other) =>
            sizes.get(other) - sizes.get(one) || one - other);
    }

    /** Return the sum of `values` of nodes that match, without counting what
        is below one that does again. */
    matched(matches, values = this.width) {
        const inside = new Uint8Array(this.count);
        let sum = 0;
        for (let node = 1; node < this.count; node++) {
            if (inside[this.parent[node]]) {
                inside[node] = 1;
            } else if (this.key[node] !== OTHER && matches[this.key[node]]) {
                inside[node] = 1;
                sum += values[node];
            }
        }
        return sum;
    }
}

/** Return what nodes hold: {width, before, after, compared}, of a choice
    {older, newer, figure, chosen, byChange}; null if it is not known. */
export function valuesOf(profile, {older, newer, figure, chosen, byChange}) {
    const after = profile.own(newer, figure, chosen);
    const before = profile.own(older, figure, chosen);
    if (!after || !before) {
        return null;
    }
    if (older < 0) {
        return {width: after, before, after, compared: false};
    }
    const width = Float64Array.from(after, (value, node) => byChange
        ? Math.abs(value - before[node]) : Math.max(value, before[node]));
    return {width, before, after, compared: true};
}

// The data of a page: columns of numbers, by node, row, spot, frame or file.

export const KINDS = {program: 0, package: 1, standard: 2, import: 3,
                      nowhere: 4, account: 5};
export const OTHER = -1;

// Figure -> its columns of bytes and of blocks, and what it is called.
export const FIGURES = {
    live: {bytes: "size", blocks: "count", text: "Live"},
    peak: {bytes: "peak_size", blocks: "peak_count", text: "At peak"},
    allocated: {bytes: "allocated_size", blocks: "allocated_count",
                text: "Allocated"},
    temporary: {bytes: "freed_size", blocks: "freed_count",
                text: "Temporary"},
};

export const GROUPS = {
    line: "Lines", function: "Functions", file: "Files", module: "Modules",
    account: "Accounts", path: "Call paths",
};

function bytesOf(text) {
    if (Uint8Array.fromBase64) {
        return Uint8Array.fromBase64(text);
    }
    const letters = atob(text);
    const packed = new Uint8Array(letters.length);
    for (let at = 0; at < packed.length; at++) {
        packed[at] = letters.charCodeAt(at);
    }
    return packed;
}

async function inflated(text) {
    const stream = new Blob([bytesOf(text)]).stream()
        .pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text();
}

/** Return the Profile in the page.  (A viewer fetches it instead.) */
export async function embedded() {
    const element = document.getElementById("data");
    const text = element.textContent;
    element.remove();
    return new Profile(JSON.parse(
        element.dataset.encoding === "deflate" ? await inflated(text) : text));
}

/** Names of frames when they are put together: by line, function, ... */
class Keys {
    constructor(group, count, of, describe) {
        this.group = group;
        this.count = count;
        this.of = of;               // frame -> key
        this.first = new Int32Array(count).fill(-1);
        for (let frame = of.length - 1; frame >= 0; frame--) {
            this.first[of[frame]] = frame;
        }
        this.describe = describe;
        this.labels = new Array(count);
    }

    /** Return whether frames of several functions have a key. */
    isMixed(profile, key) {
        if (!this.#mixed) {
            this.#mixed = new Uint8Array(this.count);
            const {function: called} = profile.frames;
            this.of.forEach((each, frame) => {
                this.#mixed[each] |= called[frame]
                    !== called[this.first[each]];
            });
        }
        return Boolean(this.#mixed[key]);
    }

    #mixed;

    /** Return the text of a key, as short as a picture needs it. */
    label(key) {
        if (key === OTHER) {
            return "(other)";
        }
        return this.labels[key] ??= this.describe(this.first[key]);
    }
}

/** Return a column with more numbers behind it, of the same kind. */
function joined(column, more) {
    const found = new column.constructor(column.length + more.length);
    found.set(column);
    found.set(more, column.length);
    return found;
}

/** Add a column to another, if there is one. */
function plus(column, other) {
    if (other) {
        // A loop: there are millions of numbers.
        for (let row = 0; row < column.length; row++) {
            column[row] += other[row];
        }
    }
    return column;
}

/** Make the columns of a table.  Figures come as what they differ by from the
    set before, and that from figures that are `like` them. */
function makeTable(table, names, like) {
    for (const name of names) {
        table[name] = Int32Array.from(table[name]);
    }
    let before = {};
    table.sets = table.sets.map((figures) => {
        const columns = {};
        for (const [figure, column] of Object.entries(figures)) {
            columns[figure] = plus(Float64Array.from(column), before[figure]);
        }
        before = columns;
        const found = {...columns};
        for (const [figure, others] of Object.entries(like)) {
            if (figure in columns) {
                found[figure] = others.reduce(
                    (sum, other) => plus(sum, columns[other]),
                    columns[figure].slice());
            }
        }
        return found;
    });
    return table;
}

export class Profile {
    /** Of the data of a page, or a copy of another Profile. */
    constructor(data) {
        this.#keys = new Map();
        if (data instanceof Profile) {
            Object.assign(this, data);
            return;
        }
        const tree = data.tree;
        this.title = data.title;
        this.snapshots = data.snapshots;
        this.history = data.history;
        this.figures = new Set(data.figures);
        this.share = tree.share;
        this.leftOut = tree.leftOut;
        this.limit = tree.limit;
        this.names = tree.names;
        this.files = tree.files;
        this.frames = tree.frames;
        this.frames.file = Int32Array.from(tree.frames.file);
        this.groups = tree.groups;
        this.parent = Int32Array.from(tree.nodes.parent);
        for (let node = 0; node < this.parent.length; node++) {
            this.parent[node] = node - this.parent[node];
        }
        this.frame = Int32Array.from(tree.nodes.frame);
        let node = 0;
        tree.rows.node = tree.rows.node.map((step) => node += step);
        this.rows = makeTable(tree.rows, ["node", "group"], data.like);
        this.spots = makeTable(
            tree.spots, ["frame", "group", "endLine", "column", "endColumn"],
            data.like);
        this.sources = {
            ...data.sources,
            // Of a viewer: files with whose names the page came, those that
            // it has been told of since, and why some cannot be shown.
            first: data.tree.files.name.length, asked: new Set(),
            missing: new Map()};
        // What a viewer knows files by.
        this.fileNumbers = data.fileNumbers ?? null;
        this.sets = tree.rows.sets.length;
        // Node that is a sum -> what a viewer knows it by.
        this.places = new Map(data.sums ?? []);
        // Made by accounts.js: the copy that has frames of accounts, and in
        // that the first of these, and what each node is a copy of.
        this.apart = null;
        this.firstAccount = Infinity;
        this.origin = null;
        this.sampled = this.snapshots.some((each) => each.interval);
    }

    #keys;

    /** Return whether a set knows a figure such as "peak_size". */
    knows(set, figure) {
        return set < 0 || figure in this.rows.sets[set];
    }

    // Frames

    fileName(frame) {
        return this.names[this.files.name[this.frames.file[frame]]];
    }

    functionName(frame) {
        return this.names[this.frames.function[frame]];
    }

    module(frame) {
        return this.names[this.files.module[this.frames.file[frame]]];
    }

    kind(frame) {
        return this.files.kind[this.frames.file[frame]];
    }

    isImport(frame) {
        return this.kind(frame) === KINDS.import;
    }

    isStandard(frame) {
        return this.kind(frame) === KINDS.standard
            || this.kind(frame) === KINDS.import;
    }

    isAccount(frame) {
        return frame >= this.firstAccount;
    }

    /** Return "file.py:42", without folders. */
    shortPlace(frame) {
        const name = this.fileName(frame);
        if (this.isAccount(frame)) {
            return name;
        }
        const line = this.frames.line[frame];
        // A backslash may be one of a character that is not printable.
        const folders = /^[a-z]:\\/i.test(name) ? /[^\\]*$/ : /[^/]*$/;
        const short = name.startsWith("<") ? name
            : name.slice(name.search(folders));
        return line ? `${short || name}:${line}` : short || name;
    }

    /** Return "folder/file.py:42 function()", as commands write it. */
    place(frame, group = "line", mixed = false) {
        const name = this.fileName(frame);
        const called = mixed ? "" : this.functionName(frame);
        if (group === "module") {
            return this.module(frame);
        }
        if (group === "file" || this.isAccount(frame)) {
            return name;
        }
        if (group === "function") {
            return called ? `${name}:${called}` : name;
        }
        const line = this.frames.line[frame];
        if (!called || !line) {
            return `${name}:${line}`;
        }
        return `${name}:${line} ${called}${called.startsWith("<")
            ? "" : "()"}`;
    }

    /** Return the Keys by which frames are put together. */
    keys(group) {
        group = group === "path" ? "line" : group;
        if (!this.#keys.has(group)) {
            this.#keys.set(group, this.#makeKeys(group));
        }
        return this.#keys.get(group);
    }

    #makeKeys(group) {
        const count = this.frames.file.length;
        const told = {
            line: (frame) =>
                `${this.frames.file[frame]} ${this.frames.line[frame]}`,
            function: (frame) => this.functionName(frame)
                ? `${this.frames.file[frame]} ${this.frames.function[frame]}`
                : `${this.frames.file[frame]}`,
            file: (frame) => this.frames.file[frame],
            module: (frame) => this.module(frame),
            account: (frame) => frame,
        }[group];
        const label = {
            line: (frame) => this.functionName(frame)
                ? `${this.functionName(frame)}  ${this.shortPlace(frame)}`
                : this.shortPlace(frame),
            function: (frame) => this.functionName(frame)
                ? `${this.functionName(frame)}  ${
                    this.shortPlace(frame).replace(/:\d+$/, "")}`
                : this.shortPlace(frame).replace(/:\d+$/, ""),
            file: (frame) => this.fileName(frame),
            module: (frame) => this.module(frame),
            account: (frame) => this.fileName(frame),
        }[group];
        const known = new Map();
        const of = new Int32Array(count);
        for (let frame = 0; frame < count; frame++) {
            if (group === "account" && !this.isAccount(frame)) {
                // It may be of any.
                of[frame] = OTHER;
                continue;
            }
            const what = told(frame);
            if (!known.has(what)) {
                known.set(what, known.size);
            }
            of[frame] = known.get(what);
        }
        return new Keys(group, known.size, of, label);
    }

    /** Return by row of the table of spots what of `keys` it counts for; the
        number of keys for what no frame is known of. */
    spotKeys(keys) {
        const {frame, group} = this.spots;
        if (keys.group === "account") {
            return Int32Array.from(group, (each) =>
                keys.of[this.accountFrame[each]]);
        }
        return Int32Array.from(frame, (each) =>
            each === OTHER ? keys.count : keys.of[each]);
    }

    // What is loaded later

    #frameNumbers = null;

    /** Return the numbers of frames that are told as [file, module, kind,
        line, function, what a viewer knows the file by]; new ones get a
        number. */
    #numbersOf(told) {
        this.frames.file = [...this.frames.file];
        const numbers = told.map(this.#numbering());
        this.frames.file = Int32Array.from(this.frames.file);
        return numbers;
    }

    #numbering() {
        const {names, files, frames, fileNumbers} = this;
        const key = (parts) => JSON.stringify(parts);
        if (!this.#frameNumbers) {
            this.#frameNumbers = {
                names: new Map(names.map((name, at) => [name, at])),
                // Several names may look alike.
                files: new Map(fileNumbers.map((number, at) => [number, at])),
                frames: new Map(frames.line.map((line, at) => [key(
                    [frames.file[at], line, names[frames.function[at]]]),
                    at])),
            };
        }
        const known = this.#frameNumbers;
        const number = (table, name, column, add) => {
            if (!known[table].has(name)) {
                known[table].set(name, column.length);
                add();
            }
            return known[table].get(name);
        };
        const name = (text) => number("names", text, names,
                                      () => names.push(text));
        return ([file, module, kind, line, called, of]) => {
            const place = number("files", of, files.name, () => {
                const [fileName, moduleName] = [name(file), name(module)];
                files.name.push(fileName);
                files.module.push(moduleName);
                files.kind.push(kind);
                fileNumbers.push(of);
            });
            return number("frames", key([place, line, called]), frames.line,
                          () => {
                frames.file.push(place);
                frames.line.push(line);
                frames.function.push(name(called));
                frames.cut.push(0);
            });
        };
    }

    /** Put the call paths in the place of nodes that summed them up.

        nodes: the sums, in the order that they were asked for; below: what a
        viewer answers.  Numbers of other nodes stay as they are. */
    adopt(nodes, below) {
        const first = this.parent.length;
        const frames = this.#numbersOf(below.frames);
        this.frame = joined(this.frame, below.nodes.frame.map((frame) =>
            frame === OTHER ? OTHER : frames[frame]));
        const above = this.parent;
        this.parent = joined(above, below.nodes.parent.map((parent) =>
            parent < 0 ? above[nodes[-parent - 1]] : first + parent));
        const gone = new Set(nodes);
        const {rows} = this;
        const keep = [...rows.node.keys()].filter((row) =>
            !gone.has(rows.node[row]));
        const kept = (column) => column.constructor.from(
            keep, (row) => column[row]);
        rows.node = joined(kept(rows.node), below.rows.node.map((node) =>
            first + node));
        rows.group = joined(kept(rows.group), below.rows.group);
        rows.sets = rows.sets.map((figures, set) => Object.fromEntries(
            Object.entries(figures).map(([figure, column]) => [figure,
                joined(kept(column), below.rows.sets[set][figure])])));
        for (const node of nodes) {
            this.places.delete(node);
        }
        for (const [node, place] of below.sums) {
            this.places.set(first + node, place);
        }
        if (!this.places.size) {
            this.frames.cut.fill(0);
        }
        this.#keys.clear();
        this.apart = null;
    }

    /** Return whether a viewer can be asked for the source of a file. */
    #canAsk(file) {
        const {asked, wanted} = this.sources;
        return file < this.fileNumbers?.length && wanted && !asked.has(file)
            && /\.pyw?$/.test(this.names[this.files.name[file]]);
    }

    /** Return whether a viewer can be asked for expressions of a file that
        the page had no room for. */
    lacksSpots(file) {
        return this.#canAsk(file) && this.spots.frame.includes(OTHER);
    }

    /** Return whether a viewer can be asked for source that a page lacks: of
        a file, or of a line of it. */
    lacksSource(file, line = 0) {
        if (!this.#canAsk(file)) {
            return false;
        }
        const {files, leftOut, first} = this.sources;
        const entry = files.find((each) => each.file === file);
        return entry ? line > 0 && !entry.line.includes(line)
            // What the page came with could not be read, but for those.
            : file >= first || leftOut.includes(file) || line > 0;
    }

    /** Take the source of a file, and the spots in it, as a viewer tells
        them; return whether there are frames that there were not. */
    adoptSource(file, {source, reason, frames, spots: told}) {
        const {sources, spots} = this;
        sources.asked.add(file);
        // Who has looked for lines in it looks again.
        this.sources = {...sources, files: sources.files.filter((entry) =>
            entry.file !== file)};
        if (source) {
            this.sources.files.push({...source, file});
        } else {
            sources.missing.set(file, reason);
        }
        const before = this.frames.line.length;
        const numbers = this.#numbersOf(frames);
        told.frame = told.frame.map((frame) => numbers[frame]);
        const is = Uint8Array.from(spots.frame, (frame) =>
            Number(frame !== OTHER && this.frames.file[frame] === file));
        const keep = [...is.keys()].filter((row) => !is[row]);
        const sets = spots.sets.map((figures, set) => Object.fromEntries(
            Object.entries(figures).map(([figure, column]) => [figure, joined(
                Float64Array.from(keep, (row) => column[row]),
                told.sets[set][figure])])));
        // What is told now and was not before was part of a sum.
        const sums = new Map();
        keep.forEach((row, at) => {
            if (spots.frame[row] === OTHER) {
                sums.set(spots.group[row], at);
            }
        });
        spots.sets.forEach((figures, set) => {
            for (const figure of Object.keys(figures)) {
                const column = sets[set][figure];
                const take = (group, size) => {
                    if (sums.has(group)) {
                        column[sums.get(group)] -= size;
                    }
                };
                told.group.forEach((group, row) =>
                    take(group, told.sets[set][figure][row]));
                is.forEach((_, row) => is[row]
                    && take(spots.group[row], -figures[figure][row]));
            }
        });
        this.spots = {sets};
        for (const name of ["frame", "group", "endLine", "column",
                            "endColumn"]) {
            this.spots[name] = joined(
                Int32Array.from(keep, (row) => spots[name][row]), told[name]);
        }
        this.#keys.clear();
        this.apart = null;
        return this.frames.line.length > before;
    }

    // Sums

    /** Return which groups a filter lets through: one byte for each. */
    chosenGroups(filter) {
        const {thread, domain, process, module, account} = this.groups;
        return Uint8Array.from(thread, (_, group) => Number(
            (filter.thread === "" || this.names[thread[group]]
                === filter.thread)
            && (filter.domain === "" || String(domain[group])
                === filter.domain)
            && (filter.process === "" || this.names[process[group]]
                === filter.process)
            && (filter.account === "" || this.names[account[group]]
                === filter.account)
            && (filter.module === "" || this.names[module[group]]
                === filter.module)));
    }

    /** Return the sums of a figure by node or frame; null if not known.
        Those of the rows or spots whose group is chosen. */
    sums(table, places, count, set, figure, chosen) {
        const found = new Float64Array(count);
        if (set < 0) {
            return found;
        }
        const column = table.sets[set][figure];
        if (!column) {
            return null;
        }
        const group = table.group;
        for (let row = 0; row < column.length; row++) {
            if (chosen[group[row]]) {
                found[places[row]] += column[row];
            }
        }
        return found;
    }

    /** Return what nodes hold themselves. */
    own(set, figure, chosen) {
        return this.sums(this.rows, this.rows.node, this.parent.length, set,
                         figure, chosen);
    }

    /** Return the sum of a figure of all rows that are chosen. */
    total(set, figure, chosen) {
        const own = this.own(set, figure, chosen);
        return own && own.reduce((sum, each) => sum + each, 0);
    }

    /** Return the values of a filter, and what each is called. */
    filterValues(name) {
        const values = this.groups[name];
        const texts = name === "domain" ? values.map(String)
            : values.map((number) => this.names[number]);
        return [...new Set(texts)].sort((one, other) =>
            one.localeCompare(other, "en", {numeric: true}));
    }
}

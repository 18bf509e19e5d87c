// The treemap: modules, their files, the lines of these, as large as what they
// hold; all of that in boxes of accounts, if it is grouped by these.
//
// A box is called by what it is and a number: m of a module, p of a file, f of
// a frame, o of what is not told; what lies in the box of an account has the
// frame of that behind it, as in f12.57.

import {Writer, make, oncePerFrame, sharpContext} from "./dom.js";
import {OTHER} from "./profile.js";

const FONT = "12px system-ui, sans-serif";
const HEAD = 18;                // pixels for a name above what is in a box
const EDGE = 2;
const SMALL = 3;

/** Divide a box among values, the biggest first, so that parts are as square
    as they can be; the method of Bruls, Huizing and van Wijk (2000).
    Returns [x, y, width, height, ...]. */
export function squarified(values, x, y, width, height) {
    const found = new Float64Array(4 * values.length);
    let left = values.reduce((sum, value) => sum + value, 0);
    let first = 0;
    while (first < values.length && left > 0) {
        // A row along the shorter side, as long as that makes it better.
        const side = Math.min(width, height);
        const unit = width * height / left;
        let end = first;
        let sum = 0;
        let best = Infinity;
        while (end < values.length) {
            const more = sum + values[end];
            const thick = more * unit / side;
            const worst = Math.max(
                thick * thick / (values[end] * unit || 1e-9),
                values[first] * unit / (thick * thick || 1e-9));
            if (worst > best) {
                break;
            }
            best = worst;
            sum = more;
            end++;
        }
        const thick = side > 0 ? sum * unit / side : 0;
        let at = 0;
        for (let each = first; each < end; each++) {
            const long = sum > 0 ? values[each] / sum * side : 0;
            const lying = width >= height;
            found[4 * each] = lying ? x : x + at;
            found[4 * each + 1] = lying ? y + at : y;
            found[4 * each + 2] = lying ? thick : long;
            found[4 * each + 3] = lying ? long : thick;
            at += long;
        }
        if (width >= height) {
            x += thick;
            width -= thick;
        } else {
            y += thick;
            height -= thick;
        }
        left -= sum;
        first = end;
    }
    return found;
}

export class Treemap {
    /** told: {select(box), zoom(name), hover(box or null, event)} */
    constructor(profile, told) {
        this.profile = profile;
        this.told = told;
        this.canvas = make("canvas");
        this.element = make("div", {
            className: "treemap", tabIndex: 0, role: "application",
            "aria-roledescription": "treemap",
            "aria-label": "Treemap of modules, files and lines. Arrow keys go "
                + "to neighbours, into a box and out of it, Enter zooms, "
                + "Escape shows all. The table has the same numbers."},
            this.canvas);
        this.#writer = new Writer();
        this.draw = oncePerFrame(() => this.paint());
        new ResizeObserver(() => {
            this.#laid = false;
            this.draw();
        }).observe(this.element);
        this.#listen();
    }

    #writer;
    #laid = false;

    show(choice, look) {
        this.choice = choice;
        this.look = look;
        this.root = this.#grow(choice);
        this.top = this.find(choice.state.at) ?? this.root;
        this.selected = this.find(choice.state.selected) ?? this.top;
        this.#laid = false;
        this.draw();
    }

    /** Make the boxes: {name, text, frame, width, value, after, inside,
        above}. */
    #grow(choice) {
        const {profile} = this;
        const {spots} = profile;
        const count = profile.frames.line.length + 1;
        const apart = choice.group === "account";
        // By frame, and by account if these are told apart.
        const places = Int32Array.from(spots.frame, (frame, row) =>
            (frame === OTHER ? count - 1 : frame) + (apart ? count
                * (profile.accountFrame[spots.group[row]]
                    - profile.firstAccount) : 0));
        const sums = (set) => profile.sums(spots, places, apart
            ? count * (count - 1 - profile.firstAccount) : count, set,
            choice.column, choice.chosen);
        const [after, before] = [sums(choice.newer), sums(choice.older)];
        const lines = profile.keys("line");
        const matches = choice.query && choice.matchingKeys(lines);
        const root = this.#box("", "total", OTHER, null);
        const known = new Map();
        const inside = (name, text, frame, above) => {
            if (!known.has(name)) {
                known.set(name, this.#box(name, text, frame, above));
                above.inside.push(known.get(name));
            }
            return known.get(name);
        };
        for (let place = 0; place < after.length; place++) {
            const frame = place % count;
            const value = after[place] - before[place];
            const width = choice.older < 0 ? after[place]
                : choice.byChange ? Math.abs(value)
                    : Math.max(after[place], before[place]);
            if (!width || (matches && !matches[lines.of[frame]])) {
                continue;
            }
            let [box, behind] = [root, ""];
            if (apart) {
                const account = profile.firstAccount
                    + Math.floor(place / count);
                box = inside(`f${account}`, profile.fileName(account),
                             account, root);
                behind = `.${account}`;
            }
            if (frame === count - 1) {
                box = inside(`o${behind}`, "(other)", OTHER, box);
            } else {
                const file = profile.frames.file[frame];
                const module = profile.files.module[file];
                const name = profile.names[profile.files.name[file]];
                box = inside(`m${module}${behind}`, profile.names[module],
                             frame, box);
                box = inside(`p${file}${behind}`, name.split("/").pop(),
                             frame, box);
                box = inside(`f${frame}${behind}`, profile.functionName(frame)
                    ? `${profile.frames.line[frame]} ${
                        profile.functionName(frame)}`
                    : `${profile.frames.line[frame]}`, frame, box);
            }
            for (let each = box; each; each = each.above) {
                each.width += width;
                each.value += value;
                each.after += after[place];
            }
        }
        this.known = known;
        const sort = (box) => {
            box.inside.sort((one, other) => other.width - one.width);
            box.inside.forEach(sort);
        };
        sort(root);
        return root;
    }

    #box(name, text, frame, above) {
        return {name, text, frame, above, width: 0, value: 0, after: 0,
                inside: [],
                x: 0, y: 0, wide: 0, high: 0, depth: above ? above.depth + 1
                    : 0};
    }

    find(name) {
        return this.known.get(name);
    }

    lay(wide, high) {
        const place = (box, x, y, width, height) => {
            [box.x, box.y, box.wide, box.high] = [x, y, width, height];
            if (box !== this.top) {
                const head = height > 2.2 * HEAD && width > 40 ? HEAD : EDGE;
                [x, y, width, height] = [
                    x + EDGE, y + head, width - 2 * EDGE,
                    height - head - EDGE];
            }
            if (width < SMALL || height < SMALL) {
                box.shown = 0;
                return;
            }
            const {inside} = box;
            const at = squarified(inside.map((each) => each.width),
                                  x, y, width, height);
            box.shown = inside.length;
            for (let each = 0; each < inside.length; each++) {
                place(inside[each], at[4 * each], at[4 * each + 1],
                      at[4 * each + 2], at[4 * each + 3]);
            }
        };
        place(this.top, 0, 0, wide, high);
        this.#laid = true;
    }

    paint() {
        const wide = this.element.clientWidth;
        const high = this.element.clientHeight;
        if (!this.root || !wide || !high) {
            return;
        }
        if (!this.#laid) {
            this.lay(wide, high);
        }
        const context = sharpContext(this.canvas, wide, high);
        context.clearRect(0, 0, wide, high);
        context.textBaseline = "middle";
        this.#writer.begin(context, FONT);
        const waiting = [this.top];
        while (waiting.length) {
            const box = waiting.pop();
            if (box.wide < 0.7 || box.high < 0.7) {
                continue;
            }
            this.#paintBox(context, box);
            if (box.shown) {
                waiting.push(...box.inside);
            }
        }
        if (this.selected !== this.top) {
            const box = this.selected;
            context.strokeStyle = this.look.colors.selected;
            context.lineWidth = 2;
            context.strokeRect(box.x + 1, box.y + 1, Math.max(box.wide - 3, 1),
                               Math.max(box.high - 3, 1));
        }
    }

    #paintBox(context, box) {
        const {look} = this;
        if (box === this.top) {
            return;
        }
        const leaf = !box.inside.length;
        context.fillStyle = look.boxColor(box);
        context.globalAlpha = leaf ? 1 : 0.45;
        const gap = box.wide > 4 && box.high > 4 ? 1 : 0;
        context.fillRect(box.x, box.y, box.wide - gap, box.high - gap);
        context.globalAlpha = 1;
        if (box.high < 14) {
            return;
        }
        if (!leaf && !(box.high > 2.2 * HEAD && box.wide > 40)) {
            return;
        }
        const text = this.#writer.fitting(box.text, box.wide - 10);
        if (!text) {
            return;
        }
        context.fillStyle = look.colors.ink;
        context.fillText(text, box.x + 5, box.y + HEAD / 2 + 1);
        const value = look.boxValue(box);
        if (leaf && box.high > 34
                && this.#writer.width(value) < box.wide - 10) {
            context.fillStyle = look.colors.faint;
            context.fillText(value, box.x + 5, box.y + HEAD * 1.5 + 1);
        } else if (!leaf && this.#writer.width(box.text)
                + this.#writer.width(value) + 20 < box.wide) {
            context.fillStyle = look.colors.faint;
            context.fillText(value, box.x + 13 + this.#writer.width(text),
                             box.y + HEAD / 2 + 1);
        }
    }

    boxAt(event) {
        const frame = this.element.getBoundingClientRect();
        const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
        let box = this.top;
        for (;;) {
            const inner = box.shown && box.inside.find((each) =>
                x >= each.x && x < each.x + each.wide
                && y >= each.y && y < each.y + each.high);
            if (!inner) {
                return box;
            }
            box = inner;
        }
    }

    #listen() {
        const {element} = this;
        element.addEventListener("pointermove", (event) =>
            this.told.hover(this.boxAt(event), event));
        element.addEventListener("pointerleave", () =>
            this.told.hover(null));
        element.addEventListener("click", (event) =>
            this.told.select(this.boxAt(event)));
        element.addEventListener("dblclick", (event) => {
            let box = this.boxAt(event);
            if (!box.inside.length && box.above) {
                box = box.above;
            }
            this.told.zoom(box);
        });
        element.addEventListener("keydown", (event) => this.#onKey(event));
    }

    #onKey(event) {
        const box = this.selected;
        const beside = (by) => {
            const all = box.above?.inside ?? [box];
            return all[all.indexOf(box) + by] ?? box;
        };
        const actions = {
            ArrowRight: () => this.told.select(beside(1)),
            ArrowLeft: () => this.told.select(beside(-1)),
            ArrowDown: () => this.told.select(box.inside[0] ?? box),
            ArrowUp: () => this.told.select(box.above ?? box),
            Enter: () => this.told.zoom(box.inside.length ? box
                : box.above ?? box),
            Escape: () => this.told.zoom(this.root),
        };
        if (Object.hasOwn(actions, event.key) && !event.altKey
                && !event.ctrlKey && !event.metaKey) {
            event.preventDefault();
            actions[event.key]();
        }
    }
}

// The flame graph, as an icicle: callers above what they call, as wide as what
// they hold.  Drawn on a canvas as large as what is seen of it; whatever is
// narrower than a pixel is drawn with its neighbours.

import {Writer, make, oncePerFrame, sharpContext} from "./dom.js";

const FONT = "12px system-ui, sans-serif";
const SMALL = 1;                // pixels: less is drawn with its neighbours
const DURATION = 180;           // milliseconds of a zoom
const DRAG = 5;                 // pixels until a click is none

export class Flame {
    /** told: {select(node), hover(node or -1, event), move(from, to)} */
    constructor(told) {
        this.told = told;
        this.canvas = make("canvas");
        this.space = make("div", {className: "flame-space"}, this.canvas);
        this.element = make("div", {
            className: "flame", tabIndex: 0, role: "application",
            "aria-roledescription": "flame graph",
            "aria-label": "Flame graph. Arrow keys go to callers, callees "
                + "and neighbours, Enter zooms, Escape shows all. The table "
                + "has the same numbers."},
            this.space);
        this.rowHeight = matchMedia("(pointer: coarse)").matches ? 26 : 20;
        this.selected = 0;
        this.hovered = -1;
        this.from = 0;
        this.to = 1;
        this.draw = oncePerFrame(() => this.paint());
        this.#writer = new Writer();
        this.#listen();
        new ResizeObserver(this.draw).observe(this.element);
        this.element.addEventListener("scroll", this.draw, {passive: true});
    }

    #writer;
    #moving = 0;
    #pointers = new Map();

    /** Show a View; `look` has colors, color(node), mark(node), matches. */
    show(view, look) {
        this.view = view;
        this.look = look;
        this.hovered = -1;
        this.#moving++;
        this.from = 0;
        this.to = view.width[0] || 1;
        this.#fitHeight();
        this.draw();
    }

    /** Show what is between two places, at once or on the way there. */
    move(from, to, atOnce = false) {
        const total = this.view.width[0] || 1;
        const least = total / 1e9;
        const span = Math.max(least, Math.min(total, to - from));
        from = Math.max(0, Math.min(total - span, from));
        to = from + span;
        const moving = ++this.#moving;
        if (atOnce || matchMedia("(prefers-reduced-motion)").matches) {
            this.from = from;
            this.to = to;
            this.draw();
            return;
        }
        const [oldFrom, oldTo] = [this.from, this.to];
        let begin;
        const step = (now) => {
            if (moving !== this.#moving) {
                return;
            }
            begin ??= now;
            const part = Math.min(1, (now - begin) / DURATION);
            const eased = 1 - (1 - part) ** 3;
            this.from = oldFrom + (from - oldFrom) * eased;
            this.to = oldTo + (to - oldTo) * eased;
            this.paint();
            if (part < 1) {
                requestAnimationFrame(step);
            }
        };
        requestAnimationFrame(step);
    }

    /** Be as high as what there is between two places. */
    #fitHeight(from = this.from, to = this.to) {
        const {view} = this;
        let levels = view.levels.length;
        const isThere = (level) => {
            const node = level[this.#firstBehind(level, from)];
            return node !== undefined && view.x[node] < to;
        };
        while (levels > 1 && !isThere(view.levels[levels - 1])) {
            levels--;
        }
        this.space.style.height = `${levels * this.rowHeight + 1}px`;
    }

    zoomTo(node, atOnce = false) {
        const {x, width} = this.view;
        this.#fitHeight(x[node], x[node] + width[node]);
        this.move(x[node], x[node] + width[node], atOnce);
    }

    select(node) {
        this.selected = node;
        const top = this.view.depth[node] * this.rowHeight;
        const {scrollTop, clientHeight} = this.element;
        if (top < scrollTop) {
            this.element.scrollTop = Math.max(0, top - this.rowHeight);
        } else if (top + 2 * this.rowHeight > scrollTop + clientHeight) {
            this.element.scrollTop = top + 3 * this.rowHeight - clientHeight;
        }
        this.draw();
    }

    // Drawing

    paint() {
        const {view} = this;
        const wide = this.element.clientWidth;
        const high = this.element.clientHeight;
        if (!view || !wide || !high) {
            return;
        }
        const context = sharpContext(this.canvas, wide, high);
        context.clearRect(0, 0, wide, high);
        context.textBaseline = "middle";
        this.#writer.begin(context, FONT);
        const first = Math.floor(this.element.scrollTop / this.rowHeight);
        const last = Math.min(view.levels.length - 1, Math.floor(
            (this.element.scrollTop + high) / this.rowHeight));
        for (let level = first; level <= last; level++) {
            this.#paintLevel(context, view.levels[level],
                             level * this.rowHeight - this.element.scrollTop,
                             wide);
        }
        this.#outline(context, this.hovered, 1, wide);
        this.#outline(context, this.selected, 2, wide);
    }

    /** Return the place in a level of the first node that ends behind x. */
    #firstBehind(level, x) {
        const {view} = this;
        let [low, high] = [0, level.length];
        while (low < high) {
            const middle = (low + high) >> 1;
            if (view.x[level[middle]] + view.width[level[middle]] <= x) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    #paintLevel(context, level, top, wide) {
        const {view, look, from, to} = this;
        const scale = wide / (to - from);
        const high = this.rowHeight - 1;
        let crowd = -1;
        let crowdEnd = -1;
        // On whole pixels: drawing is several times as fast then.
        top = Math.round(top);
        const endCrowd = () => {
            if (crowd >= 0) {
                const left = Math.round(crowd);
                context.fillStyle = look.colors.other;
                context.fillRect(left, top, Math.max(
                    Math.round(crowdEnd) - left, 1), high);
                crowd = -1;
            }
        };
        for (let at = this.#firstBehind(level, from); at < level.length;
                at++) {
            const node = level[at];
            if (view.x[node] >= to) {
                break;
            }
            const left = (view.x[node] - from) * scale;
            const width = view.width[node] * scale;
            if (width < SMALL) {
                if (crowd >= 0 && left - crowdEnd > 1) {
                    endCrowd();
                }
                if (crowd < 0) {
                    crowd = left;
                }
                crowdEnd = left + width;
                continue;
            }
            endCrowd();
            this.#paintNode(context, node, Math.max(Math.round(left), 0),
                            Math.min(Math.round(left + width), wide), top,
                            high);
        }
        endCrowd();
    }

    #paintNode(context, node, left, right, top, high) {
        const {view, look} = this;
        const key = view.key[node];
        const found = look.matches && key >= 0 && look.matches[key];
        const dim = (look.matches && !found)
            || view.width[node] > (this.to - this.from) * 1.0001;
        const gap = right - left > 3 ? 1 : 0;
        context.fillStyle = found ? look.colors.found : look.color(node);
        if (dim) {
            context.globalAlpha = 0.5;
        }
        context.fillRect(left, top, right - left - gap, high);
        if (dim) {
            context.globalAlpha = 1;
        }
        const mark = look.mark ? look.mark(node) : "";
        if (mark && right - left > 8) {
            context.fillStyle = look.colors.ink;
            context.fillRect(left, mark === "new" ? top : top + high - 2,
                             right - left - gap, 2);
        }
        const room = right - left - gap - 10;
        const name = mark ? `${mark === "new" ? "+" : "\u2212"} `
            + view.label(node) : view.label(node);
        const text = this.#writer.fitting(name, room);
        if (!text) {
            return;
        }
        const middle = top + high / 2 + 0.5;
        context.fillStyle = look.colors.ink;
        context.fillText(text, left + 5, middle);
        const used = this.#writer.width(text) + 14;
        const value = look.value(node);
        if (text === name && room - used > this.#writer.width(value)) {
            context.fillStyle = look.colors.faint;
            context.fillText(value, left + 5 + used, middle);
        }
    }

    #outline(context, node, thick, wide) {
        if (node < 0 || node >= this.view.count || (thick === 2 && !node)) {
            return;
        }
        const {view, from, to} = this;
        const scale = wide / (to - from);
        const left = Math.max((view.x[node] - from) * scale, 0);
        const right = Math.min(
            (view.x[node] + view.width[node] - from) * scale, wide);
        if (right < 0 || left > wide) {
            return;
        }
        const top = view.depth[node] * this.rowHeight
            - this.element.scrollTop;
        context.strokeStyle = this.look.colors.selected;
        context.lineWidth = thick;
        context.strokeRect(left + thick / 2, top + thick / 2,
                           Math.max(right - left - 1 - thick, 1),
                           this.rowHeight - 1 - thick);
    }

    // Where the pointer is

    #xOf(event) {
        const box = this.element.getBoundingClientRect();
        return this.from + (event.clientX - box.left)
            / this.element.clientWidth * (this.to - this.from);
    }

    nodeAt(event) {
        const box = this.element.getBoundingClientRect();
        const y = event.clientY - box.top + this.element.scrollTop;
        const level = this.view?.levels[Math.floor(y / this.rowHeight)];
        if (!level) {
            return -1;
        }
        const x = this.#xOf(event);
        const node = level[this.#firstBehind(level, x)];
        return node !== undefined && this.view.x[node] <= x ? node : -1;
    }

    #listen() {
        const {element} = this;
        element.addEventListener("pointerdown", (event) => {
            this.#pointers.set(event.pointerId, event);
            this.#grip = {x: event.clientX, from: this.from, to: this.to,
                          moved: false, spread: this.#spread()};
        });
        element.addEventListener("pointermove", (event) =>
            this.#onMove(event));
        for (const name of ["pointerup", "pointercancel"]) {
            element.addEventListener(name, (event) => {
                this.#pointers.delete(event.pointerId);
                if (this.#grip?.moved && !this.#pointers.size) {
                    this.told.move(this.from, this.to);
                }
            });
        }
        element.addEventListener("pointerleave", () => this.#hover(-1));
        element.addEventListener("click", (event) => {
            if (!this.#grip?.moved) {
                const node = this.nodeAt(event);
                if (node >= 0) {
                    this.told.select(node);
                }
            }
        });
        element.addEventListener("wheel", (event) => this.#onWheel(event),
                                 {passive: false});
        element.addEventListener("keydown", (event) => this.#onKey(event));
    }

    #grip;

    #spread() {
        const [one, other] = [...this.#pointers.values()];
        return other ? Math.abs(one.clientX - other.clientX) : 0;
    }

    #onMove(event) {
        const grip = this.#grip;
        if (!this.#pointers.has(event.pointerId) || !grip) {
            const node = this.nodeAt(event);
            this.#hover(node, event);
            return;
        }
        this.#pointers.set(event.pointerId, event);
        const spread = this.#spread();
        if (spread && grip.spread) {
            grip.moved = true;
            const middle = (grip.from + grip.to) / 2;
            const half = (grip.to - grip.from) / 2 * grip.spread / spread;
            this.move(middle - half, middle + half, true);
            return;
        }
        const by = event.clientX - grip.x;
        if (!grip.moved && Math.abs(by) > DRAG) {
            grip.moved = true;
            this.element.setPointerCapture(event.pointerId);
            this.#hover(-1);
        }
        if (grip.moved) {
            const shift = by / this.element.clientWidth
                * (grip.to - grip.from);
            this.move(grip.from - shift, grip.to - shift, true);
        }
    }

    #hover(node, event) {
        if (node !== this.hovered) {
            this.hovered = node;
            this.draw();
        }
        this.told.hover(node, event);
    }

    #onWheel(event) {
        const span = this.to - this.from;
        if (event.ctrlKey || event.metaKey) {
            event.preventDefault();
            const middle = this.#xOf(event);
            const factor = Math.exp(Math.max(-40, Math.min(40, event.deltaY))
                                    * 0.01);
            this.move(middle - (middle - this.from) * factor,
                      middle + (this.to - middle) * factor, true);
        } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
            event.preventDefault();
            const shift = event.deltaX / this.element.clientWidth * span;
            this.move(this.from + shift, this.to + shift, true);
        } else {
            return;
        }
        this.#settled();
    }

    #timer;

    /** Tell where the picture is when it has not been moved for a while. */
    #settled() {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(
            () => this.told.move(this.from, this.to), 300);
    }

    #neighbour(node, by) {
        const level = this.view.levels[this.view.depth[node]];
        return level[level.indexOf(node) + by] ?? node;
    }

    #onKey(event) {
        if (event.altKey || event.ctrlKey || event.metaKey) {
            return;
        }
        const {view, selected} = this;
        const middle = (this.from + this.to) / 2;
        const half = (this.to - this.from) / 2;
        const actions = {
            ArrowDown: () => this.told.step(
                view.children(selected)[0] ?? selected),
            ArrowUp: () => this.told.step(
                Math.max(view.parent[selected], 0)),
            ArrowRight: () => this.told.step(this.#neighbour(selected, 1)),
            ArrowLeft: () => this.told.step(this.#neighbour(selected, -1)),
            Home: () => this.told.step(0),
            Enter: () => this.told.select(selected),
            Escape: () => this.told.select(0),
            "0": () => this.told.select(0),
            "+": () => this.move(middle - half / 2, middle + half / 2),
            "=": () => this.move(middle - half / 2, middle + half / 2),
            "-": () => this.move(middle - half * 2, middle + half * 2),
        };
        if (Object.hasOwn(actions, event.key)) {
            event.preventDefault();
            actions[event.key]();
            if ("+=-".includes(event.key)) {
                this.#settled();
            }
        }
    }
}

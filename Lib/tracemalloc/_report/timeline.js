// The timeline of several snapshots, or of a record: what was traced, the peak,
// and what the system says of the process; of snapshots, two handles choose what
// is compared.

import {fill, make} from "./dom.js";
import {sizeText, timeText} from "./format.js";

const LINES = [
    ["rss", "resident (of the process)"], ["peak", "peak of traced memory"],
    ["traced", "traced memory"],
];
const [HIGH, LEFT, RIGHT, ABOVE, BELOW] = [260, 72, 16, 12, 28];

function svg(tag, attributes, ...children) {
    const element = document.createElementNS(
        "http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) {
        element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
}

/** Return where lines of a scale go: some round numbers of bytes. */
export function ticks(most, count = 4) {
    const isEnough = (step) => most / step <= count;
    let unit = 1;
    // Metadata of a file tell whatever they like.
    while (!isEnough(500 * unit)) {
        unit *= 1024;
    }
    const step = unit * [1, 2, 5, 10, 20, 50, 100, 200, 500].find(
        (factor) => isEnough(factor * unit));
    const found = [];
    for (let at = 0; at <= most; at += step) {
        found.push(at);
    }
    return found;
}

export class Timeline {
    /** told: {change(choices)} */
    constructor(profile, told) {
        this.profile = profile;
        this.told = told;
        this.chart = make("div", {className: "chart"});
        this.handles = make("div", {className: "handles"});
        this.legend = make("ul", {className: "legend"});
        this.element = make("div", {className: "timeline"}, this.chart,
                            this.handles, this.legend);
        this.points = this.#points();
        this.moments = this.#moments();
        new ResizeObserver(() => this.choice && this.draw())
            .observe(this.chart);
        if (this.points.length > 1) {
            this.#makeHandles();
        }
    }

    /** Return what is known at each moment; processes of one are added. */
    #points() {
        const found = Array.from({length: this.profile.sets}, () => ({}));
        for (const snapshot of this.profile.snapshots) {
            const point = found[snapshot.set];
            point.name ??= snapshot.name;
            point.time ??= snapshot.time;
            for (const name of ["rss", "peak", "traced"]) {
                if (snapshot[name] !== null) {
                    point[name] = (point[name] ?? 0) + snapshot[name];
                }
            }
        }
        const timed = found.every((point, at) => typeof point.time === "number"
            && (!at || point.time >= found[at - 1].time))
            && found.at(-1).time > found[0].time;
        found.forEach((point, at) => {
            point.at = timed ? point.time - found[0].time : at;
        });
        this.timed = timed;
        return found;
    }

    /** Return what lines are drawn through: snapshots, and what the record
        remembers of the time between and before. */
    #moments() {
        const {points} = this;
        const {history} = this.profile;
        if (!history) {
            return points;
        }
        const own = history.time.map((time, at) => ({
            time, traced: history.traced[at], peak: history.peak[at],
            rss: history.rss[at] ?? undefined}));
        // The newest snapshot is the record's newest moment, or later.
        const found = [...own, ...points.slice(0, -1)]
            .sort((one, other) => one.time - other.time);
        const begin = found[0]?.time ?? 0;
        for (const point of [...found, ...points]) {
            point.at = point.time - begin;
        }
        this.timed = true;
        return found.length ? found : points;
    }

    #makeHandles() {
        const handle = (name, text) => {
            const input = make("input", {
                type: "range", min: 0, max: this.points.length - 1, step: 1,
                "aria-label": text,
                oninput: () => this.told.change({[name]: input.value})});
            return input;
        };
        this.older = handle("older", "compare from");
        this.newer = handle("newer", "compare to");
        this.olderText = make("output");
        this.newerText = make("output");
        fill(this.handles,
             make("label", {}, make("span", {}, "from"), this.older,
                  this.olderText),
             make("label", {}, make("span", {}, "to"), this.newer,
                  this.newerText));
    }

    show(choice) {
        this.choice = choice;
        if (this.points.length > 1) {
            this.#showHandles(choice);
        }
        this.draw();
    }

    #showHandles(choice) {
        const text = (set) => {
            const point = this.points[set];
            return point.time ? `${timeText(point.time)}  ${point.name}`
                : point.name;
        };
        this.older.value = Math.max(choice.older, 0);
        this.newer.value = choice.newer;
        this.older.setAttribute("aria-valuetext", choice.older < 0
            ? "nothing" : text(choice.older));
        this.newer.setAttribute("aria-valuetext", text(choice.newer));
        this.olderText.textContent = choice.older < 0
            ? "nothing: no comparison" : text(choice.older);
        this.newerText.textContent = text(choice.newer);
    }

    draw() {
        const wide = this.chart.clientWidth;
        if (!wide) {
            return;
        }
        const {points, moments} = this;
        const known = LINES.filter(([name]) =>
            moments.some((point) => point[name] !== undefined));
        const most = Math.max(1, ...moments.flatMap((point) =>
            known.map(([name]) => point[name] ?? 0)));
        const end = Math.max(points.at(-1).at, moments.at(-1).at) || 1;
        const x = (at) => LEFT + at / end * (wide - LEFT - RIGHT);
        const y = (size) => HIGH - BELOW
            - size / most * (HIGH - ABOVE - BELOW);
        const picture = svg("svg", {
            viewBox: `0 0 ${wide} ${HIGH}`, width: wide, height: HIGH,
            role: "img", "aria-label": points.length > 1
                ? "Memory over time; the handles below choose what is compared"
                : "Memory over time"});
        for (const size of ticks(most)) {
            picture.append(
                svg("line", {class: "grid", x1: LEFT, x2: wide - RIGHT,
                             y1: y(size), y2: y(size)}),
                svg("text", {class: "tick", x: LEFT - 8, y: y(size) + 4,
                             "text-anchor": "end"}, sizeText(size)));
        }
        const {older, newer} = this.choice;
        if (older >= 0) {
            const [left, right] = [x(points[older].at), x(points[newer].at)]
                .sort((one, other) => one - other);
            picture.append(svg("rect", {
                class: "span", x: left, y: ABOVE,
                width: Math.max(right - left, 1),
                height: HIGH - ABOVE - BELOW}));
        }
        for (const [name] of known) {
            this.#line(picture, name, x, y);
        }
        for (const [set, kind] of [[older, "from"], [newer, "to"]]) {
            if (set >= 0 && points.length > 1) {
                const at = x(points[set].at);
                picture.append(svg("line", {
                    class: `handle ${kind}`, x1: at, x2: at, y1: ABOVE,
                    y2: HIGH - BELOW}));
            }
        }
        this.#times(picture, x);
        fill(this.chart, picture);
        fill(this.legend, ...known.map(([name, text]) =>
            make("li", {className: name}, text)));
    }

    #line(picture, name, x, y) {
        const told = (point) => point[name] !== undefined;
        picture.append(svg("polyline", {
            class: `line ${name}`, points: this.moments.filter(told).map(
                (point) => `${x(point.at)},${y(point[name])}`).join(" ")}));
        const known = this.points.filter(told);
        if (known.length > 1 && known.length < 200) {
            for (const point of known) {
                const set = this.points.indexOf(point);
                const dot = svg("circle", {
                    class: `dot ${name}`, cx: x(point.at), cy: y(point[name]),
                    r: 3.5}, svg("title", {},
                    `${point.name}: ${sizeText(point[name])}`));
                dot.addEventListener("click", () => this.told.change(
                    set < this.choice.older ? {older: set} : {newer: set}));
                picture.append(dot);
            }
        }
    }

    #times(picture, x) {
        const {moments} = this;
        const ends = moments.length > 1 ? [0, moments.length - 1] : [0];
        for (const at of ends) {
            const point = moments[at];
            picture.append(svg("text", {
                class: "tick", x: x(point.at), y: HIGH - 8,
                "text-anchor": at ? "end" : "start"},
                this.timed ? timeText(point.time) : point.name));
        }
    }
}

// The list of snapshots at the side of the page: which there are, and which of
// them are shown.

import {fill, make} from "./dom.js";
import {durationText, plural, sizeText, timeText} from "./format.js";

const MANY = 12;                // more can be searched by name
const STATES = {running: "running", stopped: "tracing stopped",
                exited: "ended", gone: "killed or crashed"};

/** When a snapshot was taken; of what does not tell, when the file was
    written, which copying changes. */
function momentText(entry) {
    if (entry.taken) {
        return `taken ${timeText(entry.taken)}`;
    }
    return entry.changed === null ? null
        : `changed ${timeText(entry.changed)}`;
}

/** One line of the list; it stays the same element while it changes. */
class Row {
    constructor(number, told) {
        this.number = number;
        this.box = make("input", {
            type: "checkbox", onchange: () => told.check(number,
                                                         this.box.checked),
            onkeydown: (event) => {
                if (event.key === "Enter") {
                    event.preventDefault();
                    told.only(number);
                }
            }});
        this.name = make("button", {
            type: "button", className: "link name", tabIndex: -1,
            onclick: () => told.only(number)});
        this.state = make("span", {className: "state"});
        this.facts = make("p", {className: "facts"});
        this.fault = make("p", {className: "fault"});
        this.element = make("li", {}, this.box, make("div", {},
            make("div", {className: "snapshot-head"}, this.name, this.state),
            this.facts, this.fault));
    }

    show(entry, now, chosen) {
        const isRecord = Object.hasOwn(STATES, entry.state ?? "");
        const moment = momentText(entry);
        const facts = [
            entry.traced === null || entry.traced === undefined ? null
                : sizeText(entry.traced),
            entry.peak ? `peak ${sizeText(entry.peak)}` : null,
            isRecord ? `${entry.program || "?"}, process ${entry.pid}` : null,
            isRecord ? `written ${
                durationText(Math.max(0, now - entry.taken))} ago`
                : moment,
            entry.size === null ? null : `file ${sizeText(entry.size)}`,
        ].filter(Boolean);
        this.box.checked = chosen;
        this.box.disabled = Boolean(entry.fault) && !chosen;
        this.box.setAttribute("aria-label",
                              [entry.name, ...facts].join(", "));
        this.name.textContent = entry.name;
        this.name.disabled = Boolean(entry.fault);
        this.element.title = entry.path;
        this.state.textContent = isRecord ? STATES[entry.state] : "";
        this.element.className = [
            "snapshot", chosen ? "chosen" : "", entry.state ?? "",
            entry.fault ? "faulty" : ""].filter(Boolean).join(" ");
        if (this.facts.textContent !== facts.join("")) {
            fill(this.facts, ...facts.map((fact) => make(
                "span", {className: fact === moment ? "moment" : ""}, fact)));
        }
        this.fault.textContent = entry.fault ?? "";
        this.fault.hidden = !entry.fault;
    }
}

export class Snapshots {
    /** told: {choose(numbers), together(on), pause(on)} */
    constructor(told) {
        this.told = told;
        this.rows = new Map();
        this.chosen = [];
        this.entries = [];
        this.#build();
    }

    #told = {
        check: (number, on) => this.told.choose(on
            ? [...this.chosen, number]
            : this.chosen.filter((each) => each !== number)),
        only: (number) => this.told.choose([number]),
    };

    #build() {
        this.count = make("span", {className: "count"});
        this.items = make("ul", {onkeydown: (event) => this.#onKey(event)});
        this.find = make("input", {
            type: "search", placeholder: "Find a snapshot",
            "aria-label": "Find a snapshot", spellcheck: false,
            autocomplete: "off", oninput: () => this.#draw()});
        const toggle = (text, title, change) => {
            const button = make("button", {
                type: "button", className: "toggle", title, hidden: true,
                "aria-pressed": "false", onclick: () => change(
                    button.getAttribute("aria-pressed") !== "true")}, text);
            return button;
        };
        this.together = toggle("Add up", "they are of processes that work "
            + "together, and not of moments to compare",
            (on) => this.told.together(on));
        this.pause = toggle("Pause", "leave what is shown as it is while the "
            + "program runs on", (on) => this.told.pause(on));
        this.notes = make("div", {className: "notes"});
        this.details = make("details", {open: true},
            make("summary", {}, "Snapshots ", this.count),
            make("div", {className: "snapshot-tools"}, this.find,
                 this.together, this.pause),
            this.items, this.notes);
        this.element = make("aside", {
            className: "snapshots", "aria-label": "Snapshots"}, this.details);
        if (matchMedia("(max-width: 900px)").matches) {
            this.details.open = false;
        }
    }

    /** list: what the viewer says there is. */
    show(list, {chosen, together, paused}) {
        this.list = list;
        this.entries = list.entries;
        this.chosen = chosen;
        this.find.hidden = list.entries.length <= MANY && !this.find.value;
        this.together.hidden = chosen.length < 2;
        this.together.setAttribute("aria-pressed", String(together));
        this.pause.hidden = !this.#isLive();
        this.pause.setAttribute("aria-pressed", String(paused));
        this.#draw();
    }

    #isLive() {
        return this.entries.some((entry) => entry.state === "running"
            && this.chosen.includes(entry.number));
    }

    #draw() {
        const {list, chosen} = this;
        const wanted = this.find.value.trim().toLowerCase();
        const shown = this.entries.filter((entry) =>
            entry.name.toLowerCase().includes(wanted)
            || chosen.includes(entry.number));
        const elements = shown.map((entry) => {
            if (!this.rows.has(entry.number)) {
                this.rows.set(entry.number, new Row(entry.number,
                                                    this.#told));
            }
            const row = this.rows.get(entry.number);
            row.show(entry, list.now, chosen.includes(entry.number));
            return row.element;
        });
        const {children} = this.items;
        // What is in its place is not touched: it may have the focus.
        if (elements.length !== children.length
                || elements.some((each, at) => each !== children[at])) {
            const focused = document.activeElement;
            fill(this.items, ...elements);
            if (this.items.contains(focused)) {
                focused.focus({preventScroll: true});
            }
        }
        const known = new Set(this.entries.map((entry) => entry.number));
        for (const number of [...this.rows.keys()]) {
            if (!known.has(number)) {
                this.rows.delete(number);
            }
        }
        this.count.textContent = `(${chosen.length} of ${
            this.entries.length + list.more})`;
        const notes = [...list.faults];
        if (list.more) {
            notes.push(`${plural(list.more, "older file")} not listed`);
        }
        if (!this.entries.length) {
            notes.push(`There is nothing in ${list.what} yet: a program that `
                + "runs with -X tracemalloc=25,record appears here, and so "
                + "does a snapshot that is written there.");
        }
        const text = notes.join("\n");
        if (this.notes.dataset.text !== text) {
            this.notes.dataset.text = text;
            fill(this.notes, ...notes.map((note) => make("p", {}, note)));
        }
    }

    #onKey(event) {
        const by = {ArrowDown: 1, ArrowUp: -1}[event.key];
        if (!by || event.altKey || event.ctrlKey || event.metaKey) {
            return;
        }
        const boxes = [...this.items.querySelectorAll("input")].filter(
            (box) => !box.disabled);
        const at = boxes.indexOf(document.activeElement);
        event.preventDefault();
        boxes[Math.max(0, Math.min(boxes.length - 1, at + by))]?.focus();
    }

    focus() {
        this.details.open = true;
        (this.items.querySelector("input:checked")
            ?? this.items.querySelector("input:enabled"))?.focus();
    }
}

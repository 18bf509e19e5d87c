// What is served: the list of snapshots, the page of those that are chosen, and
// what is loaded when it is opened.

import {withAccounts} from "./accounts.js";
import {carried, withoutMissing} from "./carry.js";
import {fill, make} from "./dom.js";
import {plural} from "./format.js";
import {Page} from "./main.js";
import {Profile} from "./profile.js";
import {Snapshots} from "./snapshots.js";
import {State} from "./state.js";

const PAUSE = 1000;             // milliseconds between two looks
const HIDDEN_PAUSE = 5000;      // the same, when nobody sees the page
// New figures are loaded when loading took less than this part of the time.
const SHARE = 0.25;
const MOST_OPENED = 200;        // sums that are opened at once
const MOST_ADDRESS = 1500;      // letters of those that an address names

class Failed extends Error {
    constructor(message, status) {
        super(message);
        this.status = status;
    }
}

async function ask(what) {
    const answer = await fetch(what, {cache: "no-store"});
    if (!answer.ok) {
        throw new Failed((await answer.text()).trim(), answer.status);
    }
    return answer.json();
}

/** Return a profile with frames of accounts, if the other one has these. */
function alike(profile, other) {
    return other.origin ? withAccounts(profile) : profile;
}

/** Where a reader is on a page: what has the focus, what is scrolled. */
class Whereabouts {
    #path = null;

    constructor(root) {
        this.root = root;
        const active = document.activeElement;
        if (root.contains(active) && active !== root) {
            this.#path = [];
            for (let at = active; at !== root; at = at.parentElement) {
                this.#path.unshift([...at.parentElement.children].indexOf(
                    at));
            }
            this.tag = active.tagName;
            this.caret = active.selectionStart;
        }
        this.tops = [...root.querySelectorAll(".flame, .files, .listing")]
            .map((each) => each.scrollTop);
        this.choices = root.querySelector(".choices")?.open;
        this.top = document.scrollingElement.scrollTop;
    }

    restore() {
        const choices = this.root.querySelector(".choices");
        if (choices && this.choices !== undefined) {
            choices.open = this.choices;
        }
        const active = this.#path?.reduce((at, place) =>
            at?.children[place], this.root);
        if (active?.tagName === this.tag) {
            active.focus({preventScroll: true});
            if (typeof this.caret === "number") {
                active.setSelectionRange?.(this.caret, this.caret);
            }
        }
        this.root.querySelectorAll(".flame, .files, .listing").forEach(
            (each, at) => {
                each.scrollTop = this.tops[at] ?? 0;
            });
        document.scrollingElement.scrollTop = this.top;
    }
}

class Viewer {
    #list = null;               // what there is, as was said last
    #loaded = null;             // {what, versions, running, took, at, fault}
    #loading = 0;
    #carry = false;
    #paused = false;
    #opening = false;
    #isNewer = false;

    constructor() {
        this.state = new State();
        this.state.onChange(() => this.#onChoice());
        this.snapshots = new Snapshots({
            choose: (numbers) => this.#choose({
                snapshots: numbers.join(".")}),
            together: (on) => this.#choose({together: on ? "1" : ""}),
            pause: (on) => this.#pause(on)});
        this.banner = make("div", {className: "banner", role: "status",
                                   hidden: true});
        this.busy = make("p", {className: "busy", role: "status",
                               hidden: true});
        this.report = make("div", {className: "report"});
        this.rest = make("button", {type: "button", className: "load-all",
                                    onclick: () => this.#openAll()},
                         "Load them all");
        document.body.classList.add("viewer");
        document.body.append(this.snapshots.element, make(
            "div", {className: "beside"}, this.banner, this.busy,
            this.report));
        addEventListener("keydown", (event) => this.#onKey(event));
        document.addEventListener("visibilitychange", () => {
            if (!document.hidden) {
                this.#lookSoon(0);
            }
        });
        this.#look();
    }

    // What there is

    #timer;

    #lookSoon(pause) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#look(), pause);
    }

    async #look() {
        clearTimeout(this.#timer);
        try {
            this.#list = await ask("list");
            this.#nameAll();
            this.#ended = false;
            this.#draw();
            this.#refresh();
        } catch (error) {
            if (!(error instanceof Failed) || error.status === 403) {
                this.#ended = true;
                this.#tellAll();
            }
        }
        this.#lookSoon(document.hidden ? HIDDEN_PAUSE : PAUSE);
    }

    #ended = false;
    #names = new Map();         // of all that are listed or chosen, by number

    #nameAll() {
        const chosen = this.#chosen().filter((number) =>
            this.#names.has(number));
        this.#names = new Map([
            ...chosen.map((number) => [number, this.#names.get(number)]),
            ...this.#list.entries.map((entry) => [entry.number, entry.name])]);
    }

    #draw() {
        this.snapshots.show(this.#list, {
            chosen: this.#chosen(), together: this.state.together === "1",
            paused: this.#paused});
    }

    #chosen() {
        const numbers = this.state.snapshots.split(".").filter((each) =>
            /^\d+$/.test(each));
        return numbers.length ? [...new Set(numbers)]
            : this.#list?.chosen ?? [];
    }

    // What is chosen

    #choose(choices) {
        if (choices.snapshots === "") {
            return this.#draw();
        }
        this.#carry = true;
        this.state.set({...choices, opened: ""});
    }

    #onChoice() {
        if (this.#list) {
            this.#draw();
            if (this.#what() !== this.#loaded?.what) {
                this.#load();
            }
        }
    }

    #what() {
        const chosen = this.#chosen();
        return `files=${chosen.join(".")}&together=${
            this.state.together === "1" && chosen.length > 1 ? 1 : 0}`;
    }

    /** Return what changes when one of the chosen does. */
    #versions() {
        const chosen = this.#chosen();
        return this.#list.entries.filter((entry) =>
            chosen.includes(entry.number) && !entry.fault)
            .map((entry) => `${entry.number}:${entry.version}`).join(" ");
    }

    #pause(on) {
        this.#paused = on;
        this.#draw();
        this.#refresh();
    }

    /** Load what is chosen if it is new, or there is something new in it. */
    #refresh() {
        const loaded = this.#loaded;
        if (!this.#chosen().length) {
            return;
        }
        if (this.#what() !== loaded?.what) {
            this.#load();
            return;
        }
        const versions = this.#versions();
        this.#isNewer = Boolean(versions) && versions !== loaded.versions;
        if (this.#isNewer && !loaded.running && !this.#paused
                && !this.state.opened && performance.now() - loaded.at
                    > loaded.took * (1 / SHARE - 1)) {
            this.#carry = true;
            this.#load();
        }
        this.#tellAll();
    }

    async #load() {
        const what = this.#what();
        if (what === this.#loaded?.what && this.#loaded.running) {
            return;
        }
        const number = ++this.#loading;
        const before = this.#loaded;
        const began = performance.now();
        const loaded = {what, versions: this.#versions(), running: true,
                        fault: ""};
        this.#loaded = loaded;
        const slow = setTimeout(() => {
            this.busy.hidden = false;
            this.busy.textContent = "Reading "
                + `${plural(this.#chosen().length, "snapshot")} \u2026`;
        }, before?.what === what ? 5000 : 300);
        try {
            const data = await ask(`data?${what}`);
            if (number === this.#loading) {
                await this.#show(new Profile(data), data, number);
                this.#isNewer = false;
            }
        } catch (error) {
            if (number !== this.#loading) {
                return;
            }
            if (error instanceof Failed) {
                loaded.fault = error.message;
            } else if (!(error instanceof TypeError)) {
                throw error;
            }
        } finally {
            clearTimeout(slow);
            if (number === this.#loading) {
                loaded.running = false;
                loaded.at = performance.now();
                loaded.took = loaded.at - began;
                this.busy.hidden = true;
                this.#tellAll();
            }
        }
    }

    async #show(profile, data, number) {
        const {state} = this;
        const old = this.page?.profile;
        const carry = this.#carry && old;
        this.#carry = false;
        if (!carry) {
            await this.#openAgain(profile, data.key);
            if (number !== this.#loading) {
                return;
            }
        }
        const where = new Whereabouts(this.report);
        this.page?.close();
        this.page = null;
        this.#asked = new Set();
        state.set({
            // What is chosen stays so when newer files appear.
            snapshots: this.#chosen().join("."),
            ...carry ? {...carried(state, old, alike(profile, old)),
                        opened: ""} : {},
            ...withoutMissing(state, profile)}, false);
        this.rest.hidden = !profile.places.size;
        this.page = new Page(profile, {root: this.report, state, served: {
            open: (nodes) => this.#open(nodes),
            load: (file) => this.#loadSource(file),
            madeBy: "Shown by python -m tracemalloc view.",
            notes: [...data.notes, this.rest],
            keys: [["s", "the list of snapshots: \u2191 \u2193, Space to "
                + "choose, Enter for one alone"]]}});
        this.page.key = data.key;
        globalThis.tracemallocReport = this.page;
        where.restore();
    }

    // What is below a sum

    async #below(profile, key, nodes) {
        const some = nodes.filter((node) => profile.places.has(node))
            .slice(0, MOST_OPENED);
        if (some.length) {
            const places = some.map((node) => profile.places.get(node));
            profile.adopt(some, await ask(
                `below?key=${key}&at=${places.join(",")}`));
        }
        return some;
    }

    /** Open all sums, as long as that is wanted. */
    async #belowAll(profile, key, isWanted = () => true) {
        while (profile.places.size && isWanted()) {
            this.busy.textContent = "Loading call paths \u2026 "
                + `${plural(profile.parent.length, "is", "are")} here`;
            await this.#below(profile, key, [...profile.places.keys()]);
        }
    }

    /** Open the sums that the address names, in the same order, so that all
        get the numbers that they had. */
    async #openAgain(profile, key) {
        for (const group of this.state.opened.split("_").filter(Boolean)) {
            if (group === "all") {
                await this.#belowAll(profile, key);
            } else if (group[0] === "s") {
                await this.#source(profile, key, Number(group.slice(1)));
            } else {
                await this.#below(profile, key,
                                  group.split(".").map(Number));
            }
        }
    }

    /** Return what the address says if some more are opened. */
    #alsoOpened(more) {
        const opened = [this.state.opened, more].filter(Boolean).join("_");
        return opened.length < MOST_ADDRESS ? {opened} : {};
    }

    async #open(nodes) {
        const {page} = this;
        if (this.#opening || !page) {
            return;
        }
        this.#opening = true;
        this.busy.hidden = false;
        this.busy.textContent = "Loading call paths \u2026";
        try {
            const some = await this.#below(page.plain, page.key, nodes);
            if (page === this.page) {
                this.rest.hidden = !page.plain.places.size;
                this.#renew(this.#alsoOpened(some.join(".")));
            }
        } catch (error) {
            this.#failed(error);
        } finally {
            this.#opening = false;
            this.busy.hidden = true;
        }
    }

    async #openAll() {
        const {page} = this;
        if (this.#opening || !page) {
            return;
        }
        const profile = page.plain;
        this.#opening = true;
        this.busy.hidden = false;
        this.rest.disabled = true;
        try {
            await this.#belowAll(profile, page.key,
                                 () => page === this.page);
            if (page === this.page) {
                this.rest.hidden = true;
                this.#renew(this.#alsoOpened("all"));
            }
        } catch (error) {
            this.#failed(error);
        } finally {
            this.rest.disabled = false;
            this.#opening = false;
            this.busy.hidden = true;
        }
    }

    // Source that the page does not have

    #asked = new Set();         // numbers of files, of the page that is shown

    /** Load the source of a file; return whether there are new frames. */
    async #source(profile, key, file) {
        const {asked, wanted} = profile.sources;
        return wanted && file in profile.fileNumbers && !asked.has(file)
            && profile.adoptSource(file, await ask(`source?key=${key}&file=${
                profile.fileNumbers[file]}`));
    }

    async #loadSource(file) {
        // A page asks while it is being made.
        await null;
        const {page} = this;
        const asked = this.#asked;
        if (!page || asked.has(file)) {
            return;
        }
        asked.add(file);
        try {
            const isMore = await this.#source(page.plain, page.key, file);
            if (page === this.page) {
                const where = new Whereabouts(this.report);
                this.#renew(isMore ? this.#alsoOpened(`s${file}`) : {});
                where.restore();
            }
        } catch (error) {
            this.#failed(error);
        } finally {
            asked.delete(file);
        }
    }

    /** Show what was loaded.  Where accounts are told apart, numbers of nodes
        differ then. */
    #renew(choices) {
        const {page} = this;
        const {profile, plain} = page;
        page.renew(profile === plain ? choices : {
            ...carried(this.state, profile, alike(plain, profile)),
            ...choices});
    }

    #failed(error) {
        if (error instanceof Failed && error.status === 410) {
            // Too many others were looked at meanwhile.
            this.#carry = true;
            this.#loaded.what = "";
            this.#load();
        } else if (error instanceof Failed) {
            this.#loaded.fault = error.message;
            this.#tellAll();
        } else if (error instanceof TypeError) {
            this.#look();
        } else {
            throw error;
        }
    }

    // What has to be said

    #tellAll() {
        const lines = [];
        if (this.#ended) {
            lines.push("The viewer has ended. What is shown stays as it is; "
                + "start python -m tracemalloc view again for more.");
        }
        if (this.#loaded?.fault) {
            lines.push(`Not loaded: ${this.#loaded.fault}`);
        }
        const chosen = this.#list ? this.#chosen() : [];
        for (const number of this.page && this.#list ? chosen : []) {
            const entry = this.#list.entries.find((each) =>
                each.number === number);
            // One that is not listed may be one of too many.
            if (entry ? entry.fault && entry.size === null
                : !this.#list.more) {
                lines.push(`${this.#names.get(number) ?? "A file"} is no `
                    + "longer there: what is shown was in it.");
            }
        }
        const newer = this.#isNewer && (this.#paused || this.state.opened);
        const text = lines.join("\n") + newer;
        this.banner.classList.toggle("ended", this.#ended);
        this.banner.hidden = !lines.length && !newer;
        if (this.banner.dataset.text === text) {
            return;
        }
        this.banner.dataset.text = text;
        fill(this.banner, ...lines.map((line) => make("p", {}, line)),
             newer ? make("p", {}, "There are newer figures. ", make(
                 "button", {type: "button", onclick: () => {
                     this.#carry = true;
                     this.state.set({opened: ""}, false);
                     this.#load();
                 }}, "Show them")) : null);
    }

    #onKey(event) {
        if (event.key === "s" && !event.altKey && !event.ctrlKey
                && !event.metaKey && !/^(INPUT|SELECT|TEXTAREA)$/.test(
                    event.target.type === "checkbox" ? ""
                        : event.target.tagName)) {
            event.preventDefault();
            this.snapshots.focus();
        }
    }
}

globalThis.tracemallocViewer = new Viewer();

// What is shown is what the page's address says, behind the '#'.

// What an address says if it does not name it.
const DEFAULTS = {
    view: "flame", figure: "live", unit: "bytes", group: "line",
    inverted: "", imports: "", standard: "", colors: "module", width: "change",
    search: "", thread: "", domain: "", process: "", module: "",
    account: "", older: "", newer: "", at: "", range: "", focus: "", relation: "",
    sort: "", file: "", line: "", selected: "", theme: "",
    // Of the viewer: numbers of snapshots, sums that are opened.
    snapshots: "", together: "", opened: "",
};

/** The choices, as texts; listeners are told after each change. */
export class State {
    #listeners = [];

    constructor() {
        this.#read();
        addEventListener("popstate", () => {
            this.#read();
            this.#tell();
        });
        addEventListener("hashchange", () => {
            this.#read();
            this.#tell();
        });
    }

    #read() {
        const given = new URLSearchParams(location.hash.slice(1));
        for (const [name, value] of Object.entries(DEFAULTS)) {
            this[name] = given.get(name) ?? value;
        }
    }

    get address() {
        const given = new URLSearchParams();
        for (const [name, value] of Object.entries(DEFAULTS)) {
            if (this[name] !== value) {
                given.set(name, this[name]);
            }
        }
        return `#${given}`;
    }

    /** Have a listener told, until the signal says otherwise. */
    onChange(listener, signal) {
        this.#listeners.push(listener);
        signal?.addEventListener("abort", () => {
            this.#listeners = this.#listeners.filter((each) =>
                each !== listener);
        });
    }

    #tell() {
        for (const listener of this.#listeners) {
            listener(this);
        }
    }

    /** Change some choices.  `back` is whether the browser's button leads to
        what was before: not for every letter that is typed. */
    set(changes, back = true) {
        const before = this.address;
        for (const [name, value] of Object.entries(changes)) {
            this[name] = String(value);
        }
        const address = this.address;
        if (address !== before) {
            if (back) {
                history.pushState(null, "", address);
            } else {
                history.replaceState(null, "", address);
            }
            this.#tell();
        }
    }
}

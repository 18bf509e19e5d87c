// Colours of pictures: calm, readable in the dark and the light, and told
// apart by those who do not see red and green.

const HUES = [255, 55, 155, 305, 95, 205, 345, 125, 280, 30, 180, 230];

function hashed(text) {
    let hash = 2166136261;
    for (let index = 0; index < text.length; index++) {
        hash = Math.imul(hash ^ text.charCodeAt(index), 16777619);
    }
    return hash >>> 0;
}

export class Colors {
    /** The colours of the page as it is now. */
    constructor(dark, profile) {
        this.dark = dark;
        this.profile = profile;
        this.ink = dark ? "#e8e8ea" : "#1d2026";
        this.faint = dark ? "rgb(232 232 234 / .62)" : "rgb(29 32 38 / .62)";
        this.other = dark ? "#33363c" : "#e6e7ea";
        this.found = dark ? "#8a6a14" : "#ffd866";
        this.line = dark ? "#17181b" : "#ffffff";
        this.selected = dark ? "#ffffff" : "#14161a";
        this.#modules = new Map();
        this.#places();
    }

    #modules;

    #places() {
        // The modules of the program and of packages get hues one after the
        // other, so that the first ones differ; by name, so that two pages
        // agree as far as they can.
        const {files, names} = this.profile;
        const seen = new Set();
        files.module.forEach((module, file) => {
            if (files.kind[file] < 2) {
                seen.add(names[module]);
            }
        });
        const order = [...seen].sort();
        this.hues = new Map(order.length <= HUES.length
            ? order.map((name, index) => [name, HUES[index]])
            : order.map((name) => [name, HUES[hashed(name) % HUES.length]]));
    }

    /** Return the colour of a frame, by its module. */
    ofModule(frame) {
        if (frame < 0) {
            return this.other;
        }
        const kind = this.profile.kind(frame);
        const name = this.profile.module(frame);
        if (kind === 4) {
            return this.other;
        }
        const known = `${kind} ${name}`;
        let color = this.#modules.get(known);
        if (color === undefined) {
            const plain = kind >= 2;
            const hue = this.hues.get(name) ?? HUES[hashed(name) % 12];
            const light = this.dark ? (plain ? 0.38 : 0.46)
                : (plain ? 0.91 : 0.85);
            const strong = plain ? 0.018 : 0.075;
            color = `oklch(${light} ${strong} ${hue})`;
            this.#modules.set(known, color);
        }
        return color;
    }

    /** Return the colour of a change: strong for what is new or gone. */
    ofChange(net, larger) {
        const share = larger ? Math.max(-1, Math.min(1, net / larger)) : 0;
        const step = Math.round(Math.abs(share) * 6) / 6;
        const hue = share < 0 ? 245 : 50;
        const light = this.dark ? 0.36 + 0.16 * step : 0.93 - 0.15 * step;
        return `oklch(${light} ${0.005 + 0.125 * step} ${hue})`;
    }
}

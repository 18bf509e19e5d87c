// Colours of pictures: calm, readable in the dark and the light, and told
// apart by those who do not see red and green.

const HUES = [255, 55, 155, 305, 95, 205, 345, 125, 280, 30, 180, 230];

// Canvases parse a colour each time that it is set: the plainest is fastest.
const plain = new Map();

function oklch(light, strong, hue) {
    const name = `${light} ${strong} ${hue}`;
    if (!plain.has(name)) {
        const turn = hue * Math.PI / 180;
        const [a, b] = [strong * Math.cos(turn), strong * Math.sin(turn)];
        const [l, m, s] = [
            light + 0.3963377774 * a + 0.2158037573 * b,
            light - 0.1055613458 * a - 0.0638541728 * b,
            light - 0.0894841775 * a - 1.2914855480 * b].map((x) => x ** 3);
        const parts = [
            4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
            -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
            -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s];
        plain.set(name, `#${parts.map((part) => Math.round(255 * Math.min(1,
            Math.max(0, part <= 0.0031308 ? 12.92 * part
                : 1.055 * part ** (1 / 2.4) - 0.055)))
            .toString(16).padStart(2, "0")).join("")}`);
    }
    return plain.get(name);
}

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
        this.found = dark ? "#7a5c10" : "#ffd866";
        this.line = dark ? "#17181b" : "#ffffff";
        this.selected = dark ? "#ffffff" : "#14161a";
        this.#files = [];
        this.#places();
    }

    #files;

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
        const file = this.profile.frames.file[frame];
        let color = this.#files[file];
        if (color === undefined) {
            const kind = this.profile.kind(frame);
            const name = this.profile.module(frame);
            if (kind === 4) {
                return this.other;
            }
            const pale = kind === 2 || kind === 3;
            const hue = this.hues.get(name) ?? HUES[hashed(name) % 12];
            color = oklch(this.dark ? (pale ? 0.38 : 0.46)
                : (pale ? 0.91 : 0.85), pale ? 0.018 : 0.075, hue);
            this.#files[file] = color;
        }
        return color;
    }

    /** Return the colour of a change: strong for what is new or gone. */
    ofChange(net, larger) {
        const share = larger ? Math.max(-1, Math.min(1, net / larger)) : 0;
        const step = Math.round(Math.abs(share) * 6) / 6;
        const hue = share < 0 ? 245 : 50;
        const light = this.dark ? 0.35 + 0.13 * step : 0.93 - 0.15 * step;
        return oklch(light, 0.005 + 0.125 * step, hue);
    }
}

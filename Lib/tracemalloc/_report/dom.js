// Elements, made of text only: nothing of a snapshot is ever parsed as HTML.

/** Make an element.  Properties that begin with "on" are listeners, those with
    a dash and `role` are attributes; children are elements or texts. */
export function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
        if (value === undefined || value === null || value === false) {
            continue;
        }
        if (name.startsWith("on")) {
            element.addEventListener(name.slice(2), value);
        } else if (name.includes("-") || name === "role") {
            element.setAttribute(name, value === true ? "" : value);
        } else {
            element[name] = value;
        }
    }
    element.append(...children.filter((child) => child !== null));
    return element;
}

/** Replace all that is in an element. */
export function fill(element, ...children) {
    element.replaceChildren(...children.filter((child) => child !== null));
    return element;
}

/** Return a function that runs `work` once before the next frame is drawn,
    however often it is called. */
export function oncePerFrame(work) {
    let asked = false;
    return () => {
        if (!asked) {
            asked = true;
            requestAnimationFrame(() => {
                asked = false;
                work();
            });
        }
    };
}

/** Make a canvas as sharp as the screen, and return its context; sizes are in
    CSS pixels from then on. */
export function sharpContext(canvas, width, height) {
    const ratio = window.devicePixelRatio || 1;
    const wide = Math.max(1, Math.round(width * ratio));
    const high = Math.max(1, Math.round(height * ratio));
    if (canvas.width !== wide || canvas.height !== high) {
        canvas.width = wide;
        canvas.height = high;
        canvas.style.width = `${width}px`;
        canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return context;
}

/** Draws texts that fit, and knows how wide they are. */
export class Writer {
    #widths = new Map();
    #font = "";

    begin(context, font) {
        context.font = font;
        if (font !== this.#font) {
            this.#font = font;
            this.#widths.clear();
        }
        this.context = context;
    }

    width(text) {
        let width = this.#widths.get(text);
        if (width === undefined) {
            if (this.#widths.size > 50000) {
                this.#widths.clear();
            }
            width = this.context.measureText(text).width;
            this.#widths.set(text, width);
        }
        return width;
    }

    /** Return as much of a text as fits, "" if that says nothing. */
    fitting(text, room) {
        if (room < 24) {
            return "";
        }
        const width = this.width(text);
        if (width <= room) {
            return text;
        }
        // Letters differ in width: some fewer than that may fit.
        let letters = Math.floor(text.length * room / width);
        let cut;
        do {
            letters--;
            cut = `${text.slice(0, letters)}\u2026`;
        } while (letters >= 2
                 && this.context.measureText(cut).width > room);
        return letters < 2 ? "" : cut;
    }
}

/** Hand the reader a file. */
export function download(name, text, type) {
    const address = URL.createObjectURL(new Blob([text], {type}));
    make("a", {href: address, download: name}).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
}

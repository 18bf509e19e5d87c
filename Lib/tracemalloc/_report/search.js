// What a reader searches for: text, "file.py:42", /expression/, module:NAME.

/** Return {test(profile, frame), error} of a text; null if it is empty. */
export function parse(text) {
    const query = text.trim();
    if (!query) {
        return null;
    }
    const pattern = /^\/(.+?)\/?$/.exec(query);
    if (pattern && !/^\/.*\.pyw?(:\d+)?$/.test(query)) {
        try {
            const expression = new RegExp(pattern[1], "iu");
            return {test: (profile, frame) => expression.test(
                profile.place(frame))};
        } catch (error) {
            return {test: () => false, error: error.message};
        }
    }
    const lower = query.toLowerCase();
    if (lower.startsWith("module:")) {
        const module = lower.slice(7).trim();
        return {test: (profile, frame) =>
            profile.module(frame).toLowerCase() === module};
    }
    const line = /^(.+):(\d+)$/.exec(lower);
    if (line) {
        return {test: (profile, frame) =>
            profile.frames.line[frame] === Number(line[2])
            && profile.fileName(frame).toLowerCase().endsWith(line[1])};
    }
    return {test: (profile, frame) =>
        profile.place(frame).toLowerCase().includes(lower)};
}

/** Return which keys match: one byte for each. */
export function matching(profile, keys, query) {
    const found = new Uint8Array(keys.count);
    for (let frame = 0; frame < keys.of.length; frame++) {
        if (!found[keys.of[frame]] && query.test(profile, frame)) {
            found[keys.of[frame]] = 1;
        }
    }
    return found;
}

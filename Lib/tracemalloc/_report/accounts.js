// Accounts as what call paths begin with, so that all that pictures do with
// call paths they do with accounts.

import {KINDS, OTHER, Profile} from "./profile.js";

// What is no account, but stands in the place of one.
const NAMELESS = ["<no account>", "(other accounts)"];

/** Return whether anything was allocated in an account. */
export function hasAccounts(profile) {
    return profile.filterValues("account").some((name) =>
        !NAMELESS.includes(name));
}

/** Return a copy of a Profile in which the first frame of each call path is
    its account.  Frames keep their numbers; those of accounts come behind
    them, from `firstAccount` on.  The same copy, until call paths are added
    to the profile. */
export function withAccounts(profile) {
    return profile.apart ??= made(profile);
}

function made(profile) {
    const copy = new Profile(profile);
    copy.firstAccount = profile.frames.file.length;
    addFrames(copy);
    addNodes(copy);
    return copy;
}

function addFrames(profile) {
    const {account} = profile.groups;
    const {names, frames, files} = profile;
    const all = [...new Set(account)];
    const place = new Map(all.map((name, at) => [name, at]));
    const kinds = all.map((name) => NAMELESS.includes(names[name])
        ? KINDS.nowhere : KINDS.account);
    // Each is a file of its own, of that name.
    const none = Array(all.length).fill(0);
    profile.files = {
        name: [...files.name, ...all], module: [...files.module, ...all],
        kind: [...files.kind, ...kinds]};
    profile.frames = {
        file: Int32Array.from([...frames.file, ...all.map((_, at) =>
            files.name.length + at)]),
        line: [...frames.line, ...none],
        function: [...frames.function, ...none],
        cut: [...frames.cut, ...none]};
    // group -> frame
    profile.accountFrame = Int32Array.from(account, (name) =>
        profile.firstAccount + place.get(name));
}

function addNodes(profile) {
    const {parent: parents, frame: frames, rows, accountFrame} = profile;
    const rowsOf = new Map();
    rows.group.forEach((group, row) => {
        const frame = accountFrame[group];
        if (!rowsOf.has(frame)) {
            rowsOf.set(frame, []);
        }
        rowsOf.get(frame).push(row);
    });
    const [parent, frame, origin] = [[0], [OTHER], [0]];
    const node = new Int32Array(rows.node.length);
    const place = new Int32Array(parents.length);
    for (const [account, members] of rowsOf) {
        place.fill(-1);
        for (const row of members) {
            // Up to where another path has been.
            for (let at = rows.node[row]; at && place[at] < 0;
                    at = parents[at]) {
                place[at] = 0;
            }
        }
        place[0] = parent.length;
        parent.push(0);
        frame.push(account);
        origin.push(0);
        // Callers have smaller numbers.
        for (let at = 1; at < place.length; at++) {
            if (place[at] === 0) {
                place[at] = parent.length;
                parent.push(place[parents[at]]);
                frame.push(frames[at]);
                origin.push(at);
            }
        }
        for (const row of members) {
            node[row] = place[rows.node[row]];
        }
    }
    profile.parent = Int32Array.from(parent);
    profile.frame = Int32Array.from(frame);
    profile.origin = Int32Array.from(origin);
    profile.rows = {...rows, node};
}

// Shows the page that is in the file.

import {make} from "./dom.js";
import {Page} from "./main.js";
import {embedded} from "./profile.js";

embedded().then((profile) => {
    globalThis.tracemallocReport = new Page(profile);
}, (error) => {
    document.body.append(make("p", {className: "empty"},
        `The report cannot be shown: ${error.message}. It needs a browser of `
        + "2023 or later."));
});

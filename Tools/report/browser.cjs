// The browser that pages are tried, measured and pictured in.
//
// The first two arguments of each program are the folder of npm's packages and
// the browser's program.

const path = require("node:path");

const [packages, program] = process.argv.slice(2);
const {chromium} = require(path.join(packages, "node_modules",
                                     "playwright-core"));

/** Start it, without a window and without a network of its own. */
function launch() {
    return chromium.launch({
        executablePath: program, args: [
            "--headless", "--no-sandbox", "--disable-gpu",
            "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-first-run"]});
}

module.exports = {launch};

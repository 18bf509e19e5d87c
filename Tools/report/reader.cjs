// What the tests of pages in a browser share: a reader, and what runs them.
//
// The arguments of the program are those of page_tests.cjs.

const assert = require("node:assert/strict");
const path = require("node:path");
const {readFileSync} = require("node:fs");
const {launch} = require("./browser.cjs");

const [, , folder, screenshots, ...names] = process.argv.slice(2);
let format = null;

/** One page in a window of its own, and what a test does with it. */
class Reader {
    constructor(page, problems) {
        this.page = page;
        this.problems = problems;
        this.afterwards = [];
    }

    /** Have something done when the test is over, passed or not. */
    after(work) {
        this.afterwards.unshift(work);
    }

    async open(name, address = "") {
        await this.page.goto(`file://${path.join(folder, name)}${address}`);
        await this.page.waitForFunction(() => globalThis.tracemallocReport);
        await this.settled();
    }

    /** Wait until what moves has stopped. */
    async settled() {
        await this.page.evaluate(async () => {
            const {flame} = globalThis.tracemallocReport;
            let before;
            do {
                before = `${flame.from} ${flame.to}`;
                await new Promise((done) => setTimeout(done, 60));
                await new Promise(requestAnimationFrame);
                await new Promise(requestAnimationFrame);
            } while (before !== `${flame.from} ${flame.to}`);
        });
    }

    text(selector) {
        return this.page.locator(selector).first().innerText();
    }

    get hash() {
        return new URLSearchParams(new URL(this.page.url()).hash.slice(1));
    }

    /** Return what the flame graph shows: labels, values, depths. */
    nodes() {
        return this.page.evaluate(() => {
            const {view} = globalThis.tracemallocReport.flame;
            return Array.from({length: view.count}, (_, node) => ({
                label: view.label(node), value: view.after[node],
                before: view.before[node], depth: view.depth[node],
                parent: view.parent[node], x: view.x[node],
                width: view.width[node]}));
        });
    }

    /** Return where a node is on the screen. */
    async placeOf(label, depth) {
        const found = await this.page.evaluate(([label, depth]) => {
            const {flame} = globalThis.tracemallocReport;
            const {view} = flame;
            const box = flame.element.getBoundingClientRect();
            const scale = box.width / (flame.to - flame.from);
            // The widest of those that are seen.
            let found = null;
            for (let node = 0; node < view.count; node++) {
                if (!view.label(node).includes(label)
                        || (depth !== undefined && view.depth[node]
                            !== depth)) {
                    continue;
                }
                const left = Math.max(
                    (view.x[node] - flame.from) * scale, 0);
                const right = Math.min(
                    (view.x[node] + view.width[node] - flame.from) * scale,
                    box.width);
                if (right - left > (found?.wide ?? 2)) {
                    found = {
                        wide: right - left, x: box.x + (left + right) / 2,
                        y: box.y + (view.depth[node] + 0.5)
                            * flame.rowHeight - flame.element.scrollTop};
                }
            }
            return found;
        }, [label, depth]);
        assert.ok(found, `there is no node ${label}`);
        return found;
    }

    async clickNode(label, depth) {
        const {x, y} = await this.placeOf(label, depth);
        await this.page.mouse.click(x, y);
        await this.settled();
    }

    choose(name, value) {
        return this.page.locator(`select[name=${name}]`).selectOption(value);
    }

    view(name) {
        return this.page.locator(".tabs button", {hasText: name}).click();
    }

    async rows() {
        return this.page.locator(".table tbody tr").evaluateAll((rows) =>
            rows.map((row) => [...row.cells].map((cell) => cell.innerText)));
    }

    async search(text) {
        await this.page.locator(".tools input[type=search]").fill(text);
        await this.settled();
    }

    async picture(name) {
        if (screenshots) {
            await this.page.screenshot({
                path: path.join(screenshots, `${name}.png`)});
        }
    }
}

/** Run {name: test(reader, another)}; `another` returns one more reader.

    Pages may ask for what `allowed` matches, and for nothing else. */
async function run(tests, allowed = /^(file|data|blob):/) {
    const source = readFileSync(path.join(
        __dirname, "../../Lib/tracemalloc/_report/format.js"), "utf8");
    format = await import(
        `data:text/javascript,${encodeURIComponent(source)}`);
    const browser = await launch();
    let [passed, failed] = [0, 0];
    for (const [name, test] of Object.entries(tests)) {
        if (names.length && !names.some((each) => name.includes(each))) {
            continue;
        }
        const contexts = [];
        const problems = [];
        const another = async () => {
            const context = await browser.newContext({
                viewport: {width: 1280, height: 800}, colorScheme: "light",
                acceptDownloads: true});
            contexts.push(context);
            const page = await context.newPage();
            page.setDefaultTimeout(60_000);
            page.on("pageerror", (error) => problems.push(error.stack));
            page.on("console", (message) => {
                if (message.type() === "error") {
                    problems.push(message.text());
                }
            });
            page.on("dialog", (dialog) => {
                problems.push(`dialog: ${dialog.message()}`);
                dialog.dismiss();
            });
            page.on("request", (request) => {
                if (!allowed.test(request.url())) {
                    problems.push(`it asks for ${request.url()}`);
                }
            });
            return new Reader(page, problems);
        };
        const reader = await another();
        try {
            await test(reader, another);
            assert.deepEqual(problems, []);
            passed++;
            console.log(`ok    ${name}`);
        } catch (error) {
            failed++;
            console.log(`FAIL  ${name}\n${error.stack}`);
            for (const problem of problems) {
                console.log(`  on the page: ${problem}`);
            }
        }
        reader.afterwards.forEach((work) => work());
        await Promise.all(contexts.map((context) => context.close()));
    }
    await browser.close();
    console.log(`${passed} passed, ${failed} failed`);
    // No test has such a name: those of the other program may.
    process.exitCode = failed ? 1 : passed ? 0 : 3;
}

module.exports = {folder, run, sizeText: (...all) => format.sizeText(...all)};

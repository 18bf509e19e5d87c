// Take the pictures of the report that the documentation shows.
//
//     node pictures.cjs PACKAGES CHROMIUM PAGES TARGET

const path = require("node:path");
const {spawn} = require("node:child_process");
const {launch} = require("./browser.cjs");

const [, , folder, target] = process.argv.slice(2);

// Name -> page, address, colours, what is clicked.
const PICTURES = {
    "report-flame": ["email.html", "", "light", "Index.add  word_index.py:21"],
    "report-difference": ["difference.html", "", "light",
                          "Index.add  word_index.py:26"],
    "report-source": ["email.html", "#view=source", "dark", null],
    "report-table": ["difference.html", "#view=table", "light", null],
};

const line = (program) => new Promise((done) =>
    program.stdout.once("data", (text) => done(String(text))));

/** The viewer, of a folder where a program runs as well. */
async function takeViewer(browser) {
    const start = (...words) => spawn(process.env.FORK, words, {
        stdio: ["pipe", "pipe", "inherit"]});
    const viewed = path.join(folder, "viewed");
    const service = start("-X", `tracemalloc=25,record=${viewed}`,
                          path.join(folder, "service.py"));
    await line(service);
    const viewer = start("-m", "tracemalloc", "view", viewed);
    const [url] = /http:\S+/.exec(await line(viewer));
    const page = await browser.newPage({
        viewport: {width: 1200, height: 660}, colorScheme: "light"});
    await page.goto(url);
    const entry = (name) => page.locator(".snapshot", {hasText: name});
    await entry("email").locator(".name").click();
    await entry("json").locator("input").check();
    await page.locator("h1", {hasText: "json.tmz -> email.tmz"}).waitFor();
    await page.waitForTimeout(1500);
    await page.screenshot({path: path.join(target, "viewer.png")});
    await page.close();
    viewer.kill();
    service.stdin.end();
}

async function main() {
    const browser = await launch();
    for (const [name, [file, address, colorScheme, clicked]]
            of Object.entries(PICTURES)) {
        const page = await browser.newPage({
            viewport: {width: 1100, height: 660}, colorScheme});
        await page.goto(`file://${path.join(folder, file)}${address}`);
        await page.waitForFunction(() => globalThis.tracemallocReport);
        if (clicked) {
            await page.evaluate((label) => {
                const {flame} = globalThis.tracemallocReport;
                for (let node = 0; node < flame.view.count; node++) {
                    if (flame.view.label(node) === label) {
                        flame.told.step(node);
                        return;
                    }
                }
                throw new Error(label);
            }, clicked);
        }
        await page.waitForTimeout(500);
        await page.screenshot({path: path.join(target, `${name}.png`)});
        await page.close();
    }
    await takeViewer(browser);
    await browser.close();
}

main();

// Sizes of pages, and frames per second while a reader zooms and pans.
//
//     node measure.cjs PACKAGES CHROMIUM PAGES
//
// PAGES has pages named for their contexts, as 50000.html.  `test --measure`
// makes them and runs this.

const path = require("node:path");
const {readdirSync, statSync} = require("node:fs");
const {launch} = require("./browser.cjs");

const [, , folder] = process.argv.slice(2);
const SECONDS = 5;

/** Zoom and pan for some seconds, a step for each frame. */
async function inPage(seconds) {
    const {flame} = globalThis.tracemallocReport;
    const total = flame.view.width[0];
    const painting = [];
    let frames = 0;
    const begin = performance.now();
    await new Promise((done) => {
        const step = (now) => {
            const span = total * (0.02 + 0.98 * Math.abs(
                Math.sin(frames / 40)));
            const from = (total - span) * (0.5 + 0.5 * Math.cos(frames / 27));
            [flame.from, flame.to] = [from, from + span];
            const start = performance.now();
            flame.paint();
            painting.push(performance.now() - start);
            frames++;
            if (now - begin < 1000 * seconds) {
                requestAnimationFrame(step);
            } else {
                done();
            }
        };
        requestAnimationFrame(step);
    });
    const elapsed = (performance.now() - begin) / 1000;
    painting.sort((one, other) => one - other);
    const [first] = performance.getEntriesByName("first-contentful-paint");
    return {
        nodes: flame.view.count, first: first.startTime,
        count: frames, frames: frames / elapsed, paint: painting[frames >> 1],
        slow: painting[Math.floor(frames * 0.95)],
    };
}

async function main() {
    const browser = await launch();
    console.log("contexts     page   nodes  first picture (processor)"
        + "  frames/s  a frame (95%; processor)");
    const pages = readdirSync(folder).filter((name) =>
        /^\d+\.html$/.test(name)).sort((one, other) =>
        parseInt(one, 10) - parseInt(other, 10));
    for (const name of pages) {
        const file = path.join(folder, name);
        const page = await browser.newPage({
            viewport: {width: 1280, height: 800}});
        // The processor's time of the page's thread: what else the machine
        // does is not in it.
        const session = await page.context().newCDPSession(page);
        await session.send("Performance.enable", {timeDomain: "threadTicks"});
        const busy = async () => (await session.send(
            "Performance.getMetrics")).metrics.find(({name}) =>
            name === "TaskDuration").value * 1000;
        await page.goto(`file://${file}`);
        await page.waitForFunction(() => globalThis.tracemallocReport);
        await page.waitForTimeout(300);
        const before = await busy();
        const found = await page.evaluate(inPage, SECONDS);
        const each = (await busy() - before) / found.count;
        const size = statSync(file).size / 1e6;
        console.log([
            String(parseInt(name, 10)).padStart(8),
            `${size.toFixed(1)} MB`.padStart(7),
            String(found.nodes).padStart(6),
            `${found.first.toFixed(0)} ms (${before.toFixed(0)} ms)`
                .padStart(25),
            found.frames.toFixed(1).padStart(8),
            `${found.paint.toFixed(1)} ms (${found.slow.toFixed(1)} ms; ${
                each.toFixed(1)} ms)`.padStart(24)].join("  "));
        await page.close();
    }
    await browser.close();
}

main();

// Libraries that the report could draw with, tried on a page of the report:
// what a step of zooming and panning takes, and what laying out takes.
//
//     npm install --prefix DIR playwright-core flame-chart-js d3-hierarchy uplot
//     node candidates.cjs DIR CHROMIUM PAGE.html
//
// Doc/design/report.rst has what it printed, and what was decided.

const path = require("node:path");
const {readFileSync} = require("node:fs");

const [packages, chromium, report] = process.argv.slice(2);
const inside = (name) => path.join(packages, "node_modules", name);
const {chromium: launcher} = require(inside("playwright-core"));

async function inPage() {
    const page = globalThis.tracemallocReport;
    const {flame, profile} = page;
    const {view} = flame;
    const total = view.width[0];
    const found = {};

    /** Return the median and the 95th percentile of 200 steps. */
    const measured = (draw) => {
        const times = [];
        for (let step = 0; step < 200; step++) {
            const span = total * (0.02 + 0.98 * Math.abs(Math.sin(step / 20)));
            const from = (total - span) * (0.5 + 0.5 * Math.cos(step / 13));
            const begin = performance.now();
            draw(from, from + span);
            times.push(performance.now() - begin);
        }
        times.sort((one, other) => one - other);
        return `${times[100].toFixed(1)} ms, 95%: ${times[190].toFixed(1)} ms`;
    };

    found["nodes"] = view.count;
    found["flame graph, ours"] = measured((from, to) => {
        [flame.from, flame.to] = [from, to];
        flame.paint();
    });

    const nodes = (node) => ({
        name: view.label(node), start: view.x[node],
        duration: view.width[node], children: [...view.children(node)]
            .map(nodes)});
    const canvas = document.createElement("canvas");
    const host = document.createElement("div");
    host.style.width = "1240px";
    host.style.height = "420px";
    host.append(canvas);
    document.body.append(host);
    [canvas.width, canvas.height] = [1240, 420];
    const data = [nodes(0)];
    let begin = performance.now();
    const chart = new globalThis.flameChartJs.FlameChart({canvas, data});
    found["flame-chart-js, begin"] =
        `${(performance.now() - begin).toFixed(0)} ms`;
    // It draws before the next frame: here, at once, when the first is over.
    await new Promise((done) => setTimeout(done, 500));
    const later = globalThis.requestAnimationFrame;
    globalThis.requestAnimationFrame = (work) => work(performance.now());
    found["flame graph, flame-chart-js"] = measured((from, to) => {
        chart.setZoom(from, to);
        chart.render();
    });
    globalThis.requestAnimationFrame = later;
    host.remove();

    page.state.set({view: "treemap"});
    await new Promise((done) => setTimeout(done, 300));
    const {treemap} = page;
    const median = (work) => {
        const times = Array.from({length: 20}, () => {
            const start = performance.now();
            work();
            return performance.now() - start;
        }).sort((one, other) => one - other);
        return `${times[10].toFixed(1)} ms`;
    };
    const boxes = (box) => 1 + box.inside.reduce(
        (sum, each) => sum + boxes(each), 0);
    found["boxes of the treemap"] = boxes(treemap.root);
    found["treemap laid out, ours"] = median(() => treemap.lay(1240, 464));
    const d3 = globalThis.d3;
    const root = d3.hierarchy(treemap.root, (box) => box.inside)
        .sum((box) => box.inside.length ? 0 : box.width);
    found["treemap laid out, d3-hierarchy"] = median(() =>
        d3.treemap().size([1240, 464]).paddingInner(1).paddingTop(18)(root));

    const points = Array.from({length: 500}, (_, at) => at);
    const line = points.map((at) => 1e8 + 1e6 * Math.sin(at / 9));
    const place = document.createElement("div");
    document.body.append(place);
    const series = [{}, {stroke: "red"}, {stroke: "blue"}, {stroke: "gray"}];
    found["timeline of 500 points, uPlot"] = median(() => {
        place.replaceChildren();
        new globalThis.uPlot({width: 1240, height: 260, series},
                             [points, line, line, line], place);
    });
    if (page.timeline) {
        found["timeline of 500 points, ours"] = median(() => {
            page.timeline.points = points.map((at) => ({
                at, name: String(at), rss: line[at], peak: line[at],
                traced: line[at]}));
            page.timeline.choice = {older: 0, newer: 9};
            page.state.view = "timeline";
            page.timeline.element.hidden = false;
            page.timeline.draw();
        });
    }
    return found;
}

async function main() {
    const browser = await launcher.launch({
        executablePath: chromium, args: ["--no-sandbox", "--disable-gpu"]});
    const context = await browser.newContext({
        bypassCSP: true, viewport: {width: 1280, height: 800}});
    const page = await context.newPage();
    page.on("pageerror", (error) => console.error(error));
    await page.goto(`file://${path.resolve(report)}`);
    await page.waitForFunction(() => globalThis.tracemallocReport);
    for (const file of ["flame-chart-js/dist/index.min.js",
                        "d3-hierarchy/dist/d3-hierarchy.min.js",
                        "uplot/dist/uPlot.iife.min.js"]) {
        await page.addScriptTag({content: readFileSync(inside(file), "utf8")});
    }
    for (const [name, value] of Object.entries(await page.evaluate(inPage))) {
        console.log(`${name.padEnd(34)} ${value}`);
    }
    await browser.close();
}

main();

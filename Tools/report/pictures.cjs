// Take the pictures of the report that the documentation shows.
//
//     node pictures.cjs PACKAGES CHROMIUM PAGES TARGET

const path = require("node:path");

const [packages, program, folder, target] = process.argv.slice(2);
const {chromium} = require(path.join(packages, "node_modules",
                                     "playwright-core"));

// Name -> page, address, colours, what is clicked.
const PICTURES = {
    "report-flame": ["email.html", "", "light", "Index.add  word_index.py:21"],
    "report-difference": ["difference.html", "", "light",
                          "Index.add  word_index.py:26"],
    "report-source": ["email.html", "#view=source", "dark", null],
    "report-table": ["difference.html", "#view=table", "light", null],
};

async function main() {
    const browser = await chromium.launch({
        executablePath: program, args: [
            "--headless", "--no-sandbox", "--disable-gpu",
            "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-first-run"]});
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
    await browser.close();
}

main();

// The viewer, used in a browser as a reader uses it.
//
//     FORK=PYTHON node viewer_tests.cjs PACKAGES CHROMIUM PAGES SCREENSHOTS
//         [NAME...]
//
// `test` beside this file runs this, after the tests of pages: what these are
// made of, snapshot files, is what is viewed here.

const assert = require("node:assert/strict");
const path = require("node:path");
const {spawn} = require("node:child_process");
const {once} = require("node:events");
const {createServer} = require("node:http");
const {copyFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync,
       utimesSync, writeFileSync} = require("node:fs");
const {tmpdir} = require("node:os");
const {createInterface} = require("node:readline");
const {folder, run, sizeText} = require("./reader.cjs");

const facts = JSON.parse(readFileSync(path.join(folder, "facts.json")));
const [first, , last] = facts.snapshots;

/** A folder with snapshots in it that are some seconds apart. */
class Files {
    constructor(reader, ...names) {
        this.folder = mkdtempSync(path.join(tmpdir(), "viewed-"));
        this.time = Date.now() / 1000 - 1000;
        names.forEach((name) => this.add(name));
        reader.after(() => rmSync(this.folder, {recursive: true}));
    }

    add(name, as = name) {
        const target = path.join(this.folder, as);
        copyFileSync(path.join(folder, name), target);
        utimesSync(target, ++this.time, this.time);
        return target;
    }
}

/** Start a program of the fork; lines() gives what it writes. */
class Program {
    constructor(reader, ...words) {
        this.process = spawn(process.env.FORK, words,
                             {stdio: ["pipe", "pipe", "inherit"]});
        this.lines = createInterface({input: this.process.stdout})[
            Symbol.asyncIterator]();
        this.ended = once(this.process, "exit");
        reader.after(() => this.process.kill("SIGKILL"));
    }

    async line() {
        return (await this.lines.next()).value;
    }

    async tell(text) {
        this.process.stdin.write(`${text}\n`);
        assert.equal(await this.line(), text);
    }

    async end(signal = "SIGTERM") {
        this.process.kill(signal);
        const [status] = await this.ended;
        return status;
    }
}

async function view(reader, ...words) {
    const viewer = new Program(reader, "-m", "tracemalloc", "view", ...words);
    const line = await viewer.line();
    viewer.url = /http:\S+/.exec(line)[0];
    await reader.page.goto(viewer.url);
    await shown(reader);
    return viewer;
}

/** End the viewer when nobody looks: else the page would ask in vain. */
async function close(reader, viewer) {
    await reader.page.goto("about:blank");
    assert.equal(await viewer.end(), 0);
}

async function shown(reader) {
    await reader.page.waitForFunction(() => globalThis.tracemallocReport);
    await reader.settled();
}

/** Wait until the summary says something. */
async function says(reader, text, selector = ".summary") {
    await reader.page.locator(selector, {hasText: text}).first().waitFor();
    await reader.settled();
}

const entry = (reader, name) => reader.page.locator(".snapshot", {
    has: reader.page.locator(".name", {hasText: name})});
const box = (reader, name) => entry(reader, name).locator("input");

/** Return texts of what a program holds: allocates when it is told to. */
const PROGRAM = `
import sys
kept = []
def hold(size):
    kept.append(bytearray(size))
for line in sys.stdin:
    for _ in range(3):
        hold(int(line) // 3)
    print(line.strip(), flush=True)
`;

/** The same in accounts; each line is remembered. */
const ACCOUNTS = `
import _tracemalloc
import sys
import tracemalloc
kept = []
for line in sys.stdin:
    name, size = line.split()
    with tracemalloc.account(name):
        kept.append(bytearray(int(size)))
    _tracemalloc._write_record()
    print(line.strip(), flush=True)
`;

const tests = {
    async "the list shows files, the newest first"(reader) {
        const files = new Files(reader, "1.tmz", "2.tmz", "3.tmz");
        const viewer = await view(reader, files.folder);
        const names = () => reader.page.locator(".snapshot .name")
            .allInnerTexts();
        assert.deepEqual(await names(), ["3.tmz", "2.tmz", "1.tmz"]);
        // Not when the files were copied here.
        await reader.page.locator(".snapshot .facts", {hasText: /taken \d/})
            .nth(2).waitFor();
        await says(reader, `Live: ${sizeText(last.total)} in`);
        await says(reader, sizeText(last.total), ".snapshot.chosen .facts");
        files.add("1.tmz", "new.tmz");
        await entry(reader, "new.tmz").waitFor();
        assert.equal((await names())[0], "new.tmz");
        // What is shown stays.
        await says(reader, `Live: ${sizeText(last.total)} in`);
        rmSync(path.join(files.folder, "2.tmz"));
        await entry(reader, "2.tmz").waitFor({state: "detached"});
        await reader.picture("viewer-list");
        await close(reader, viewer);
    },

    async "two that are checked are compared, the older first"(reader) {
        const files = new Files(reader, "1.tmz", "2.tmz", "3.tmz");
        const viewer = await view(reader, files.folder);
        const change = sizeText(last.total - first.total, true);
        await box(reader, "1.tmz").check();
        await says(reader, `Live: ${change}`);
        assert.equal(await reader.text("h1"), "1.tmz -> 3.tmz");
        await reader.picture("viewer-difference");
        await reader.page.goBack();
        await says(reader, `Live: ${sizeText(last.total)} in`);
        assert.ok(!await box(reader, "1.tmz").isChecked());
        await reader.page.goForward();
        await says(reader, `Live: ${change}`);
        await box(reader, "2.tmz").check();
        await says(reader, "(3 files)", "h1");
        await reader.view("Timeline");
        await reader.picture("viewer-timeline");
        await entry(reader, "1.tmz").locator(".name").click();
        await says(reader, `Live: ${sizeText(first.total)} in`);
        await box(reader, "3.tmz").check();
        await says(reader, `Live: ${change}`);
        await reader.page.locator(".snapshots button", {hasText: "Add up"})
            .click();
        await says(reader, `Live: ${sizeText(last.total + first.total)} in`);
        await close(reader, viewer);
    },

    async "files that are named are compared at once"(reader) {
        const files = new Files(reader, "1.tmz", "2.tmz", "3.tmz");
        const viewer = await view(reader, ...["3.tmz", "1.tmz"].map((name) =>
            path.join(files.folder, name)));
        await says(reader,
                   `Live: ${sizeText(last.total - first.total, true)}`);
        // A link shows the same in another window.
        await box(reader, "1.tmz").uncheck();
        await says(reader, `Live: ${sizeText(last.total)} in`);
        await reader.view("Table");
        await reader.page.reload();
        await shown(reader);
        await says(reader, `Live: ${sizeText(last.total)} in`);
        assert.ok((await reader.rows()).length > 3);
        await close(reader, viewer);
    },

    async "all is done from the keyboard"(reader) {
        const files = new Files(reader, "1.tmz", "2.tmz", "3.tmz");
        const viewer = await view(reader, files.folder);
        const {keyboard} = reader.page;
        await keyboard.press("s");
        await keyboard.press("ArrowDown");
        await keyboard.press("ArrowDown");
        await keyboard.press("Space");
        await says(reader,
                   `Live: ${sizeText(last.total - first.total, true)}`);
        assert.equal(await reader.page.evaluate(() =>
            document.activeElement.getAttribute("aria-label").split(",")[0]),
            "1.tmz");
        await keyboard.press("Enter");
        await says(reader, `Live: ${sizeText(first.total)} in`);
        await keyboard.press("ArrowUp");
        await keyboard.press("Enter");
        await says(reader,
                   `Live: ${sizeText(facts.snapshots[1].total)} in`);
        await keyboard.press("Space");
        // One has to stay.
        assert.ok(await box(reader, "2.tmz").isChecked());
        await close(reader, viewer);
    },

    async "what is below a sum is loaded when it is opened"(reader) {
        const viewer = await view(reader, path.join(folder, "many.tmz"));
        const state = () => reader.page.evaluate(() => {
            const {profile, choice, flame} = globalThis.tracemallocReport;
            return {nodes: profile.parent.length, sums: profile.places.size,
                    total: profile.total(0, "size", choice.chosen),
                    selected: flame.selected};
        });
        const before = await state();
        assert.ok(before.sums > 10);
        assert.equal(before.total, facts.many.total);
        const open = () => reader.page.evaluate(() => {
            const {flame} = globalThis.tracemallocReport;
            const {view} = flame;
            let widest = 0;
            for (let node = 1; node < view.count; node++) {
                if (view.key[node] === -1
                        && (!widest || view.width[node]
                            > view.width[widest])) {
                    widest = node;
                }
            }
            flame.told.step(widest);
            flame.element.focus();
            return view.width[widest];
        });
        await open();
        assert.match(await reader.text(".details h2"), /\(other\)/);
        await reader.picture("viewer-other");
        await reader.page.keyboard.press("Enter");
        await reader.page.waitForFunction((nodes) => globalThis
            .tracemallocReport.profile.parent.length > nodes, before.nodes);
        const after = await state();
        assert.equal(after.total, facts.many.total);
        // The same in another window, which opens it again.
        await reader.page.reload();
        await shown(reader);
        assert.deepEqual({...await state(), selected: 0},
                         {...after, selected: 0});
        await open();
        await reader.page.locator("button.open").click();
        await reader.page.waitForFunction((nodes) => globalThis
            .tracemallocReport.profile.parent.length > nodes, after.nodes);
        await reader.page.locator(".load-all").click();
        await reader.page.waitForFunction(() =>
            !globalThis.tracemallocReport.profile.places.size);
        const all = await state();
        assert.equal(all.total, facts.many.total);
        assert.equal(all.sums, 0);
        await reader.view("Table");
        await reader.choose("group", "path");
        assert.ok(!(await reader.rows()).some((row) =>
            row.some((cell) => cell.includes("\u2265"))));
        await close(reader, viewer);
    },

    async "source of call paths that are opened is loaded, too"(reader) {
        const viewer = await view(reader, path.join(folder, "later.tmz"),
                                  "--min", "5");
        const {page} = reader;
        await reader.view("Source");
        await says(reader, "later.py", ".listing h2");
        const files = () => page.locator(".files .name").allInnerTexts();
        assert.ok(!(await files()).some((name) => /pass_on/.test(name)));
        await reader.view("Flame graph");
        await page.locator(".load-all").click();
        await page.waitForFunction(() =>
            !globalThis.tracemallocReport.profile.places.size);
        await reader.clickNode("make  pass_on.py");
        // The line, with those around it.
        await says(reader, "work()", ".details .code .here");
        await page.locator(".details-buttons button", {hasText: "Source"})
            .click();
        await says(reader, "work()", ".listing .here");
        assert.match(await reader.text(".listing h2"), /pass_on\.py$/);
        assert.match(await reader.text(".listing .gap"), /\d+ lines$/);
        assert.ok((await files()).some((name) => /pass_on/.test(name)));
        await reader.picture("viewer-source-later");
        // The same in another window, which loads both again.
        await page.reload();
        await shown(reader);
        await says(reader, "work()", ".listing .here");
        await page.locator(".listing .here button").click();
        await says(reader, "make", ".details h2");
        await says(reader, "Called by (1)", ".details");
        // A file that is no longer there is said to be so.
        const [file, away] = ["pass_on.py", "away.py"].map((name) =>
            path.join(folder, name));
        renameSync(file, away);
        reader.after(() => existsSync(away) && renameSync(away, file));
        await page.reload();
        await shown(reader);
        await says(reader, "cannot be read", ".listing .empty");
        assert.match(await reader.text(".listing h2"), /pass_on\.py$/);
        await close(reader, viewer);
        const other = await view(reader, path.join(folder, "later.tmz"),
                                 "--no-source");
        await reader.clickNode("make  pass_on.py");
        assert.equal(await page.locator(".details .code").count(), 0);
        await reader.view("Source");
        await says(reader, "--no-source", ".listing .empty");
        await close(reader, other);
    },

    async "the source has what the page had no room for"(reader) {
        const files = new Files(reader);
        for (let number = 0; number < 100; number++) {
            files.add("lines.tmz", `${number}.tmz`);
        }
        const viewer = await view(reader, files.folder);
        const all = Array.from({length: 100}, (_, number) => number + 1);
        const {page} = reader;
        await page.goto("about:blank");
        await page.goto(`${viewer.url}#view=source&older=none&snapshots=${
            all.join(".")}`);
        await shown(reader);
        const margin = () => page.locator(".listing tbody tr:not(.gap)")
            .evaluateAll((rows) => Object.fromEntries(rows.map((row) =>
                [row.querySelector(".number").innerText,
                 row.querySelector(".size").innerText])
                .filter(([, size]) => size)));
        const wanted = Object.fromEntries(Object.entries(facts.lines).map(
            ([line, size]) => [line, sizeText(size)]));
        assert.ok(Object.keys(wanted).length > 899);
        await page.waitForFunction(() => globalThis.tracemallocReport.profile
            .sources.asked.size);
        await reader.settled();
        assert.deepEqual(await margin(), wanted);
        // What was part of a sum is so no more.
        const sums = await page.evaluate(() => {
            const {profile, choice} = globalThis.tracemallocReport;
            const {spots} = profile;
            const found = {other: 0, all: 0, total: profile.total(
                choice.newer, "size", choice.chosen)};
            spots.sets[choice.newer].size.forEach((size, spot) => {
                found.all += size;
                found.other += spots.frame[spot] === -1 ? size : 0;
            });
            return found;
        });
        assert.equal(sums.all, sums.total);
        assert.ok(sums.other < 100_000);
        await close(reader, viewer);
    },

    async "accounts are exact while call paths are loaded"(reader) {
        const {account, total} = facts.apart;
        const viewer = await view(reader, path.join(folder, "accounts.tmz"),
                                  "--min", "0.05");
        await reader.choose("group", "account");
        await reader.settled();
        const check = async () => {
            const nodes = await reader.nodes();
            assert.equal(nodes[0].value, total);
            assert.deepEqual(
                nodes.filter(({depth}) => depth === 1).map(
                    ({label, value}) => [label, value]).sort(),
                account.map(({filename, size}) => [filename, size]).sort());
            return nodes;
        };
        await check();
        const here = () => reader.page.evaluate(() => {
            const {parent, places} = globalThis.tracemallocReport.plain;
            return {nodes: parent.length, sums: places.size};
        });
        assert.ok((await here()).sums > 10);
        const open = async () => {
            const {nodes} = await here();
            await reader.page.locator("button.open").click();
            await reader.page.waitForFunction((nodes) =>
                globalThis.tracemallocReport.plain.parent.length > nodes
                && !document.querySelector(".busy:not([hidden])"), nodes);
        };
        // The widest sum in one account: others have parts of it, too.
        const step = () => reader.page.evaluate(() => {
            const {flame} = globalThis.tracemallocReport;
            const {view} = flame;
            const found = Array.from(view.key.keys()).filter((node) =>
                view.key[node] === -1 && node
                && view.path(node).some((each) =>
                    view.label(each) === "GET /stock"))
                .sort((one, other) => view.width[other] - view.width[one])[0];
            flame.told.step(found);
            return view.label(view.parent[found]);
        });
        await step();
        assert.match(await reader.text(".details h2"), /\(other\)/);
        await open();
        const more = await check();
        // What is selected stays so: here and in another window.
        await reader.clickNode("GET /stock", 1);
        const size = account.find(({filename}) =>
            filename === "GET /stock").text;
        const selected = async () => {
            assert.equal(await reader.text(".details h2"), "GET /stock");
            assert.match(await reader.text(".details-figures"),
                         new RegExp(`Live\\s+${size}`));
        };
        await selected();
        await reader.page.reload();
        await shown(reader);
        assert.equal((await check()).length, more.length);
        await selected();
        const caller = await step();
        await open();
        await check();
        // Of what was opened, the sum or its caller, and that is zoomed to.
        const head = await reader.text(".details h2");
        assert.ok(head === "(other)" || caller.startsWith(head), head);
        assert.match(await reader.text(".crumbs"), /GET \/stock/);
        await reader.clickNode("GET /stock", 1);
        await reader.page.locator(".load-all").click();
        await reader.page.waitForFunction(() =>
            !globalThis.tracemallocReport.plain.places.size
            && !document.querySelector(".busy:not([hidden])"));
        const all = await check();
        assert.ok(all.every(({label}) => label !== "(other)"));
        await selected();
        await reader.picture("viewer-accounts");
        await reader.page.reload();
        await shown(reader);
        assert.equal((await check()).length, all.length);
        await selected();
        // Below an account is what the filter lets through.
        const told = (nodes, from) => nodes.map(({label, depth, value}) =>
            `${depth - from} ${label} ${value}`).sort();
        const inside = all.map(() => false);
        all.forEach(({label, depth, parent}, at) => {
            inside[at] = inside[parent] || (depth === 1
                && label === "GET /stock");
        });
        const below = all.filter(({depth}, at) => inside[at] && depth > 1);
        await reader.choose("group", "line");
        await reader.choose("account", "GET /stock");
        await reader.settled();
        const filtered = (await reader.nodes()).slice(1);
        assert.ok(filtered.length > 1000);
        assert.deepEqual(told(filtered, 0), told(below, 1));
        await reader.view("Table");
        await reader.choose("group", "path");
        await says(reader, `Live: ${size} in`);
        assert.match(await reader.text(".table tfoot"), new RegExp(size));
        await close(reader, viewer);
    },

    async "a table of call paths has what tracebacks hold"(reader) {
        const viewer = await view(reader, path.join(folder, "3.tmz"));
        await reader.view("Table");
        await reader.choose("group", "path");
        const rows = await reader.rows();
        assert.ok(rows.length > 3);
        const wanted = facts.tracebacks.slice(0, 3);
        assert.deepEqual(rows.slice(0, 3).map((row) => row[0]),
                         wanted.map(({size}) => sizeText(size)));
        const deep = rows.findIndex((row) => row.at(-1).includes("(+"));
        const callers = Number(/\(\+(\d+)\)/.exec(rows[deep].at(-1))[1]);
        await reader.page.locator(".table tbody .link").nth(deep).click();
        assert.equal(await reader.page.locator(".details .way li").count(),
                     callers);
        await reader.picture("viewer-paths");
        await close(reader, viewer);
    },

    async "records of running programs are read again and again"(reader) {
        const files = new Files(reader);
        const program = new Program(
            reader, "-X", `tracemalloc=25,record=${files.folder}`, "-c", PROGRAM);
        await program.tell("900000");
        const viewer = await view(reader, files.folder);
        await says(reader, "running", ".snapshot .state");
        await says(reader, "was running, written", "header .facts");
        await says(reader, "written", ".snapshot .facts");
        await reader.search("hold");
        const held = () => reader.page.evaluate(() => {
            const {profile, choice} = globalThis.tracemallocReport;
            return profile.total(0, "size", choice.chosen);
        });
        const more = (size) => reader.page.waitForFunction((size) => {
            const page = globalThis.tracemallocReport;
            return page?.profile.total(0, "size", page.choice.chosen) > size;
        }, size);
        await more(900_000);
        await reader.clickNode("hold");
        const selected = await reader.text(".details h2");
        await program.tell("90000000");
        await more(90_000_000);
        // What was selected and typed is still so.
        assert.equal(await reader.text(".details h2"), selected);
        assert.equal(await reader.page.locator(".tools input")
            .inputValue(), "hold");
        await reader.picture("viewer-running");
        await reader.page.locator(".snapshots button", {hasText: "Pause"})
            .click();
        await program.tell("30000000");
        await says(reader, "There are newer figures", ".banner");
        assert.ok(await held() < 120_000_000);
        await reader.page.locator(".banner button").click();
        await more(120_000_000);
        await reader.page.locator(".snapshots button", {hasText: "Pause"})
            .click();
        program.process.kill("SIGKILL");
        await says(reader, "killed or crashed", ".snapshot .state");
        await says(reader, "gone: killed, crashed, or replaced",
                   "header .facts");
        await close(reader, viewer);
    },

    async "records show accounts, and what they remember"(reader) {
        const files = new Files(reader);
        const program = new Program(
            reader, "-X", `tracemalloc=25,record=${files.folder}`, "-c",
            ACCOUNTS);
        await program.tell("GET_/cart 900000");
        await program.tell("GET_/stock 300000");
        const viewer = await view(reader, files.folder);
        const head = ".report header .facts";
        await says(reader, "was running, written", head);
        await reader.choose("group", "account");
        await reader.settled();
        await reader.clickNode("GET_/stock", 1);
        await program.tell("GET_/new 700000");
        await program.tell("GET_/stock 80000000");
        await reader.page.waitForFunction(() => {
            const {view} = globalThis.tracemallocReport;
            return view && [...view.children(0)].some((node) =>
                view.label(node) === "GET_/stock"
                && view.after[node] > 80_000_000);
        });
        await reader.settled();
        // It has another number, and is the same account.
        assert.equal(await reader.text(".details h2"), "GET_/stock");
        assert.match(await reader.text(".crumbs"), /GET_\/stock/);
        await reader.view("Timeline");
        await reader.settled();
        await reader.picture("viewer-record");
        const line = reader.page.locator(".chart .line.traced");
        const moments = async () => (await line.getAttribute("points"))
            .split(" ").length;
        assert.ok(await moments() > 2);
        program.process.kill("SIGKILL");
        await says(reader, "gone: killed, crashed, or replaced", head);
        assert.equal((await reader.text(head)).match(/written/g).length, 1);
        assert.ok(await line.isVisible());
        await reader.view("Table");
        await reader.settled();
        const rows = await reader.rows();
        assert.deepEqual(
            rows.map((row) => row.at(-1)).filter((name) =>
                name.startsWith("GET_")),
            ["GET_/stock", "GET_/cart", "GET_/new"]);
        await close(reader, viewer);
    },

    async "files that are damaged or vanish are told"(reader) {
        const files = new Files(reader, "1.tmz", "3.tmz");
        writeFileSync(path.join(files.folder, "bad.tmz"), "\x89TMZ nonsense");
        const viewer = await view(reader, files.folder);
        await says(reader, "bad.tmz", ".snapshot.faulty");
        assert.ok(await box(reader, "bad.tmz").isDisabled());
        await says(reader, `Live: ${sizeText(last.total)} in`);
        rmSync(path.join(files.folder, "3.tmz"));
        await entry(reader, "3.tmz").waitFor({state: "detached"});
        await says(reader, "3.tmz is no longer there", ".banner");
        await says(reader, `Live: ${sizeText(last.total)} in`);
        await reader.picture("viewer-faults");
        rmSync(path.join(files.folder, "1.tmz"));
        rmSync(path.join(files.folder, "bad.tmz"));
        await says(reader, "There is nothing in", ".snapshots .notes");
        // The first look chose the newest, which is damaged.
        reader.problems.splice(0);
        await close(reader, viewer);
    },

    async "the page says that the viewer has ended"(reader) {
        for (const signal of ["SIGINT", "SIGTERM"]) {
            const viewer = await view(reader, path.join(folder, "3.tmz"));
            assert.equal(await viewer.end(signal), 0);
            await says(reader, "The viewer has ended", ".banner.ended");
            // What is shown can still be used.
            await reader.clickNode("work  program.py", 2);
            assert.equal(await reader.text(".details h2"), "work");
            await reader.picture("viewer-ended");
            // The browser tells of each connection that it cannot make.
            reader.problems.splice(0);
        }
    },

    async "dark, and on a phone"(reader) {
        const files = new Files(reader, "1.tmz", "2.tmz", "3.tmz");
        await reader.page.emulateMedia({colorScheme: "dark"});
        const viewer = await view(reader, files.folder);
        assert.equal(await reader.page.evaluate(() =>
            document.documentElement.dataset.theme), "dark");
        await reader.picture("viewer-dark");
        await reader.page.setViewportSize({width: 380, height: 740});
        await reader.page.reload();
        await shown(reader);
        assert.ok(await box(reader, "1.tmz").isHidden());
        await reader.page.locator(".snapshots summary").click();
        await box(reader, "1.tmz").check();
        await says(reader,
                   `Live: ${sizeText(last.total - first.total, true)}`);
        assert.ok(await reader.page.evaluate(() =>
            document.scrollingElement.scrollWidth) <= 380);
        await reader.picture("viewer-phone");
        await close(reader, viewer);
    },

    async "pages of other sites cannot ask"(reader, another) {
        const viewer = await view(reader, path.join(folder, "3.tmz"));
        const other = await another();
        const server = createServer((_, answer) => answer.end("<p>A page"));
        reader.after(() => server.close());
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        await other.page.goto(`http://127.0.0.1:${server.address().port}/`);
        const answer = await other.page.evaluate((url) =>
            fetch(url).then(() => "read", () => "refused"),
            `${viewer.url}list`);
        assert.equal(answer, "refused");
        const status = await reader.page.evaluate(() =>
            fetch("list").then((answer) => answer.status));
        assert.equal(status, 200);
        await other.page.goto("about:blank");
        // The browser tells what it did not let the other page read.
        other.problems.splice(0);
        await close(reader, viewer);
    },
};

run(tests, /^(http:\/\/127\.0\.0\.1:|data:|blob:)/);

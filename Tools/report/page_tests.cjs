// Pages of the report, used in a browser as a reader uses them.
//
//     node page_tests.cjs PACKAGES CHROMIUM PAGES SCREENSHOTS [NAME...]
//
// `test` beside this file makes the pages and runs this.  What is compared
// with, facts.json, comes from statistics of the same snapshots.

const assert = require("node:assert/strict");
const path = require("node:path");
const {readFileSync} = require("node:fs");
const {folder, run, sizeText} = require("./reader.cjs");

const facts = JSON.parse(readFileSync(path.join(folder, "facts.json")));
const last = facts.snapshots.at(-1);

function sum(numbers) {
    return numbers.reduce((total, each) => total + each, 0);
}

const sizeOf = (number) => sizeText(number);

const LINE = "self.kept.append(read('{\"name\": \"%s\"}' % (\"x\" * number)))";

const tests = {
    async "numbers are written as in a terminal"() {
        for (const [number, plain, signed] of facts.sizes) {
            assert.equal(sizeText(number), plain);
            assert.equal(sizeText(number, true), signed);
        }
    },

    async "a page tells what the snapshot holds"(reader) {
        await reader.open("one.html");
        assert.match(await reader.text(".summary"), new RegExp(
            `^Live: ${sizeOf(last.total)} in `
            + `${last.blocks.toLocaleString("en")} blocks`));
        assert.equal(await reader.page.title(),
                     `${sizeOf(last.total)} \u00b7 3.tmz`);
        const nodes = await reader.nodes();
        assert.equal(nodes[0].value, last.total);
        assert.ok(nodes.some(({label}) => label === "big"
            || label.includes("program.py")));
        await reader.picture("flame");
    },

    async "callers hold no less than what they call"(reader) {
        for (const address of ["", "#inverted=1", "#group=function",
                               "#group=file&inverted=1", "#standard=1",
                               "#imports=1&standard=1&inverted=1",
                               "#figure=allocated", "#unit=blocks"]) {
            await reader.page.goto("about:blank");
            await reader.open("one.html", address);
            const nodes = await reader.nodes();
            const below = nodes.map(() => 0);
            for (const {parent, value} of nodes.slice(1)) {
                below[parent] += value;
            }
            nodes.forEach(({value, label}, at) =>
                assert.ok(below[at] <= value, `${address}: ${label}`));
            assert.equal(nodes[0].value, await reader.page.evaluate(() => {
                const page = globalThis.tracemallocReport;
                return page.profile.total(0, page.choice.column,
                                          page.choice.chosen);
            }), address);
        }
    },

    async "much more at the peak is told, and one click away"(reader) {
        await reader.open("higher.html");
        const {size, peak} = facts.higher;
        assert.match(await reader.text(".summary"), new RegExp(
            `Live: ${sizeText(size)} in .* at the peak: ${sizeText(peak)}`));
        await reader.picture("higher-peak");
        await reader.page.locator(".summary .peak").click();
        await reader.settled();
        assert.match(await reader.text(".summary"), new RegExp(
            `At peak: ${sizeText(peak)} in`));
        assert.equal((await reader.nodes())[0].value, peak);
        // Where it is about the same, that is not told.
        await reader.open("one.html");
        assert.ok(!/at the peak/.test(await reader.text(".summary")));
    },

    async "what is known of a row is in sight, below a long table"(reader) {
        await reader.open("many.html", "#view=table");
        const details = reader.page.locator(".details");
        const check = async () => {
            const {top, bottom, height} = await details.evaluate((element) => {
                const {top, bottom} = element.getBoundingClientRect();
                return {top, bottom, height: innerHeight};
            });
            assert.ok(top > 0 && bottom <= height + 1
                && bottom - top < 0.6 * height,
                `${top} to ${bottom} of ${height}`);
        };
        await reader.page.locator(".table tbody .link").nth(1).click();
        await check();
        await reader.picture("row-in-sight");
        await reader.page.setViewportSize({width: 380, height: 740});
        await reader.page.reload();
        await reader.page.waitForFunction(() => globalThis.tracemallocReport);
        await reader.settled();
        await check();
        await details.locator(".close").click();
        assert.ok(await details.isHidden());
        assert.equal(reader.hash.get("selected"), null);
    },

    async "a line of two versions has the function that it was in"(reader) {
        await reader.open("versions.html");
        const labels = (await reader.nodes()).map(({label}) => label);
        for (const label of ["one  version.py:2", "two  version.py:2"]) {
            assert.ok(labels.includes(label), labels.join(", "));
        }
    },

    async "a click zooms, and the browser's button goes back"(reader) {
        await reader.open("one.html");
        const whole = await reader.page.url();
        await reader.clickNode("work  program.py", 2);
        assert.match(await reader.text(".crumbs"), /work {2}program\.py:\d+/);
        assert.equal(await reader.text(".details h2"), "work");
        const zoomed = reader.page.url();
        assert.notEqual(zoomed, whole);
        await reader.picture("zoomed");
        await reader.clickNode("Cache.fill");
        assert.equal(await reader.text(".details h2"), "Cache.fill");
        await reader.page.goBack();
        await reader.settled();
        assert.equal(reader.page.url(), zoomed);
        assert.equal(await reader.text(".details h2"), "work");
        await reader.page.goBack();
        await reader.settled();
        assert.ok(await reader.page.locator(".details").isHidden());
        await reader.page.goForward();
        await reader.settled();
        assert.equal(await reader.text(".details h2"), "work");
    },

    async "a link shows what I see"(reader, another) {
        await reader.open("one.html");
        await reader.choose("figure", "allocated");
        await reader.choose("group", "function");
        await reader.clickNode("Cache.fill");
        await reader.search("json");
        const other = await another();
        await other.page.goto(reader.page.url());
        await other.page.waitForFunction(() => globalThis.tracemallocReport);
        await other.settled();
        for (const selector of [".summary", ".found", ".crumbs",
                                ".details"]) {
            assert.equal(await other.text(selector),
                         await reader.text(selector));
        }
        const window = (each) => each.page.evaluate(() => {
            const {flame} = globalThis.tracemallocReport;
            return [flame.from, flame.to, flame.selected];
        });
        assert.deepEqual(await window(other), await window(reader));
    },

    async "dragging moves, and the wheel with Ctrl zooms"(reader) {
        await reader.open("one.html");
        const window = () => reader.page.evaluate(() => {
            const {flame} = globalThis.tracemallocReport;
            return flame.to - flame.from;
        });
        const before = await window();
        const {x, y} = await reader.placeOf("total");
        await reader.page.mouse.move(x, y);
        await reader.page.keyboard.down("Control");
        await reader.page.mouse.wheel(0, -200);
        await reader.page.keyboard.up("Control");
        await reader.settled();
        const after = await window();
        assert.ok(after < before / 1.3, `${after} of ${before}`);
        await reader.page.mouse.down();
        await reader.page.mouse.move(x + 100, y, {steps: 4});
        await reader.page.mouse.up();
        await reader.settled();
        assert.ok(reader.hash.get("range"));
        assert.ok(!reader.hash.get("selected"));
        await reader.page.reload();
        await reader.page.waitForFunction(() => globalThis.tracemallocReport);
        assert.ok(Math.abs(await window() - after) < before / 1e5);
    },

    async "search finds text, lines, expressions and modules"(reader) {
        await reader.open("one.html");
        const expect = async (query, size) => {
            await reader.search(query);
            assert.match(await reader.text(".found"),
                         new RegExp(`^found: ${sizeOf(size)}, `), query);
        };
        // Of calls within calls that match, the outer ones count.
        const below = await reader.page.evaluate(() => {
            const {profile, choice} = globalThis.tracemallocReport;
            const inside = new Uint8Array(profile.parent.length);
            let sum = 0;
            for (let node = 1; node < inside.length; node++) {
                const frame = profile.frame[node];
                inside[node] = inside[profile.parent[node]] || (frame >= 0
                    && profile.fileName(frame).endsWith("program.py"));
                sum += inside[node] ? choice.values.after[node] : 0;
            }
            return sum;
        });
        assert.ok(below > 0 && below < last.total);
        await expect("program.py", below);
        await reader.page.locator("button", {hasText: "Callers below"})
            .click();
        await expect("program.py", below);
        await reader.page.locator("button", {hasText: "Callers below"})
            .click();
        await reader.view("Table");
        const shown = async (query) => {
            await reader.search(query);
            const rows = await reader.rows();
            return rows.map((row) => row.at(-1).split("\n")[0]);
        };
        assert.ok((await shown("program.py:30")).every((text) =>
            /program\.py:30 /.test(text)));
        assert.equal((await shown("program.py:30")).length, 1);
        assert.ok((await shown("/Cache\\.(fill|none)\\(/")).every((text) =>
            text.includes("Cache.fill()")));
        assert.ok((await shown("/Cache\\.(fill|none)\\(/")).length);
        const module = await shown("module:json");
        assert.ok(module.length && module.every((text) =>
            text.includes("/json/")));
        assert.deepEqual(await shown("nowhere at all"), []);
        await reader.search("/(/");
        assert.match(await reader.text(".found"), /no regular expression/);
        await reader.search("");
        const rows = await reader.rows();
        assert.ok(rows.length >= Math.min(100, last.lineno.length));
    },

    async "the table has what statistics say"(reader) {
        await reader.open("one.html", "#view=table");
        const rows = (await reader.rows()).filter((row) => row[3] !== "0");
        const expected = new Map(last.lineno.map((row) => [
            row.lineno && row.function ? `${row.filename}:${row.lineno} `
                + row.function + (row.function.startsWith("<") ? "" : "()")
                : `${row.filename}:${row.lineno}`, row]));
        for (const row of rows) {
            const fact = expected.get(row.at(-1).split("\n")[0]);
            assert.ok(fact, row.at(-1));
            assert.equal(row[0], fact.text);
            assert.equal(row[3], fact.count.toLocaleString("en"));
        }
        assert.ok(rows.length >= Math.min(100, expected.size - 5));
        assert.match(await reader.text(".table tfoot"),
                     new RegExp(sizeOf(last.total)));
        assert.match(await reader.text(".table tbody"),
                     /big = bytearray\(200_000\)/);
        await reader.picture("table");
    },

    async "each column sorts, both ways"(reader) {
        await reader.open("one.html", "#view=table");
        const heads = reader.page.locator(".table th button");
        const count = await heads.count();
        for (let column = 0; column < count; column++) {
            const orders = [];
            for (let turn = 0; turn < 2; turn++) {
                await heads.nth(column).click();
                const th = reader.page.locator(".table th").nth(column);
                orders.push([await th.getAttribute("aria-sort"),
                             (await reader.rows())[0]]);
            }
            assert.deepEqual(orders.map(([order]) => order).sort(),
                             ["ascending", "descending"]);
            assert.notDeepEqual(orders[0][1], orders[1][1]);
        }
    },

    async "the table is saved as it is shown"(reader) {
        await reader.open("one.html", "#view=table&search=Cache");
        const waiting = reader.page.waitForEvent("download");
        await reader.page.locator("button", {hasText: "CSV"}).click();
        const file = await (await waiting).path();
        const lines = readFileSync(file, "utf8").trim().split("\n");
        assert.equal(lines[0], "size,blocks,callees,line");
        assert.equal(lines.length - 1, (await reader.rows()).length);
        const facts = last.function.filter(({filename, function: name}) =>
            `${filename} ${name}`.includes("cache")
            || `${filename} ${name}`.includes("Cache"));
        assert.equal(sum(lines.slice(1).map((line) =>
            Number(line.split(",")[0]))), sum(facts.map(({size}) => size)));
    },

    async "filters leave exact sums"(reader) {
        await reader.open("one.html");
        for (const {filename, size} of last.thread) {
            await reader.choose("thread", filename);
            await reader.settled();
            assert.match(await reader.text(".summary"), new RegExp(
                `^Live: ${sizeOf(size)} in .* filtered from `
                + sizeOf(last.total)), filename);
            assert.equal((await reader.nodes())[0].value, size);
        }
        assert.ok(last.thread.length > 1);
        await reader.choose("thread", "");
        for (const {filename, size} of last.module) {
            await reader.choose("module", filename);
            await reader.settled();
            assert.equal((await reader.nodes())[0].value, size, filename);
        }
    },

    async "accounts are told apart in every view"(reader) {
        const {account, total} = facts.routes;
        const size = (name) => account.find(({filename}) =>
            filename === name).size;
        assert.equal(account.length, 3);
        assert.equal(sum(account.map(({size}) => size)), total);
        await reader.open("routes.html");
        await reader.choose("group", "account");
        await reader.settled();
        let nodes = await reader.nodes();
        assert.deepEqual(
            nodes.filter(({depth}) => depth === 1).map(
                ({label, value}) => [label, value]).sort(),
            account.map(({filename, size}) => [filename, size]).sort());
        assert.equal(nodes[0].value, total);
        // Below them are call paths, whose sums fit.
        const below = nodes.map(() => 0);
        nodes.slice(1).forEach(({parent, value}) => below[parent] += value);
        nodes.forEach(({value, label}, at) =>
            assert.ok(below[at] <= value, label));
        assert.ok(nodes.filter(({label}) => label.startsWith("fill  "))
            .length >= 3);
        await reader.picture("accounts");
        await reader.clickNode("GET /cart", 1);
        assert.equal(await reader.text(".details h2"), "GET /cart");
        assert.match(await reader.text(".details-figures"),
                     new RegExp(`Live\\s+${sizeOf(size("GET /cart"))}`));
        assert.match(await reader.text(".crumbs"), /GET \/cart/);
        assert.equal(reader.hash.get("group"), "account");
        await reader.page.reload();
        await reader.page.waitForFunction(() => globalThis.tracemallocReport);
        await reader.settled();
        assert.equal(await reader.text(".details h2"), "GET /cart");
        // Callees first: accounts are the last callers.
        await reader.page.locator("button", {hasText: "Callers below"})
            .click();
        await reader.settled();
        nodes = await reader.nodes();
        assert.equal(nodes[0].value, total);
        assert.equal(sum(nodes.filter(({label}) => label === "GET /stock")
            .map(({value}) => value)), size("GET /stock"));
        await reader.view("Table");
        const rows = await reader.rows();
        assert.deepEqual(
            rows.map((row) => [row.at(-1), row[0], row[3]]),
            account.map(({filename, text, count}) => [
                filename, text, count.toLocaleString("en")]));
        await reader.page.locator(".table tbody button", {
            hasText: "GET /stock"}).click();
        assert.match(await reader.text(".details-figures"),
                     new RegExp(`Live\\s+${sizeOf(size("GET /stock"))}`));
        await reader.picture("accounts-table");
        await reader.view("Treemap");
        await reader.settled();
        const boxes = () => reader.page.evaluate(() => {
            const {treemap} = globalThis.tracemallocReport;
            return [...treemap.known.values()].map((box) => ({
                name: box.name, text: box.text, value: box.value,
                depth: box.depth, above: box.above.text}));
        });
        assert.deepEqual((await boxes()).filter(({depth}) => depth === 1)
            .map(({text, value}) => [text, value]).sort(),
            account.map(({filename, size}) => [filename, size]).sort());
        await reader.picture("accounts-treemap");
        // A line in one account, and what of it is shown.
        const line = (await boxes()).filter(({depth, text}) => depth === 4
            && text.endsWith(" fill")).sort((one, other) =>
            other.value - one.value)[0];
        await reader.page.evaluate((name) => globalThis.tracemallocReport
            .state.set({selected: name}), line.name);
        assert.match(await reader.text(".details-figures"),
                     new RegExp(`Live\\s+${sizeOf(line.value)}`));
        await reader.choose("group", "line");
        await reader.settled();
        assert.ok((await boxes()).every(({text}) => text !== "GET /cart"));
    },

    async "a filter for accounts leaves exact sums"(reader) {
        await reader.open("routes.html");
        for (const {filename, size} of facts.routes.account) {
            await reader.choose("account", filename);
            await reader.settled();
            assert.equal((await reader.nodes())[0].value, size, filename);
            assert.equal(reader.hash.get("account"), filename);
        }
        await reader.open("one.html", "#group=account");
        assert.equal(await reader.page.locator("select[name=account]")
            .count(), 0);
        assert.ok(!(await reader.page.locator("select[name=group]")
            .innerText()).includes("accounts"));
        assert.equal((await reader.nodes())[0].value, last.total);
    },

    async "all that calls and all below is shown from one place"(reader) {
        await reader.open("one.html", "#group=function");
        const node = (await reader.nodes()).find(({label}) =>
            label.startsWith("JSONDecoder.decode"));
        await reader.clickNode("JSONDecoder.decode");
        await reader.page.locator("button", {hasText: "calls this"}).click();
        await reader.settled();
        assert.match(await reader.text(".relation"),
                     /^Everything that calls JSONDecoder\.decode/);
        let nodes = await reader.nodes();
        assert.ok(nodes[0].value >= node.value);
        assert.ok(nodes[1].label.startsWith("JSONDecoder.decode"));
        assert.ok(nodes.some(({label, depth}) => depth > 2
            && label.startsWith("Cache.fill")));
        await reader.picture("callers");
        const {value} = nodes[0];
        await reader.clickNode("JSONDecoder.decode");
        await reader.page.locator("button", {hasText: "below this"}).click();
        await reader.settled();
        nodes = await reader.nodes();
        assert.equal(nodes[0].value, value);
        assert.ok(nodes.every(({label}) => !label.startsWith("Cache.fill")));
        await reader.page.locator(".relation button").click();
        await reader.settled();
        assert.equal((await reader.nodes())[0].value, last.total);
    },

    async "folding puts memory where it was asked for"(reader) {
        await reader.open("one.html");
        const labels = async () => new Set((await reader.nodes())
            .filter(({depth}) => depth > 1).map(({label}) => label));
        assert.ok([...await labels()].some((label) =>
            label.includes("importlib")));
        await reader.page.locator("button", {hasText: "Fold imports"})
            .click();
        assert.ok([...await labels()].every((label) =>
            !label.includes("importlib._bootstrap")));
        await reader.page.locator("button", {hasText: "Fold standard"})
            .click();
        const folded = await labels();
        assert.ok([...folded].every((label) => !label.includes("decoder")));
        assert.ok([...folded].some((label) => label.startsWith("read")));
        assert.equal((await reader.nodes())[0].value, last.total);
    },

    async "a difference tells what grew, shrank, came and went"(reader) {
        await reader.open("difference.html");
        const [old, now] = [facts.snapshots[0], facts.snapshots[2]];
        const change = sizeText(now.total - old.total, true);
        assert.ok((await reader.text(".summary")).startsWith(
            `Live: ${change}`));
        assert.ok((await reader.page.title()).startsWith(change));
        const nodes = await reader.nodes();
        assert.equal(nodes[0].before, old.total);
        assert.equal(nodes[0].value, now.total);
        // Sorted by change among those of one caller.
        for (let parent = 0; parent < nodes.length; parent++) {
            const below = nodes.filter((node) => node.parent === parent)
                .sort((one, other) => one.x - other.x)
                .map((node) => node.value - node.before);
            assert.deepEqual(below, [...below].sort((a, b) => b - a));
        }
        const marks = await reader.page.evaluate(() => {
            const {flame} = globalThis.tracemallocReport;
            const found = {"": 0, new: 0, gone: 0};
            for (let node = 1; node < flame.view.count; node++) {
                const mark = flame.look.mark(node);
                found[mark]++;
                if ((mark === "gone") !== (flame.view.after[node] === 0)
                        || (mark === "new")
                            !== (flame.view.before[node] === 0)) {
                    throw new Error(mark);
                }
            }
            return found;
        });
        assert.ok(marks.gone > 0);
        await reader.picture("difference");
        await reader.view("Table");
        assert.match(await reader.text(".table thead"),
                     /change▾\s+size\s+change\s+blocks/);
        const gone = (await reader.rows()).filter((row) =>
            /gone/.test(row.at(-1)));
        assert.ok(gone.some((row) => row.at(-1).includes("<module>")
            && row[1] === "0 B" && row[0].startsWith("-")));
        await reader.picture("difference-table");
        await reader.choose("older", "none");
        assert.match(await reader.text(".summary"), new RegExp(
            `^Live: ${sizeOf(now.total)} in`));
    },

    async "handles of the timeline choose what is compared"(reader) {
        await reader.open("series.html", "#view=timeline");
        await reader.picture("timeline");
        assert.equal(await reader.page.locator(".chart .line").count(), 3);
        const handle = (name) => reader.page.getByLabel(name);
        const expect = async (from, to) => {
            const [old, now] = [facts.snapshots[from], facts.snapshots[to]];
            assert.ok((await reader.text(".summary")).startsWith(
                `Live: ${sizeText(now.total - old.total, true)} `));
            assert.equal(await reader.page.locator("select[name=older]")
                .inputValue(), String(from));
        };
        await expect(0, 2);
        await handle("compare from").focus();
        await reader.page.keyboard.press("ArrowRight");
        await expect(1, 2);
        await reader.page.goBack();
        await expect(0, 2);
        await handle("compare to").focus();
        await reader.page.keyboard.press("ArrowLeft");
        await expect(0, 1);
    },

    async "a record shows what it remembers, and how it ended"(reader) {
        await reader.open("record.html", "#view=timeline");
        const told = await reader.page.evaluate(() => {
            const {history, snapshots} =
                globalThis.tracemallocReport.profile;
            return {...history, snapshots: snapshots.length};
        });
        assert.equal(told.snapshots, 1);
        assert.equal(told.traced.at(-1), facts.record.current);
        assert.equal(told.peak.at(-1), facts.record.peak);
        assert.ok(told.time.length > 1
            && told.time.length <= facts.record.moments);
        assert.match(await reader.text(".facts"),
                     /gone: killed, crashed, or replaced/);
        assert.match(await reader.text(".facts"), /written \d+ s before/);
        const lines = reader.page.locator(".chart .line");
        assert.equal(await lines.count(), 3);
        for (const points of await lines.evaluateAll((all) =>
            all.map((line) => line.getAttribute("points").split(" ")))) {
            assert.equal(points.length, told.time.length);
            const across = points.map((point) => parseFloat(point));
            assert.deepEqual(across, across.toSorted((a, b) => a - b));
        }
        assert.equal(await reader.page.locator(".handles input").count(), 0);
        await reader.picture("record");
        await reader.view("Flame graph");
        await reader.settled();
        assert.ok((await reader.nodes())[0].value
            === facts.record.current);
    },

    async "source has bytes in the margin and expressions marked"(reader) {
        await reader.open("one.html", "#view=source");
        assert.match(await reader.text(".listing h2"), /program\.py$/);
        const rows = await reader.page.locator(".listing tbody tr")
            .evaluateAll((rows) => rows.map((row) => [
                ...[...row.cells].map((cell) => cell.innerText.trim()),
                [...row.querySelectorAll(".spot")].map((spot) =>
                    spot.textContent).join("")]));
        const big = rows.find((row) => row.at(-2).startsWith("big ="));
        assert.equal(big.at(-1), "bytearray(200_000)bytearray(3_000)");
        for (const row of last.lineno.filter(({filename}) =>
            filename.endsWith("program.py"))) {
            assert.equal(rows[row.lineno - 1][0], row.text);
        }
        await reader.picture("source");
        const line = rows.findIndex((row) => row.at(-2) === LINE) + 1;
        await reader.page.locator(".listing .number button",
                                  {hasText: String(line)}).first().click();
        assert.equal(await reader.text(".details h2"), "Cache.fill");
        assert.match(await reader.text(".details .callers"),
                     /Called by \(1\)\s+.*\s*work {2}program\.py:\d+/);
        assert.equal(reader.hash.get("line"), String(line));
    },

    async "source can be left out"(reader) {
        await reader.open("without-source.html", "#view=source");
        assert.match(await reader.text(".listing"), /--no-source/);
        const text = readFileSync(path.join(folder, "without-source.html"),
                                  "utf8");
        assert.ok(!text.includes("bytearray(200_000)"));
    },

    async "the treemap has modules, files and lines"(reader) {
        await reader.open("one.html", "#view=treemap");
        const boxes = await reader.page.evaluate(() => {
            const {treemap} = globalThis.tracemallocReport;
            const all = (box) => [box, ...box.inside.flatMap(all)];
            return all(treemap.root).map((box) => ({
                name: box.name, text: box.text, value: box.value,
                depth: box.depth, inside: box.inside.reduce(
                    (sum, each) => sum + each.value, 0),
                area: box.wide * box.high,
                parts: box.inside.reduce((sum, each) =>
                    sum + each.wide * each.high, 0)}));
        });
        assert.equal(boxes[0].value, last.total);
        for (const box of boxes) {
            assert.ok(box.depth === 3 || box.inside === box.value
                      || box.text === "(other)", box.text);
            assert.ok(box.parts <= box.area * 1.0001);
        }
        for (const {filename, size} of last.module) {
            assert.equal(boxes.find(({text, depth}) => depth === 1
                && text === filename).value, size);
        }
        await reader.picture("treemap");
        const box = await reader.page.evaluate(() => {
            const {treemap} = globalThis.tracemallocReport;
            const [found] = [...treemap.known.values()].filter((each) =>
                each.text.endsWith("<module>") && each.wide > 60);
            const place = treemap.element.getBoundingClientRect();
            return {x: place.x + found.x + found.wide / 2,
                    y: place.y + found.y + found.high / 2};
        });
        await reader.page.mouse.click(box.x, box.y);
        assert.equal(await reader.text(".details h2"), "<module>");
        await reader.page.mouse.dblclick(box.x, box.y);
        await reader.settled();
        assert.match(reader.hash.get("at"), /^p\d+$/);
        await reader.page.locator(".treemap").focus();
        await reader.page.keyboard.press("Escape");
        await reader.page.keyboard.press("ArrowDown");
        assert.match(reader.hash.get("selected"), /^m\d+$/);
        await reader.page.keyboard.press("ArrowDown");
        assert.match(reader.hash.get("selected"), /^p\d+$/);
    },

    async "everything can be done from the keyboard"(reader) {
        const press = async (...keys) => {
            for (const key of keys) {
                await reader.page.keyboard.press(key);
            }
            await reader.settled();
        };
        await reader.open("one.html");
        await press("1", "ArrowDown");
        assert.match(await reader.text(".unseen[aria-live]"),
                     /^<module>\s+program\.py:\d+, .*, level 1, /);
        assert.ok(!reader.hash.get("at"));
        await press("ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp",
                    "Enter");
        assert.ok(reader.hash.get("at"));
        await press("+");
        await press("Escape");
        assert.ok(!reader.hash.get("at"));
        await press("i");
        assert.equal(reader.hash.get("inverted"), "1");
        await press("/");
        await reader.page.keyboard.type("json");
        await reader.settled();
        assert.equal(reader.hash.get("search"), "json");
        await press("Escape");
        assert.equal(reader.hash.get("search"), null);
        await press("2");
        assert.ok(await reader.page.locator(".table").isVisible());
        await press("?");
        assert.ok(await reader.page.locator("dialog").isVisible());
        await press("Escape");
        assert.ok(await reader.page.locator("dialog").isHidden());
        await press("t");
        assert.equal(reader.hash.get("theme"), "dark");
        // Whatever can be clicked has its turn, and shows that it has it.
        const seen = new Set();
        await reader.page.evaluate(() => document.activeElement.blur());
        for (let turn = 0; turn < 60; turn++) {
            await reader.page.keyboard.press("Tab");
            seen.add(await reader.page.evaluate(() => {
                const at = document.activeElement;
                return at.getAttribute("aria-label") || at.name
                    || at.innerText || at.className;
            }));
        }
        for (const name of ["dark or light", "help", "Flame graph", "Search",
                            "figure", "unit", "group", "thread", "module",
                            "CSV", "share"]) {
            assert.ok([...seen].some((each) => each.startsWith(name)),
                      `${name}: ${[...seen].join(", ")}`);
        }
    },

    async "screen readers get the table"(reader) {
        await reader.open("one.html");
        await reader.page.keyboard.press("Tab");
        assert.match(await reader.page.evaluate(() =>
            document.activeElement.innerText), /Show the table/);
        await reader.page.keyboard.press("Enter");
        await reader.settled();
        const tree = await reader.page.locator("body").ariaSnapshot();
        assert.match(tree, /- table/);
        assert.match(tree, /columnheader "size/);
        assert.match(tree, /main/);
        assert.match(tree, /navigation "Views"/);
        await reader.open("one.html");
        assert.match(await reader.page.locator("body").ariaSnapshot(),
                     /application "Flame graph\. Arrow keys/);
    },

    async "dark is as the reader's system, or as chosen"(reader) {
        const paper = () => reader.page.evaluate(() =>
            getComputedStyle(document.body).backgroundColor);
        await reader.page.emulateMedia({colorScheme: "dark"});
        await reader.open("one.html");
        assert.equal(await paper(), "rgb(23, 24, 27)");
        await reader.clickNode("work  program.py", 2);
        await reader.picture("dark");
        await reader.page.locator(".corner button").first().click();
        assert.equal(await paper(), "rgb(255, 255, 255)");
        assert.equal(reader.hash.get("theme"), "light");
        await reader.open("difference.html");
        await reader.picture("dark-difference");
        await reader.view("Treemap");
        await reader.settled();
        await reader.picture("dark-treemap");
    },

    async "texts are readable on what is behind them"(reader) {
        for (const colorScheme of ["light", "dark"]) {
            await reader.page.emulateMedia({colorScheme});
            await reader.open("one.html");
            const worst = await reader.page.evaluate(() => {
                const {colors, profile} = globalThis.tracemallocReport;
                const parts = (color) => color.match(/\w\w/g).map((each) => {
                    const part = parseInt(each, 16) / 255;
                    return part <= 0.04045 ? part / 12.92
                        : ((part + 0.055) / 1.055) ** 2.4;
                });
                const light = (color) => {
                    const [r, g, b] = parts(color);
                    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
                };
                const contrast = (one, other) => {
                    const [high, low] = [light(one), light(other)]
                        .sort((a, b) => b - a);
                    return (high + 0.05) / (low + 0.05);
                };
                const behind = [colors.other, colors.found];
                for (let frame = 0; frame < profile.frames.line.length;
                        frame++) {
                    behind.push(colors.ofModule(frame));
                }
                for (let share = -1; share <= 1; share += 0.1) {
                    behind.push(colors.ofChange(share, 1));
                }
                return Math.min(...behind.map((color) =>
                    contrast(colors.ink, color)));
            });
            assert.ok(worst >= 4.5, `${colorScheme}: ${worst}`);
        }
    },

    async "a phone shows everything"(reader) {
        await reader.page.setViewportSize({width: 380, height: 740});
        for (const view of ["flame", "table", "treemap", "source",
                            "timeline"]) {
            await reader.open("series.html", `#view=${view}`);
            const wide = await reader.page.evaluate(() =>
                document.scrollingElement.scrollWidth);
            assert.ok(wide <= 380, `${view}: ${wide}`);
            await reader.picture(`phone-${view}`);
        }
        await reader.open("one.html");
        await reader.clickNode("work  program.py", 2);
        assert.equal(await reader.text(".details h2"), "work");
        await reader.page.locator(".choices summary").click();
        await reader.choose("figure", "peak");
        assert.match(await reader.text(".summary"), /^At peak: /);
        await reader.picture("phone-zoomed");
    },

    async "paper is white and has no buttons"(reader) {
        await reader.page.emulateMedia({colorScheme: "dark"});
        await reader.open("one.html", "#view=table");
        await reader.page.emulateMedia({media: "print",
                                        colorScheme: "dark"});
        await reader.page.evaluate(() =>
            dispatchEvent(new Event("beforeprint")));
        assert.equal(await reader.page.evaluate(() =>
            document.documentElement.dataset.theme), "light");
        for (const selector of [".tools", ".tabs", ".corner"]) {
            assert.ok(await reader.page.locator(selector).isHidden());
        }
        await reader.picture("print");
        const paper = await reader.page.pdf();
        assert.ok(paper.length > 10_000);
    },

    async "hostile text is shown as text"(reader) {
        await reader.open("hostile.html");
        for (const view of ["flame", "table", "treemap", "source"]) {
            await reader.page.evaluate((view) =>
                globalThis.tracemallocReport.state.set({view}), view);
            await reader.settled();
            await reader.picture(`hostile-${view}`);
        }
        assert.equal(await reader.page.evaluate(() => globalThis.hacked),
                     undefined);
        assert.equal(await reader.page.locator("img, iframe, object").count(),
                     0);
        assert.equal(await reader.page.locator("script").count(), 1);
        assert.match(await reader.text("h1"),
                     /^<\/script><script>window\.hacked=1<\/script>$/);
        await reader.open("hostile.html", "#view=table");
        const text = await reader.text(".table tbody");
        for (const name of ["<img src=x onerror=window.hacked=1>:1",
                            "\\u202egnp.exe:1", "a\\u2028b\\u2029c.py:1",
                            "\\ud800 lone.py:1", "__proto__:1",
                            "constructor:1", "65,006 characters"]) {
            assert.ok(text.includes(name), name);
        }
        await reader.search("__proto__");
        assert.equal((await reader.rows()).length, 2);
    },

    async "an address may say anything"(reader) {
        for (const name of ["__proto__", "constructor", "x"]) {
            for (const view of [name, "table", "treemap", "source",
                                "timeline"]) {
                await reader.page.goto("about:blank");
                await reader.open("one.html",
                    `#view=${view}&figure=${name}&unit=${name}&group=${name}`
                    + `&sort=${name}&at=${name}&selected=${name}&file=${name}`
                    + `&older=${name}&focus=${name}&range=${name}`);
                assert.match(await reader.text(".summary"), /^Live: /);
            }
        }
        await reader.open("one.html", "#view=table&figure=x");
        assert.ok((await reader.rows()).length > 10);
    },

    async "a timeline of any numbers"(reader) {
        await reader.open("numbers.html", "#view=timeline");
        const ticks = await reader.page.locator(".timeline .grid").count();
        assert.ok(ticks > 1 && ticks < 7, String(ticks));
    },

    async "nothing may be loaded or run but what is there"(reader) {
        await reader.open("one.html");
        const refused = await reader.page.evaluate(async () => {
            const found = [];
            addEventListener("securitypolicyviolation", (event) =>
                found.push(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.hacked = 1";
            document.body.append(script);
            const image = document.createElement("img");
            image.src = "http://127.0.0.1:9/x.png";
            document.body.append(image);
            try {
                await fetch("http://127.0.0.1:9/");
            } catch {
                found.push("fetch");
            }
            await new Promise((done) => setTimeout(done, 100));
            return {found, hacked: globalThis.hacked};
        });
        assert.equal(refused.hacked, undefined);
        for (const what of ["script-src-elem", "img-src", "connect-src",
                            "fetch"]) {
            assert.ok(refused.found.includes(what), what);
        }
        reader.problems.length = 0;
    },

    async "samples are told to be estimates"(reader) {
        await reader.open("sampled.html");
        assert.match(await reader.text(".summary"),
                     /^Live: .* \u00b1.*estimated from samples/);
        assert.match(await reader.text("footer"),
                     /estimated from samples, one per 4096 B/);
        await reader.clickNode("work  program.py", 2);
        assert.match(await reader.text(".details .estimate"),
                     /\u00b1.* \(standard error\)/);
    },

    async "processes can be chosen"(reader) {
        await reader.open("processes.html");
        const sums = facts.snapshots.map(({total}) => total);
        assert.equal((await reader.nodes())[0].value, sums[0] + sums[1]);
        for (const [at, name] of ["process 1", "process 2"].entries()) {
            await reader.choose("process", name);
            await reader.settled();
            assert.equal((await reader.nodes())[0].value, sums[at]);
        }
    },

    async "what is too small is one box with the exact sum"(reader) {
        await reader.open("many.html");
        const nodes = await reader.nodes();
        assert.equal(nodes[0].value, facts.many.total);
        const others = nodes.filter(({label}) => label === "(other)");
        assert.ok(others.length > 100);
        assert.match(await reader.text("footer"),
                     /[\d,]+ call paths below [\d.e-]+% of every total are/);
        await reader.picture("many");
        await reader.page.evaluate(() => {
            const {flame} = globalThis.tracemallocReport;
            const all = Array.from({length: flame.view.count}, (_, at) => at)
                .filter((node) => flame.view.label(node) === "(other)");
            flame.told.select(all.sort((one, other) =>
                flame.view.width[other] - flame.view.width[one])[0]);
        });
        await reader.settled();
        assert.equal(await reader.text(".details h2"), "(other)");
        await reader.open("many.html", "#inverted=1&group=module");
        assert.equal((await reader.nodes())[0].value, facts.many.total);
        await reader.picture("many-inverted");
    },

    async "an empty snapshot is told to be so"(reader) {
        await reader.open("empty.html");
        assert.match(await reader.text(".crumbs"), /There is nothing/);
        for (const view of ["Table", "Treemap", "Source"]) {
            await reader.view(view);
        }
    },
};

run(tests);

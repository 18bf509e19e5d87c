// Numbers as the commands in a terminal write them.

/** Round to so many digits as Python does: a tie to the even neighbour. */
function fixed(value, digits) {
    const scale = 10 ** digits;
    const scaled = value * scale;
    const rounded = Math.abs(scaled % 1) === 0.5
        ? 2 * Math.round(scaled / 2) : Math.round(scaled);
    return (rounded / scale).toFixed(digits);
}

/** Write bytes: "512 B", "9.8 KiB", "1536 KiB"; with a sign if `sign`. */
export function sizeText(size, sign = false) {
    const mark = size < 0 ? "-" : sign && size > 0 ? "+" : "";
    let amount = Math.abs(size);
    for (const unit of ["B", "KiB", "MiB", "GiB"]) {
        if (amount < 100 && unit !== "B") {
            return `${mark}${fixed(amount, 1)} ${unit}`;
        }
        if (amount < 10240) {
            return `${mark}${fixed(amount, 0)} ${unit}`;
        }
        amount /= 1024;
    }
    return `${mark}${fixed(amount, amount < 100 ? 1 : 0)} TiB`;
}

/** Write a number of blocks: "1,234"; with a sign if `sign`. */
export function countText(count, sign = false) {
    const text = String(Math.abs(Math.round(count)))
        .replace(/\B(?=(\d{3})+$)/g, ",");
    return (count < 0 ? "-" : sign && count > 0 ? "+" : "") + text;
}

export function figureText(value, unit, sign = false) {
    return unit === "blocks" ? countText(value, sign) : sizeText(value, sign);
}

/** Write a share: "38.4%"; "-" of nothing. */
export function shareText(part, whole) {
    return whole ? `${fixed(100 * part / whole, 1)}%` : "-";
}

export function plural(number, one, many = `${one}s`) {
    return `${countText(number)} ${number === 1 ? one : many}`;
}

/** Write a number of seconds: "12 s", "3 min", "5 h", "2 days". */
export function durationText(seconds) {
    for (const [unit, name] of [[172800, "days"], [7200, "h"], [120, "min"]]) {
        if (seconds >= unit) {
            const one = {days: 86400, h: 3600, min: 60}[name];
            return `${Math.round(seconds / one)} ${name}`;
        }
    }
    return `${Math.round(seconds)} s`;
}

/** Write a moment of a snapshot, given in seconds since 1970. */
export function timeText(seconds) {
    const moment = new Date(seconds * 1000);
    if (Number.isNaN(moment.getTime())) {
        return "?";
    }
    const two = (number) => String(number).padStart(2, "0");
    return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-`
        + `${two(moment.getDate())} ${two(moment.getHours())}:`
        + `${two(moment.getMinutes())}:${two(moment.getSeconds())}`;
}

/* Numbers as text. page/lib.php writes them the same way for the first paint. */

const THIN = "\u202f";

export function number(value, digits = 1) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    const [whole, fraction] = Math.abs(value).toFixed(digits).split(".");
    const sign = value < 0 ? "-" : "";
    return sign + whole.replace(/\B(?=(\d{3})+$)/g, THIN) + (fraction ? "." + fraction : "");
}

/* 1234567 as "1.2 M", for a unit to follow. */
export function scaled(value) {
    if (value === null || value === undefined) return "– ";
    for (const prefix of ["", "k", "M", "G"]) {
        if (Math.abs(value) < 999.5)
            return number(value, prefix === "" || Math.abs(value) >= 99.5 ? 0 : 1) + THIN + prefix;
        value /= 1000;
    }
    return number(value) + THIN + "T";
}

/* A unit as people write it; messages keep to ASCII. */
export function unit(name) {
    return name === "us" ? "µs" : name;
}

export function duration(seconds) {
    if (seconds < 10) return number(seconds) + THIN + "s";
    if (seconds < 90) return Math.round(seconds) + THIN + "s";
    return seconds < 5400 ? Math.round(seconds / 60) + THIN + "min" : Math.round(seconds / 3600) + THIN + "h";
}

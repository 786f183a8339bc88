/** Two-by-two matrices as arrays [a, b, c, d] of [[a, b], [c, d]], with the limits that the Python code has. */

const TINY_DETERMINANT = 1e-12;
const LEAST_GAP = 1e-6; // between the stretches of a map, as a share of the larger, below which they count as equal
const TINY = 1.1754943508222875e-38; // the smallest normal number of 32 bits

export const IDENTITY = [1, 0, 0, 1];

/** Multiply two matrices. */
export function multiply([a, b, c, d], [e, f, g, h]) {
    return [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h];
}

/** Go from one matrix to another by a share of the way. */
export function between(from, to, share) {
    return from.map((value, place) => value + share * (to[place] - value));
}

/** Invert a matrix; a determinant nearer to zero than 1e-12 is taken as that, with its sign. */
export function inverse([a, b, c, d]) {
    let determinant = a * d - b * c;
    if (Math.abs(determinant) < TINY_DETERMINANT) {
        determinant = determinant < 0 ? -TINY_DETERMINANT : TINY_DETERMINANT;
    }
    return [d / determinant, -b / determinant, -c / determinant, a / determinant];
}

/** Raise a matrix to a power: its rotation by a share of the angle, its stretch to that power. */
export function power(map, share) {
    const [a, b, c, d] = map;
    const determinant = a * d - b * c;
    if (!(determinant > 0)) {
        return between(IDENTITY, map, share);
    }
    const angle = Math.atan2(c - b, a + d);
    const stretch = multiply(rotation(-angle), map);
    return multiply(rotation(share * angle), symmetricPower(stretch, determinant, share));
}

/** Build the rotation by an angle, from x towards y. */
export function rotation(angle) {
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    return [cos, -sin, sin, cos];
}

function symmetricPower([a, b1, b2, c], determinant, share) {
    const b = (b1 + b2) / 2;
    const large = Math.max((a + c) / 2 + Math.sqrt(((a - c) / 2) ** 2 + b * b), TINY);
    const small = Math.max(determinant / large, TINY);
    const gap = large - small;
    const slope = gap < LEAST_GAP * large ? share * large ** (share - 1) : (large ** share - small ** share) / gap;
    const rest = small ** share - slope * small;
    return [slope * a + rest, slope * b, slope * b, slope * c + rest];
}

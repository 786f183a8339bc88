/**
 * Poses and their retargeting, as the Python code has them (animation/retarget.py, animation/motion/controls.py).
 *
 * A pose is an object of tensors by name, each {data, dims} of one batch: `points` (1, K, 2), perhaps `jacobians`
 * (1, K, 2, 2), and what else the model reads. `spec` is {poseExtras, unsignedFrames, keepsPose}.
 */

import { between, inverse, multiply, power } from "./matrix2x2.mjs";

const FLAT = 1e-12;
const TINY_LENGTH = 1e-12; // squared; below it points all lie in one place

/** Take a tensor apart into rows: points by 2, linear maps by 4. */
export function rows(tensor, width) {
    return Array.from({ length: tensor.data.length / width }, (_, row) => [
        ...tensor.data.subarray(row * width, (row + 1) * width),
    ]);
}

/** Make a tensor of rows, with the sides of another. */
export function tensorLike(other, values) {
    return { data: Float32Array.from(values.flat()), dims: other.dims };
}

/** Add the change since the anchor to the source's own pose: p = p_s + c (p_t - p_0), J = J_t J_0^-1 J_s. */
export function relative(own, anchor, pose, scale) {
    const moved = { ...pose };
    const [start, now] = [anchor.points.data, pose.points.data];
    moved.points = {
        data: own.points.data.map((place, index) => place + scale * (now[index] - start[index])),
        dims: pose.points.dims,
    };
    if (pose.jacobians && anchor.jacobians && own.jacobians) {
        const [first, ours] = [rows(anchor.jacobians, 4), rows(own.jacobians, 4)];
        const maps = rows(pose.jacobians, 4).map((map, k) => multiply(multiply(map, inverse(first[k])), ours[k]));
        moved.jacobians = tensorLike(pose.jacobians, maps);
    }
    return moved;
}

/** Compute sqrt(hull area) of the source's points over that of the anchor's; 1 where either hull is flat. */
export function movementScale(own, anchor) {
    const [ours, theirs] = [hullArea(rows(own.points, 2)), hullArea(rows(anchor.points, 2))];
    return ours && theirs ? Math.sqrt(ours) / Math.sqrt(theirs) : 1;
}

/** Compute the area of the convex hull of points, by monotone chains; 0 where it is flat or not finite. */
export function hullArea(points) {
    if (points.length < 3 || !points.flat().every(Number.isFinite)) {
        return 0;
    }
    const sorted = [...points].sort(([a, b], [c, d]) => a - c || b - d);
    const hull = [...halfHull(sorted), ...halfHull(sorted.reverse())];
    const twice = hull.reduce((sum, [x, y], index) => {
        const [u, v] = hull[(index + 1) % hull.length];
        return sum + x * v - u * y;
    }, 0);
    return Math.abs(twice) / 2 > FLAT ? Math.abs(twice) / 2 : 0;
}

function halfHull(points) {
    const chain = [];
    for (const point of points) {
        while (chain.length > 1 && turn(chain.at(-2), chain.at(-1), point) <= 0) {
            chain.pop();
        }
        chain.push(point);
    }
    return chain.slice(0, -1);
}

function turn([a, b], [c, d], [e, f]) {
    return (c - a) * (f - b) - (d - b) * (e - a);
}

/** Change a retargeted pose: go `strength` of the way from the source's own, with what is not rigid by `expression`. */
export function controlled({ strength, expression }, own, pose, spec) {
    const moved = strength && expression !== 1 ? apart(expression, own, pose, spec) : pose;
    if (strength === 1) {
        return moved;
    }
    const result = { ...moved, points: blend(own.points, moved.points, strength) };
    if (moved.jacobians && own.jacobians) {
        const changes = changesOf(own, moved, spec);
        const maps = rows(own.jacobians, 4).map((map, k) =>
            strength ? multiply(power(changes[k], strength), map) : map,
        );
        result.jacobians = tensorLike(moved.jacobians, maps);
    }
    return { ...result, ...blendedExtras(own, moved, spec, strength) };
}

/** Give what a change has beyond its rigid part, as seen from the head, a strength of its own. */
function apart(share, own, pose, spec) {
    const [before, after] = [rows(own.points, 2), rows(pose.points, 2)];
    const head = fitSimilarity(before, after);
    const points = before.map((point, k) => {
        const rigid = head.move(point);
        return rigid.map((value, axis) => value + share * (after[k][axis] - value));
    });
    const result = { ...pose, points: tensorLike(pose.points, points) };
    if (pose.jacobians && own.jacobians) {
        const undo = inverse(head.matrix);
        const ours = rows(own.jacobians, 4);
        const maps = changesOf(own, pose, spec).map((change, k) =>
            multiply(multiply(head.matrix, power(multiply(undo, change), share)), ours[k]),
        );
        result.jacobians = tensorLike(pose.jacobians, maps);
    }
    return { ...result, ...blendedExtras(own, pose, spec, share) };
}

/** Compute R = J J_s^-1; where a map and its negative mean the same, the one that turns less. */
function changesOf(own, pose, spec) {
    const ours = rows(own.jacobians, 4);
    return rows(pose.jacobians, 4).map((map, k) => {
        const change = multiply(map, inverse(ours[k]));
        return spec.unsignedFrames && change[0] + change[3] < 0 ? change.map((value) => -value) : change;
    });
}

/** Fit the similarity (turn, uniform scale, shift) that brings points nearest to others. */
function fitSimilarity(before, after) {
    const [start, end] = [mean(before), mean(after)];
    let [length, re, im] = [0, 0, 0];
    before.forEach((point, k) => {
        const [x, y] = [point[0] - start[0], point[1] - start[1]];
        const [u, v] = [after[k][0] - end[0], after[k][1] - end[1]];
        length += x * x + y * y;
        re += x * u + y * v;
        im += x * v - y * u;
    });
    const flat = length < TINY_LENGTH || re * re + im * im < TINY_LENGTH * length;
    [re, im] = flat ? [1, 0] : [re / length, im / length];
    const move = ([x, y]) => [
        re * (x - start[0]) - im * (y - start[1]) + end[0],
        im * (x - start[0]) + re * (y - start[1]) + end[1],
    ];
    return { matrix: [re, -im, im, re], move };
}

function mean(points) {
    return [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
}

function blend(own, other, share) {
    return { data: Float32Array.from(between([...own.data], other.data, share)), dims: other.dims };
}

/** Blend those extras that describe the pose; matrices (1, K, 2, 2) go no further than all of the way. */
function blendedExtras(own, pose, spec, share) {
    const found = {};
    for (const name of spec.poseExtras) {
        if (pose[name] && own[name]) {
            const weight = pose[name].dims.length === 4 ? Math.min(share, 1) : share;
            found[name] = weight === 1 ? pose[name] : blend(own[name], pose[name], weight);
        }
    }
    return found;
}

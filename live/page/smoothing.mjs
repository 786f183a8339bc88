/** Causal smoothing of poses: the One Euro filter of animation/motion/smoothing.py, for frames that come unevenly. */

import { rows, tensorLike } from "./motion.mjs";

const SPEED_GAIN = 8; // Hz of cutoff per half picture side a second
const SPEED_CUTOFF = 2; // Hz, of the speed that it goes by

/** Smoother of poses that come one after the other: a still head is steadied, a moving one is not held back. */
export class CausalSmoother {
    constructor(spec) {
        this.spec = spec;
        this.reset();
    }

    /** Forget what came before, as at a cut or for another face. */
    reset() {
        this.state = null;
        this.raw = null;
        this.velocity = null;
    }

    /** Smooth the next pose by `seconds`; it comes 1 / `rate` seconds after the one before. */
    next(pose, seconds, rate) {
        if (seconds === 0) {
            this.reset();
            return pose;
        }
        const parts = this.#parts(pose);
        if (this.state === null) {
            [this.state, this.raw] = [parts, pose.points.data];
            this.velocity = new Float64Array(this.raw.length);
            return pose;
        }
        const weight = this.#weight(pose.points.data, seconds, rate);
        const signs = this.#signs(parts);
        if (signs) {
            parts.jacobians = turned(parts.jacobians, signs);
        }
        for (const [name, part] of Object.entries(parts)) {
            const before = this.state[name].data;
            const data = part.data.map((value, index) => before[index] + weight * (value - before[index]));
            this.state[name] = { data, dims: part.dims };
        }
        const smooth = { ...pose, ...this.state };
        return signs ? { ...smooth, jacobians: turned(this.state.jacobians, signs) } : smooth;
    }

    #parts(pose) {
        const names = ["points", "jacobians", ...this.spec.poseExtras].filter((name) => pose[name]);
        return Object.fromEntries(names.map((name) => [name, pose[name]]));
    }

    /** Compute how much the new pose counts, by the speed of the head. */
    #weight(points, seconds, rate) {
        const share = weightOf(SPEED_CUTOFF, rate);
        const head = [0, 0];
        points.forEach((place, index) => {
            const change = (place - this.raw[index]) * rate;
            this.velocity[index] += share * (change - this.velocity[index]);
            head[index % 2] += this.velocity[index] / (points.length / 2);
        });
        this.raw = points;
        return weightOf(1 / (2 * Math.PI * seconds) + SPEED_GAIN * Math.hypot(...head), rate);
    }

    /** Return -1 for maps that point against the ones before them, else 1; null where the sign means something. */
    #signs(parts) {
        if (!this.spec.unsignedFrames || !parts.jacobians) {
            return null;
        }
        const before = rows(this.state.jacobians, 4);
        return rows(parts.jacobians, 4).map((map, k) => {
            const product = map.reduce((sum, value, place) => sum + value * before[k][place], 0);
            return product < 0 ? -1 : 1;
        });
    }
}

function turned(maps, signs) {
    return tensorLike(maps, rows(maps, 4).map((map, k) => map.map((value) => signs[k] * value)));
}

/** Compute how much a new value counts in an exponential filter with this cutoff in Hz. */
function weightOf(cutoff, rate) {
    const ratio = (2 * Math.PI * cutoff) / rate;
    return ratio / (ratio + 1);
}

/** Live session of the browser's own engine: one model, one picture, a pose at a time. */

import { controlled, movementScale, relative } from "./motion.mjs";
import { CausalSmoother } from "./smoothing.mjs";

const USUAL_RATE = 25; // frames per second, where the time between two frames says nothing
const LONGEST_GAP = 1000; // ms without a frame, after which the next one is smoothed by none before it

/**
 * State that a stream of frames leaves behind: the picture's own pose, the anchor, the smoother.
 *
 * Pictures and frames are squares, {at(size, mirror)}: their planes (3, size, size). Movement is measured from the
 * first frame until `recentre`, with other models and pictures too.
 */
export class LiveSession {
    constructor(settings) {
        this.settings = settings; // {strength, expression, smooth, mirror, framing}
        this.picture = null;
        this.recentre();
        this.last = null; // when the last frame was captured
    }

    /** Go on with another model, {animator, size, spec}. */
    async use(model) {
        this.model = model;
        this.smoother = new CausalSmoother(model.spec);
        await this.#begin();
    }

    /** Go on with another picture. */
    async show(picture) {
        this.picture = picture;
        await this.#begin();
    }

    /** Whether there is something to draw. */
    get isReady() {
        return Boolean(this.source);
    }

    /** Change settings; movement that was seen in another way no longer counts. */
    change(changes) {
        const differs = (name) => name in changes && changes[name] !== this.settings[name];
        if (differs("smooth") || differs("mirror") || differs("framing")) {
            this.smoother?.reset();
        }
        if (differs("mirror")) {
            this.start = null; // the anchor is read anew
        }
        if (differs("framing")) {
            this.recentre();
        }
        Object.assign(this.settings, changes);
    }

    /** Have the next frame be the anchor. */
    recentre() {
        [this.anchor, this.start] = [null, null];
    }

    /** Draw the picture as a frame, captured at `time` ms, has it: planes. */
    async draw(frame, time) {
        const { animator } = this.model;
        const gap = this.last === null ? 0 : time - this.last;
        this.last = time;
        const inTime = gap > 0 && gap <= LONGEST_GAP;
        if (!inTime || this.anchor === null) {
            this.smoother.reset();
        }
        this.anchor ??= frame;
        const pose = await this.#read(frame);
        const smooth = this.smoother.next(pose, this.settings.smooth, inTime ? 1000 / gap : USUAL_RATE);
        return animator.render(this.source.state, await this.#retargeted(smooth));
    }

    async #begin() {
        [this.source, this.start] = [null, null];
        this.smoother?.reset();
        if (this.model && this.picture) {
            this.source = await this.model.animator.prepare(this.picture.at(this.model.size, false));
        }
    }

    #read(square) {
        return this.model.animator.motion(square.at(this.model.size, this.settings.mirror));
    }

    async #retargeted(pose) {
        const { spec } = this.model;
        if (spec.keepsPose) {
            return pose;
        }
        const { own } = this.source;
        let moved = pose;
        if (spec.relative) {
            if (this.start === null) {
                const first = await this.#read(this.anchor);
                this.start = { pose: first, scale: movementScale(own, first) };
            }
            moved = relative(own, this.start.pose, pose, this.start.scale);
        }
        return controlled(this.settings, own, moved, spec);
    }
}

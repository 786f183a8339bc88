/** Live session of the browser's own engine: one model, one picture, a pose at a time. */

import { controlled, movementScale, relative } from "./motion.mjs";
import { CausalSmoother } from "./smoothing.mjs";

const USUAL_RATE = 25; // frames per second, until two frames have come
const LONGEST_GAP = 1000; // ms; after a longer one movement begins anew

/** State that a stream of frames leaves behind: the picture's own pose, the anchor, the smoother. */
export class LiveSession {
    constructor(animator, spec, settings) {
        this.animator = animator;
        this.spec = spec;
        this.settings = settings;
        this.smoother = new CausalSmoother(spec);
        this.source = null;
        this.recentre();
    }

    /** Take another picture, planes (3, size, size); the pose of the next frame is the new anchor. */
    async takePicture(planes) {
        this.source = await this.animator.prepare(planes);
        this.recentre();
    }

    /** Have the pose of the next frame be the new anchor. */
    recentre() {
        this.anchor = null;
        this.last = null; // when the last frame was captured
        this.smoother.reset();
    }

    /** Draw the picture as a frame, planes (3, size, size), captured at `time` ms, has it: planes. */
    async draw(planes, time) {
        const pose = await this.animator.motion(planes);
        const smooth = this.smoother.next(pose, this.settings.smooth, this.#rate(time));
        return this.animator.render(this.source.state, this.#retargeted(smooth));
    }

    #rate(time) {
        const gap = this.last === null ? 0 : time - this.last;
        this.last = time;
        if (gap > LONGEST_GAP) {
            this.smoother.reset();
        }
        return gap > 0 ? 1000 / gap : USUAL_RATE;
    }

    #retargeted(pose) {
        if (this.spec.keepsPose) {
            return pose;
        }
        const { own } = this.source;
        let moved = pose;
        if (this.spec.relative) {
            if (this.anchor === null) {
                this.anchor = { pose, scale: movementScale(own, pose) };
            }
            moved = relative(own, this.anchor.pose, pose, this.anchor.scale);
        }
        return controlled(this.settings, own, moved, this.spec);
    }
}

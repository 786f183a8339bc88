/** Parts that both engines share: their events, and how frames in flight are bounded. */

/**
 * Engine: something that draws a picture as frames have it. Its events, methods of `listener`:
 * `picture(image, number, capturedAt)`, `state(changes)`, `ready()`, `waiting(text)`, `notice(text)`,
 * `error(text, fatal)`, `dropped()`.
 */
export class Engine {
    constructor(listener) {
        this.listener = listener;
    }
}

/** Frames on their way: at most `most` at once, and always the newest goes; nothing queues. */
export class Flight {
    /** `start(source, capturedAt, number)` sends a frame; a promise. `dropped()` is called for each that is not. */
    constructor(most, start, dropped) {
        Object.assign(this, { most, start, dropped });
        this.number = 0;
        this.clear();
    }

    /** Forget all that is on its way. */
    clear() {
        this.going = new Map(); // number -> capturedAt
        this.newest = null;
    }

    /** Send a frame now, or as soon as one comes back, unless a newer one is there by then. */
    offer(source, capturedAt) {
        if (this.newest) {
            this.dropped();
        }
        this.newest = { source, capturedAt };
        this.#next();
    }

    /** Note that a frame came back, with which all before it are settled too; a bad one comes back alone. */
    settle(number) {
        for (const other of [...this.going.keys()]) {
            if (other < number) {
                this.dropped();
            }
            if (other <= number) {
                this.going.delete(other);
            }
        }
        this.#next();
    }

    #next() {
        if (!this.newest || this.going.size >= this.most) {
            return;
        }
        const { source, capturedAt } = this.newest;
        this.newest = null;
        this.number = (this.number + 1) >>> 0;
        const number = this.number;
        this.going.set(number, capturedAt);
        this.start(source, capturedAt, number).catch(() => {
            this.dropped();
            this.going.delete(number);
        });
    }
}

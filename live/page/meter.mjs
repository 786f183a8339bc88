/** Meter of what the page achieves: frames per second, latency, dropped frames. */

const WINDOW = 2000; // ms that are looked back

/** Meter; times are those of performance.now(). */
export class Meter {
    constructor() {
        this.reset();
    }

    /** Begin anew. */
    reset() {
        this.shown = [];
        this.dropped = 0;
        this.total = 0;
    }

    /** Note a frame that is shown now and was captured then. */
    show(capturedAt, now) {
        this.total += 1;
        this.shown.push({ now, latency: now - capturedAt });
        this.#forget(now);
    }

    /** Note a frame that is never shown. */
    drop() {
        this.dropped += 1;
    }

    /** Return {rate, latency, dropped, total}: frames per second and the median in ms over the last seconds. */
    read(now) {
        this.#forget(now);
        const { shown, dropped, total } = this;
        if (shown.length < 2) {
            return { rate: null, latency: null, dropped, total };
        }
        const sorted = shown.map(({ latency }) => latency).sort((a, b) => a - b);
        const span = shown.at(-1).now - shown[0].now;
        const rate = span > 0 ? (1000 * (shown.length - 1)) / span : null;
        return { rate, latency: sorted[Math.floor(sorted.length / 2)], dropped, total };
    }

    #forget(now) {
        while (this.shown.length && now - this.shown[0].now > WINDOW) {
            this.shown.shift();
        }
    }
}

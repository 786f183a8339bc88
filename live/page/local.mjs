/** Engine inside the browser: exported graphs, drawn by ONNX Runtime in a worker. Nothing leaves the machine. */

import { Engine, Flight } from "./engine.mjs";
import { mayUseGpu, threadChoices } from "./runtime.mjs";

/** Engine that computes here; `site` is page.json of a static site, `base` the address of the page. */
export class LocalEngine extends Engine {
    framings = [
        ["whole", "Middle of the frame"],
        ["close", "Middle, closer"],
    ];

    constructor(listener, site, base) {
        super(listener);
        [this.site, this.base] = [site, base];
        this.pictures = new Map(site.pictures.map((row) => [row.id, new URL(row.file, base).href]));
        this.flight = new Flight(1, (...frame) => this.#send(...frame), () => this.listener.dropped());
        this.threads = threadChoices(self.crossOriginIsolated, navigator.hardwareConcurrency);
        this.devices = this.#devices();
        this.settings = {};
    }

    /** Load model and picture; resolves when frames can come. */
    async open(settings) {
        this.close();
        this.settings = { ...settings };
        const device = deviceOf(settings.device ?? this.devices[0][0], this.threads[0]);
        this.worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
        this.worker.addEventListener("message", ({ data }) => this.#hear(data));
        this.worker.addEventListener("error", () => this.#fail("The browser could not start the part that draws."));
        const place = { base: this.base, runtime: new URL("./runtime/", this.base).href };
        this.#post({ kind: "open", place, device, model: this.#model(), settings: this.#numbers(settings) });
        await this.#showPicture(settings.picture);
    }

    /** Send a frame: whatever createImageBitmap takes. */
    send(source, capturedAt) {
        if (!this.settings.hold && this.worker) {
            this.flight.offer(source, capturedAt);
        }
    }

    /** Change settings; those of motion count from the next frame on. */
    async set(changes) {
        Object.assign(this.settings, changes);
        this.listener.state({ ...this.settings });
        if (!this.worker) {
            return;
        }
        if ("device" in changes) {
            await this.open(this.settings); // a runtime that was started keeps its number of threads
            return;
        }
        if ("model" in changes) {
            this.#post({ kind: "model", model: this.#model() });
        }
        if ("picture" in changes) {
            await this.#showPicture(changes.picture);
        }
        this.#post({ kind: "set", changes: this.#numbers(changes) });
    }

    recentre() {
        this.#post({ kind: "recentre" });
    }

    close() {
        this.worker?.terminate();
        this.worker = null;
        this.flight.clear();
    }

    /** Take a picture file of the user's own; it stays in this page. */
    async addPicture(file) {
        (await decoded(file)).close();
        const id = `own-${this.pictures.size}`;
        this.pictures.set(id, URL.createObjectURL(file));
        return { id, label: file.name };
    }

    /** Return the address of a picture, to be shown. */
    thumbnail(id) {
        return this.pictures.get(id);
    }

    /** Return a recording as it is: there is no server that could convert it. */
    async finishRecording(blob) {
        return blob;
    }

    #model() {
        return this.site.models.find((row) => row.id === this.settings.model) ?? this.site.models[0];
    }

    #devices() {
        const rows = this.threads.map((count) => [
            `wasm-${count}`,
            count === 1 ? "Processor, one thread" : `Processor, ${count} threads`,
        ]);
        return mayUseGpu(self) ? [...rows, ["webgpu", "WebGPU, if its pictures are right"]] : rows;
    }

    #numbers({ strength, expression, smooth, mirror, framing }) {
        const all = { strength, expression, smooth, mirror, framing };
        return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    }

    async #showPicture(id) {
        const blob = await fetch(this.pictures.get(id)).then((answer) => (answer.ok ? answer.blob() : null), () => null);
        if (!blob) {
            this.listener.error("The picture could not be loaded. Choose another.", false);
            return;
        }
        const bitmap = await decoded(blob);
        this.worker?.postMessage({ kind: "picture", bitmap }, [bitmap]);
    }

    async #send(source, capturedAt, number) {
        const bitmap = await createImageBitmap(source);
        this.worker?.postMessage({ kind: "frame", bitmap, capturedAt, number }, [bitmap]);
    }

    #post(message) {
        this.worker?.postMessage(message);
    }

    #hear({ kind, text, number, fatal, pixels, size, capturedAt, device, what }) {
        if (kind === "picture") {
            this.listener.picture(new ImageData(pixels, size, size), number, capturedAt);
            this.flight.settle(number);
        } else if (kind === "skipped") {
            this.flight.settle(number);
        } else if (kind === "loaded") {
            this.settings.device = device.kind === "webgpu" ? "webgpu" : `wasm-${device.threads}`;
            this.listener.state({ ...this.settings, size });
        } else if (kind === "notice") {
            this.listener.notice(text);
        } else if (kind === "done" && what === "picture") {
            this.listener.ready();
        } else if (kind === "error") {
            this.#err(text, number, fatal);
        }
    }

    #err(text, number, fatal) {
        if (fatal) {
            this.#fail(text);
            return;
        }
        this.listener.error(text, false);
        if (number !== undefined) {
            this.listener.dropped();
            this.flight.settle(number);
        }
    }

    #fail(text) {
        this.close();
        this.listener.error(text, true);
    }
}

function deviceOf(name, threads) {
    return name === "webgpu" ? { kind: "webgpu", threads } : { kind: "wasm", threads: Number(name.split("-")[1]) };
}

/** Decode a picture file; an Error in plain words where it is none. */
async function decoded(blob) {
    try {
        return await createImageBitmap(blob);
    } catch {
        throw new Error("This file is no picture that the browser can show. Choose a PNG, JPEG or WebP file.");
    }
}

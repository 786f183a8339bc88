/** Worker of the browser's own engine: it does the arithmetic, so that the page stays smooth. */

import { LiveSession } from "./live.mjs";
import { fit, middleSquare, toPixels } from "./pixels.mjs";
import { checkAgainst, loadAnimator } from "./runtime.mjs";

const GRAPHS = ["motion", "prepare", "render"];
const CLOSE = 0.6; // share of the frame's shorter side that is used in the framing "close"

let session = null;
let animator = null;
let about = null; // the model: {id, folder, size, spec}
let place = null; // {model addresses' base, runtime's folder}
let picture = null; // planes of the source
let settings = {};
let device = { kind: "wasm", threads: 1 };
let untried = false; // WebGPU is still to be compared, with the first frame
const loaded = new Map(); // files of graphs by their model's folder, as the network may go

const canvas = new OffscreenCanvas(1, 1);
const context = canvas.getContext("2d", { willReadFrequently: true });

const actions = {
    async open(message) {
        [place, device] = [message.place, message.device];
        settings = message.settings;
        await loadModel(message.model);
    },
    async model({ model }) {
        await loadModel(model);
    },
    async picture({ bitmap }) {
        picture = planesOf(bitmap, middleSquare(bitmap.width, bitmap.height), false);
        bitmap.close();
        await session?.takePicture(picture.at(about.size));
    },
    async set({ changes }) {
        Object.assign(settings, changes);
    },
    async recentre() {
        session?.recentre();
    },
    async frame(message) {
        await drawFrame(message);
    },
};

/** Answer messages one after the other, in the order in which they came. */
let before = Promise.resolve();
self.addEventListener("message", ({ data }) => {
    before = before.then(async () => {
        try {
            await actions[data.kind](data);
            if (data.kind !== "frame") {
                self.postMessage({ kind: "done", what: data.kind });
            }
        } catch (error) {
            report(error, data);
        }
    });
});

function report(error, { kind, number }) {
    const text = error instanceof Error ? error.message : String(error);
    self.postMessage({ kind: "error", text, number, fatal: kind === "open" || kind === "model" });
}

async function loadModel(model) {
    await animator?.release();
    [animator, session] = [null, null];
    about = model;
    const files = await fetchGraphs();
    animator = await loadAnimator(place.runtime, "wasm", device.threads, files, about.size);
    untried = device.kind === "webgpu";
    await startSession(animator);
    self.postMessage({ kind: "loaded", size: about.size, device });
}

async function startSession(chosen) {
    session = new LiveSession(chosen, about.spec, settings);
    if (picture) {
        await session.takePicture(picture.at(about.size));
    }
}

async function fetchGraphs() {
    if (loaded.has(about.folder)) {
        return loaded.get(about.folder);
    }
    const files = {};
    for (const name of GRAPHS) {
        const address = new URL(`${about.folder}/${name}.onnx`, place.base);
        const answer = await fetch(address).catch(() => null);
        if (!answer?.ok) {
            const why = answer ? `status ${answer.status}` : "no connection";
            throw new Error(`The model's file ${name}.onnx could not be loaded (${why}). Reload the page.`);
        }
        files[name] = new Uint8Array(await answer.arrayBuffer());
    }
    loaded.set(about.folder, files);
    return files;
}

async function drawFrame({ bitmap, capturedAt, number }) {
    if (!session?.source) {
        bitmap.close();
        self.postMessage({ kind: "skipped", number });
        return;
    }
    const share = settings.framing === "close" ? CLOSE : 1;
    const square = middleSquare(bitmap.width, bitmap.height, share);
    const planes = planesOf(bitmap, square, settings.mirror).at(about.size);
    bitmap.close();
    if (untried) {
        await tryGpu(planes);
    }
    const pixels = toPixels(await session.draw(planes, capturedAt), about.size);
    self.postMessage({ kind: "picture", pixels, size: about.size, number, capturedAt }, [pixels.buffer]);
}

/** Go over to WebGPU if it draws this frame as WebAssembly does; else say why not, and stay. */
async function tryGpu(frame) {
    untried = false;
    let tried = null;
    try {
        tried = await loadAnimator(place.runtime, "webgpu", 1, await fetchGraphs(), about.size);
        await checkAgainst(animator, tried, picture.at(about.size), frame);
        await animator.release();
        animator = tried;
        await startSession(animator);
    } catch (error) {
        await tried?.release();
        device = { kind: "wasm", threads: device.threads };
        const why = error instanceof Error ? error.message : String(error);
        self.postMessage({ kind: "notice", text: `WebGPU is not used: ${why}. The processor draws instead.` });
    }
    self.postMessage({ kind: "loaded", size: about.size, device });
}

/** Read the pixels of a square of a bitmap: `at(size)` are its planes. */
function planesOf(bitmap, { x, y, side }, mirror) {
    [canvas.width, canvas.height] = [side, side];
    context.drawImage(bitmap, x, y, side, side, 0, 0, side, side);
    const { data } = context.getImageData(0, 0, side, side);
    return { at: (size) => fit(data, side, side, size, mirror) };
}

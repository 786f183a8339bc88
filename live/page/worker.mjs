/** Worker of the browser's own engine: it does the arithmetic, so that the page stays smooth. */

import { LiveSession } from "./live.mjs";
import { fit, middleSquare, toPixels } from "./pixels.mjs";
import { checkAgainst, loadAnimator } from "./runtime.mjs";

const GRAPHS = ["motion", "prepare", "render"];
const CLOSE = 0.6; // share of the frame's shorter side that is used in the framing "close"
const GPU_SECONDS = 60; // that WebGPU has for its first picture, its programs' translation included

let session = null;
let model = null; // that the session uses: {animator, size, spec, folder}
let place = null; // addresses: {base, runtime}, of the site and of the runtime's folder
let device = null; // {kind, threads}
let untried = false; // WebGPU is still to be compared, with the first frame
const loaded = new Map(); // files of graphs by their model's folder, as the network may go

const canvas = new OffscreenCanvas(1, 1);
const context = canvas.getContext("2d", { willReadFrequently: true });

const actions = {
    async open(message) {
        [place, device] = [message.place, message.device];
        session = new LiveSession(message.settings);
        await useModel(message.model);
    },
    async model(message) {
        await useModel(message.model);
    },
    async picture({ bitmap }) {
        const picture = squareOf(bitmap, 1);
        bitmap.close();
        await session.show(picture);
    },
    async set({ changes }) {
        session.change(changes);
    },
    async recentre() {
        session.recentre();
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
            const fatal = data.kind === "open" || data.kind === "model";
            self.postMessage({ kind: "error", text: wordsOf(error), number: data.number, fatal });
        }
    });
});

function wordsOf(error) {
    return error instanceof Error ? error.message : String(error);
}

async function useModel(about) {
    await model?.animator.release();
    model = { ...about, animator: await load(about, "wasm") };
    untried = device.kind === "webgpu";
    await session.use(model);
    tellLoaded();
}

async function load({ folder, size }, kind) {
    return loadAnimator(place.runtime, kind, device.threads, await fetchGraphs(folder), size);
}

function tellLoaded() {
    self.postMessage({ kind: "loaded", size: model.size, device });
}

async function fetchGraphs(folder) {
    if (loaded.has(folder)) {
        return loaded.get(folder);
    }
    const files = {};
    for (const name of GRAPHS) {
        const answer = await fetch(new URL(`${folder}/${name}.onnx`, place.base)).catch(() => null);
        if (!answer?.ok) {
            const why = answer ? `status ${answer.status}` : "no connection";
            throw new Error(`The model's file ${name}.onnx could not be loaded (${why}). Check the connection.`);
        }
        files[name] = new Uint8Array(await answer.arrayBuffer());
    }
    loaded.set(folder, files);
    return files;
}

async function drawFrame({ bitmap, capturedAt, number }) {
    const frame = squareOf(bitmap, session.settings.framing === "close" ? CLOSE : 1);
    bitmap.close();
    if (!session.isReady) {
        self.postMessage({ kind: "skipped", number });
        return;
    }
    if (untried) {
        await tryGpu(frame);
    }
    const pixels = toPixels(await session.draw(frame, capturedAt), model.size);
    self.postMessage({ kind: "picture", pixels, size: model.size, number, capturedAt }, [pixels.buffer]);
}

/** Go over to WebGPU if it draws this frame as WebAssembly does; else say why not, and stay. */
async function tryGpu(frame) {
    untried = false;
    self.postMessage({ kind: "notice", text: "Comparing WebGPU's picture with the processor's…" });
    try {
        const tried = await withinTime(checkedGpu(frame), GPU_SECONDS);
        await model.animator.release();
        model = { ...model, animator: tried };
        await session.use(model);
    } catch (error) {
        device = { kind: "wasm", threads: device.threads };
        const text = `WebGPU is not used: ${wordsOf(error).slice(0, 200)}. The processor draws instead.`;
        self.postMessage({ kind: "notice", text });
    }
    tellLoaded();
}

/** Load the model for WebGPU; an Error in plain words where it draws something else. */
async function checkedGpu(frame) {
    const tried = await load(model, "webgpu");
    const planes = [session.picture, frame].map((square) => square.at(model.size, false));
    try {
        await checkAgainst(model.animator, tried, ...planes);
    } catch (error) {
        await tried.release();
        throw error;
    }
    return tried;
}

function withinTime(promise, seconds) {
    const late = new Promise((_, reject) => {
        setTimeout(() => reject(new Error(`no picture came within ${seconds} seconds`)), 1000 * seconds);
    });
    return Promise.race([promise, late]);
}

/** Read the square in the middle of a bitmap, `share` of its shorter side. */
function squareOf(bitmap, share) {
    const { x, y, side } = middleSquare(bitmap.width, bitmap.height, share);
    [canvas.width, canvas.height] = [side, side];
    context.drawImage(bitmap, x, y, side, side, 0, 0, side, side);
    const { data } = context.getImageData(0, 0, side, side);
    return { at: (size, mirror) => fit(data, side, side, size, mirror) };
}

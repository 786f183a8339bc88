/** Choice of what computes in the browser: WebAssembly with some threads, or WebGPU where it proves right. */

import { GraphAnimator } from "./graphs.mjs";
import { largestDifference } from "./pixels.mjs";

export const TOLERANCE = 2 / 255; // between WebGPU's picture and WebAssembly's
const MOST_THREADS = 4;

/**
 * List the numbers of threads that can be chosen, the one to begin with first: half of the processors, as the rest of
 * the browser needs some. Only 1 where the page is not isolated from others, as threads share memory.
 */
export function threadChoices(isolated, processors) {
    const most = isolated ? Math.max(1, Math.min(MOST_THREADS, processors || 1)) : 1;
    const usual = Math.min(most, Math.ceil((processors || 1) / 2));
    const all = Array.from({ length: most }, (_, index) => most - index);
    return [usual, ...all.filter((count) => count !== usual)];
}

/** Tell whether the browser has what WebGPU needs here. */
export function mayUseGpu(scope) {
    return Boolean(scope.navigator?.gpu) && typeof scope.WebAssembly?.Suspending === "function";
}

/** Load the runtime from its files in `folder` (an address), of the build for "wasm" or "webgpu". */
export async function loadRuntime(folder, build, threads) {
    const file = build === "webgpu" ? "ort.jspi.min.mjs" : "ort.wasm.min.mjs";
    const runtime = await import(new URL(file, folder));
    runtime.env.wasm.wasmPaths = folder;
    runtime.env.wasm.numThreads = threads;
    runtime.env.logLevel = "error";
    return runtime;
}

/**
 * Check that WebGPU draws what WebAssembly does: one picture in a pose that is not its own. Throws an Error in plain
 * words where it does not.
 */
export async function checkAgainst(exact, tried, source, frame) {
    const pictures = [];
    for (const animator of [exact, tried]) {
        const { state } = await animator.prepare(source);
        pictures.push(await animator.render(state, await animator.motion(frame)));
    }
    const difference = largestDifference(...pictures);
    if (!(difference <= TOLERANCE)) {
        const shown = Number.isFinite(difference) ? (255 * difference).toFixed(0) : "no number";
        throw new Error(`its pictures differ by ${shown} of 255`);
    }
}

/** Load a model for a device, "wasm" with threads, or "webgpu". */
export async function loadAnimator(folder, device, threads, files, size) {
    const runtime = await loadRuntime(folder, device, device === "webgpu" ? 1 : threads);
    return GraphAnimator.load(runtime, files, size, device);
}

/** Exported graphs, run by ONNX Runtime: `motion` reads poses, `prepare` encodes the source, `render` draws it. */

const GRAPHS = ["motion", "prepare", "render"];
const PASSIVE = { session: { intra_op: { allow_spinning: "0" } } }; // threads that wait leave the processor to others
const STILL_BACKGROUND = [1, 0, 0, 0, 1, 0, 0, 0, 1];

/** Model of exported graphs, ready to draw pictures one by one. */
export class GraphAnimator {
    constructor(runtime, sessions, size) {
        this.runtime = runtime;
        this.sessions = sessions;
        this.size = size;
    }

    /** Load the graphs from their files' contents, by name, for one of the runtime's providers. */
    static async load(runtime, files, size, provider) {
        const sessions = {};
        for (const name of GRAPHS) {
            const options = { executionProviders: [provider], logSeverityLevel: 3, extra: PASSIVE };
            sessions[name] = await runtime.InferenceSession.create(files[name], options);
        }
        return new GraphAnimator(runtime, sessions, size);
    }

    /** Read the pose of a picture, planes (3, size, size) in [0, 1]. */
    motion(picture) {
        return this.#run("motion", { frames: this.#picture(picture) });
    }

    /** Encode a source picture: its state, which `render` takes, and its own pose. */
    async prepare(picture) {
        const own = await this.motion(picture);
        const named = Object.entries(own).map(([name, tensor]) => [`source.${name}`, tensor]);
        const state = { source: this.#picture(picture), ...Object.fromEntries(named) };
        return { own, state: { ...state, ...(await this.#run("prepare", state)) } };
    }

    /** Draw the source in a pose: planes (3, size, size). */
    async render(state, pose) {
        const background = { data: Float32Array.from(STILL_BACKGROUND), dims: [1, 3, 3] };
        const made = await this.#run("render", { background, ...state, ...pose });
        return made.pictures.data;
    }

    /** Give the memory back. */
    async release() {
        for (const session of Object.values(this.sessions)) {
            await session.release();
        }
    }

    #picture(data) {
        return { data, dims: [1, 3, this.size, this.size] };
    }

    async #run(graph, values) {
        const session = this.sessions[graph];
        const feeds = {};
        for (const name of session.inputNames) {
            feeds[name] = new this.runtime.Tensor("float32", values[name].data, values[name].dims);
        }
        const made = await session.run(feeds);
        const results = session.outputNames.map((name) => [name, { data: made[name].data, dims: made[name].dims }]);
        return Object.fromEntries(results);
    }
}

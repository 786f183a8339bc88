/** Engine on a server of this pack: frames go over a WebSocket as JPEG, pictures come back the same way. */

import { Engine, Flight } from "./engine.mjs";
import { middleSquare } from "./pixels.mjs";

const HEAD = 12; // bytes before a picture: uint32 number, float64 capture time in ms, little-endian
const IN_FLIGHT = 2;
const MOST_SIDE = 640; // pixels of a frame that is sent
const SIDES = { face: 4, whole: 2 }; // times the model's side that are sent at most: heads are a part of the frame
const QUALITY = 0.9;
const GONE = "The server has gone.";

/** Engine behind `address`, that of the page; `token` opens it. */
export class RemoteEngine extends Engine {
    framings = [
        ["face", "Follow the face"],
        ["whole", "Middle of the frame"],
    ];
    devices = [];

    constructor(listener, site, address, token) {
        super(listener);
        [this.site, this.address, this.token] = [site, address, token];
        this.flight = new Flight(IN_FLIGHT, (...frame) => this.#send(...frame), () => this.listener.dropped());
        this.canvas = document.createElement("canvas");
        this.settings = {};
    }

    /** Connect; resolves when the connection stands. What the user did not choose is as the server has it. */
    async open(_, chosen) {
        this.settings = {};
        this.isReady = false; // not before the server says so: another page may be at work
        const url = this.#url("stream");
        url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
        const socket = new WebSocket(url);
        socket.binaryType = "arraybuffer";
        this.socket = socket;
        await new Promise((resolve, reject) => {
            socket.addEventListener("open", resolve);
            socket.addEventListener("close", () => reject(new Error("The server did not take the connection.")));
        });
        socket.addEventListener("message", ({ data }) => this.#hear(data));
        socket.addEventListener("close", ({ code, reason }) => this.#closed(socket, code, reason));
        if (Object.keys(chosen).length) {
            this.set(chosen);
        }
    }

    /** Send a frame: a video or a picture. */
    send(source, capturedAt) {
        if (this.isReady && !this.settings.hold) {
            this.flight.offer(source, capturedAt);
        }
    }

    /** Change settings on the server, which answers with its state. */
    set(changes) {
        Object.assign(this.settings, changes);
        this.#post({ type: "set", ...changes });
    }

    recentre() {
        this.#post({ type: "recentre" });
    }

    close() {
        const { socket } = this;
        [this.socket, this.isReady] = [null, false];
        this.flight.clear();
        if (socket?.readyState === WebSocket.OPEN) {
            socket.send(JSON.stringify({ type: "bye" }));
        }
        socket?.close();
    }

    /** Send a picture file of the user's own to the server. */
    async addPicture(file) {
        const most = this.site.limits?.upload_bytes;
        if (most && file.size > most) {
            throw new Error(`The picture has ${megabytes(file.size)}; ${megabytes(most)} are allowed. Choose another.`);
        }
        return (await this.#postFile("picture", file, { name: file.name })).json();
    }

    /** Return the address of a picture, to be shown. */
    thumbnail(id) {
        return this.#url(`picture/${encodeURIComponent(id)}`).href;
    }

    /** Have the server make an mp4 of a recording. */
    async finishRecording(blob) {
        return (await this.#postFile("recording", blob)).blob();
    }

    async #postFile(path, file, query = {}) {
        const headers = { "Content-Type": file.type || "application/octet-stream" };
        const answer = await fetch(this.#url(path, query), { method: "POST", body: file, headers }).catch(() => null);
        if (!answer?.ok) {
            throw new Error(answer ? await words(answer) : GONE);
        }
        return answer;
    }

    #url(path, query = {}) {
        const url = new URL(path, this.address);
        url.search = new URLSearchParams({ ...query, token: this.token });
        return url;
    }

    #post(message) {
        if (this.socket?.readyState === WebSocket.OPEN) {
            this.socket.send(JSON.stringify(message));
        }
    }

    async #send(source, capturedAt, number) {
        const { socket, canvas } = this;
        const [width, height] = [source.videoWidth ?? source.width, source.videoHeight ?? source.height];
        const { from, to } = sentPart(width, height, this.settings);
        if (canvas.width !== to[0] || canvas.height !== to[1]) {
            [canvas.width, canvas.height] = to;
        }
        canvas.getContext("2d", { alpha: false }).drawImage(source, ...from, 0, 0, ...to);
        const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
        const head = new DataView(new ArrayBuffer(HEAD));
        head.setUint32(0, number, true);
        head.setFloat64(4, capturedAt, true);
        socket.send(await new Blob([head, blob]).arrayBuffer());
    }

    #hear(data) {
        if (typeof data === "string") {
            this.#read(JSON.parse(data));
        } else {
            this.#show(data);
        }
    }

    #read({ type, text, fatal, number, ...state }) {
        if (type === "error") {
            if (number !== undefined) {
                this.listener.dropped();
                this.flight.settle(number);
            }
            this.refused = fatal ? text : null;
            this.listener.error(text, Boolean(fatal));
        } else if (type === "state") {
            Object.assign(this.settings, state);
            this.listener.state(state);
        } else if (type === "waiting" || type === "notice") {
            this.listener[type](text);
        } else if (type === "ready") {
            this.isReady = true;
            this.listener.ready();
        }
    }

    async #show(data) {
        const head = new DataView(data, 0, HEAD);
        const [number, capturedAt] = [head.getUint32(0, true), head.getFloat64(4, true)];
        this.flight.settle(number);
        const picture = await createImageBitmap(new Blob([new Uint8Array(data, HEAD)])).catch(() => null);
        if (picture === null) {
            this.listener.dropped();
        } else if (!(number < this.shown)) {
            this.shown = number;
            this.listener.picture(picture, number, capturedAt);
        }
    }

    #closed(socket, code, reason) {
        if (this.socket !== socket) {
            return; // it was closed from here
        }
        [this.socket, this.isReady] = [null, false];
        this.flight.clear();
        if (!this.refused) {
            this.listener.error(reason || (code === 1001 ? "The server was stopped." : GONE), true);
        }
    }
}

/**
 * Choose what a server is sent of a frame, by its settings: the part {from: [x, y, width, height]} and the size
 * {to: [width, height]}. Of a frame whose middle drives that is the middle.
 */
export function sentPart(width, height, { framing, size }) {
    const { x, y, side } = middleSquare(width, height);
    const from = framing === "whole" ? [x, y, side, side] : [0, 0, width, height];
    const most = Math.min(MOST_SIDE, size ? (SIDES[framing] ?? SIDES.face) * size : MOST_SIDE);
    const share = Math.min(1, most / Math.max(from[2], from[3]));
    return { from, to: [Math.round(from[2] * share), Math.round(from[3] * share)] };
}

/** Read page.json of the server or the static site; an Error in plain words where there is none. */
export async function readSite(address, token) {
    const url = new URL("page.json", address);
    if (token) {
        url.searchParams.set("token", token);
    }
    const answer = await fetch(url).catch(() => null);
    if (!answer) {
        throw new Error("The server does not answer. Start it again, and open the address that it prints.");
    }
    if (!answer.ok) {
        throw new Error(await words(answer));
    }
    return answer.json();
}

async function words(answer) {
    const told = await answer.json().catch(() => ({}));
    return told.error ?? `The server refused (status ${answer.status}).`;
}

function megabytes(bytes) {
    return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Camera and video files as a stream of frames, and what can be wrong with them in plain words. */

const WISHED = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };

const FAULTS = {
    NotAllowedError:
        "The browser was not allowed to use the camera. Allow it in the address bar's camera symbol, or choose a video.",
    NotFoundError: "No camera was found. Connect one and try again, or choose a video.",
    NotReadableError: "The camera is used by another program. Close that one and try again, or choose a video.",
    OverconstrainedError: "This camera is not there any more. Choose another one, or a video.",
    SecurityError: "The browser lets this page use no camera. Choose a video.",
    AbortError: "The camera did not start. Try again, or choose a video.",
};
FAULTS.DevicesNotFoundError = FAULTS.NotFoundError;
FAULTS.TrackStartError = FAULTS.NotReadableError;

/** Return what went wrong with a camera or a microphone, in plain words. */
export function cameraFault(error) {
    return FAULTS[error?.name] ?? `The camera cannot be used (${error?.name ?? "unknown"}). Try again, or choose a video.`;
}

/** List the cameras: [[id, label]]; labels are known once a camera may be used. */
export async function listCameras() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    const cameras = devices.filter(({ kind }) => kind === "videoinput");
    return cameras.map(({ deviceId, label }, index) => [deviceId, label || `Camera ${index + 1}`]);
}

/** Name what this page needs and the browser lacks; an empty list where nothing is missing. */
export function missingFeatures(engine) {
    const needed = {
        "getUserMedia (it needs https or this machine's own address)": navigator.mediaDevices?.getUserMedia,
        createImageBitmap: self.createImageBitmap,
        ...(engine === "browser" ? { WebAssembly: self.WebAssembly, OffscreenCanvas: self.OffscreenCanvas } : {}),
    };
    return Object.keys(needed).filter((name) => !needed[name]);
}

/** Input shown in a video element, whose frames `onFrame(video, capturedAt)` gets; `onEnd(text)` says why it ended. */
export class Input {
    constructor(video, onFrame, onEnd) {
        Object.assign(this, { video, onFrame, onEnd });
        this.kind = null; // "camera" or "video"
        this.turn = 0; // of what is shown; callbacks of earlier turns are void
    }

    /** Show a camera; an Error in plain words where that cannot be. */
    async openCamera(id) {
        this.stop();
        const turn = this.turn;
        const video = { ...WISHED, ...(id ? { deviceId: { exact: id } } : {}) };
        let stream;
        try {
            stream = await navigator.mediaDevices.getUserMedia({ video });
        } catch (error) {
            throw new Error(cameraFault(error));
        }
        if (turn !== this.turn) {
            stream.getTracks().forEach((track) => track.stop()); // something else was chosen meanwhile
            return;
        }
        const [track] = stream.getVideoTracks();
        track.addEventListener("ended", () => {
            this.#end(turn, "The camera was unplugged or taken away. Connect it and start it again.");
        });
        [this.kind, this.video.srcObject, this.video.muted] = ["camera", stream, true];
        this.camera = track.getSettings().deviceId;
        await this.#play(turn);
    }

    /** Show a video file, again and again; an Error in plain words where the browser cannot play it. */
    async openFile(file) {
        this.stop();
        const turn = this.turn;
        this.address = URL.createObjectURL(file);
        [this.kind, this.video.src, this.video.loop] = ["video", this.address, true];
        try {
            await this.#play(turn);
        } catch {
            const gone = turn !== this.turn;
            if (!gone) {
                this.stop();
                throw new Error(`${file.name} cannot be played by this browser. Choose an mp4 (H.264) or webm video.`);
            }
        }
    }

    /** End what is shown. */
    stop() {
        this.turn += 1;
        this.kind = null;
        this.video.srcObject?.getTracks().forEach((track) => track.stop());
        this.video.srcObject = null;
        this.video.removeAttribute("src");
        this.video.load();
        if (this.address) {
            URL.revokeObjectURL(this.address);
            this.address = null;
        }
    }

    #end(turn, text) {
        if (turn === this.turn) {
            this.stop();
            this.onEnd(text);
        }
    }

    async #play(turn) {
        const failed = new Promise((_, reject) => {
            this.video.addEventListener("error", reject, { once: true });
        });
        await Promise.race([this.video.play(), failed]);
        if (turn === this.turn) {
            this.#listen(turn);
        }
    }

    /** Have each new frame told: by the browser's own callback, or where there is none by looking at every refresh. */
    #listen(turn) {
        if ("requestVideoFrameCallback" in this.video) {
            const told = (now, facts) => {
                if (turn === this.turn) {
                    this.video.requestVideoFrameCallback(told);
                    this.onFrame(this.video, facts.captureTime ?? now);
                }
            };
            this.video.requestVideoFrameCallback(told);
            return;
        }
        let last = -1;
        const look = (now) => {
            if (turn !== this.turn) {
                return;
            }
            requestAnimationFrame(look);
            if (this.video.currentTime !== last && this.video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
                last = this.video.currentTime;
                this.onFrame(this.video, now);
            }
        };
        requestAnimationFrame(look);
    }
}

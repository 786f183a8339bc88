/** Recording of the result, with sound if wanted. */

const FORMS = [
    "video/mp4;codecs=avc1.42E01E,mp4a.40.2",
    "video/mp4;codecs=avc1.42E01E,opus",
    "video/mp4",
    "video/webm;codecs=vp9,opus",
    "video/webm;codecs=vp8,opus",
    "video/webm",
];
const SLICE = 1000; // ms of recording that are handed over at a time
const BITS_PER_PIXEL = 0.25;
const LEAST_BITS = 2_500_000; // per second
const RATE = 30;
const REPAINT = 66; // ms; a canvas that does not change gives no frames, and a held picture is to last

/** Choose a form to record in, the first that the browser can write; "" leaves it to the browser. */
export function recordingForm(canWrite = (form) => MediaRecorder.isTypeSupported(form)) {
    return FORMS.find(canWrite) ?? "";
}

/** Return the suffix of a recording's file by its type. */
export function suffixOf(type) {
    return type.includes("mp4") ? "mp4" : "webm";
}

/** Ask for the microphone; an Error in plain words where it cannot be had. */
export async function openMicrophone() {
    try {
        const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
        return stream.getAudioTracks()[0];
    } catch (error) {
        const why = {
            NotAllowedError: "it was not allowed",
            NotFoundError: "there is none",
            NotReadableError: "another program uses it",
        }[error?.name];
        throw new Error(`The microphone cannot be used: ${why ?? error?.name}. Switch "sound" off, or try again.`);
    }
}

/** Sound of a video element as a track to record, while it is still heard. */
export class VideoSound {
    constructor(video) {
        this.context = new AudioContext();
        this.output = this.context.createMediaStreamDestination();
        const source = this.context.createMediaElementSource(video);
        source.connect(this.output);
        source.connect(this.context.destination);
    }

    /** Return the track; the element has to be unmuted to give sound. */
    async track() {
        await this.context.resume();
        return this.output.stream.getAudioTracks()[0].clone();
    }
}

/** Recording that runs: of a canvas, and of a track of sound or none. */
export class Recording {
    constructor(canvas, sound) {
        const stream = canvas.captureStream();
        if (sound) {
            stream.addTrack(sound);
        }
        const bits = Math.max(LEAST_BITS, Math.round(canvas.width * canvas.height * RATE * BITS_PER_PIXEL));
        this.recorder = new MediaRecorder(stream, { mimeType: recordingForm(), videoBitsPerSecond: bits });
        this.parts = [];
        this.recorder.addEventListener("dataavailable", ({ data }) => {
            if (data.size) {
                this.parts.push(data);
            }
        });
        const repaint = () => canvas.getContext("2d").drawImage(canvas, 0, 0);
        this.painter = setInterval(repaint, REPAINT);
        this.startedAt = performance.now();
        this.recorder.start(SLICE);
    }

    /** Length so far in seconds. */
    get seconds() {
        return (performance.now() - this.startedAt) / 1000;
    }

    /** End it; a Blob of what was recorded. */
    async stop() {
        const stopped = new Promise((resolve) => {
            this.recorder.addEventListener("stop", resolve, { once: true });
        });
        if (this.recorder.state !== "inactive") {
            this.recorder.stop();
            await stopped;
        }
        clearInterval(this.painter);
        this.recorder.stream.getTracks().forEach((track) => track.stop());
        return new Blob(this.parts, { type: this.recorder.mimeType });
    }
}

/** Offer a file to be saved. */
export function download(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Takes: recordings begun and ended on the page, saved as files. */

import { download, openMicrophone, Recording, suffixOf, VideoSound } from "./recorder.mjs";
import { alertUser, mention, part, press, say } from "./view.mjs";

/** Recordings of the result; `input` is what moves it, `convert(blob)` makes the file that is saved. */
export class Takes {
    constructor(input, convert) {
        Object.assign(this, { input, convert });
        this.recording = null;
        this.busy = false;
        part("sound").addEventListener("change", () => this.hearVideo());
    }

    /** Begin a take, or end the one that runs. */
    async toggle() {
        if (this.busy) {
            return;
        }
        this.busy = true;
        try {
            await (this.recording ? this.end() : this.#begin());
        } catch (error) {
            alertUser(error.message);
        } finally {
            this.busy = false;
        }
    }

    /** Have a video file be heard if its sound is to be recorded. */
    hearVideo() {
        this.input.video.muted = !(part("sound").checked && this.input.kind === "video");
    }

    /** End the take that runs, if one does, and save it. */
    async end() {
        const { recording } = this;
        if (!recording) {
            return;
        }
        this.recording = null;
        clearInterval(this.timer);
        this.#show();
        const blob = await recording.stop();
        if (!blob.size) {
            throw new Error("Nothing was recorded. Begin once the picture moves.");
        }
        say("Preparing the recording…");
        await this.#save(blob);
    }

    async #begin() {
        if (!self.MediaRecorder) {
            throw new Error("This browser cannot record. Use a current Chrome, Edge, Firefox or Safari.");
        }
        const sound = part("sound").checked ? await this.#sound() : null;
        alertUser("");
        this.recording = new Recording(part("result"), sound);
        this.timer = setInterval(() => this.#show(), 500);
        this.#show();
    }

    #sound() {
        if (this.input.kind !== "video") {
            return openMicrophone();
        }
        this.hearVideo();
        this.videoSound ??= new VideoSound(this.input.video);
        return this.videoSound.track();
    }

    async #save(blob) {
        const name = `live-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}`;
        try {
            const made = await this.convert(blob);
            const suffix = suffixOf(made.type);
            download(made, `${name}.${suffix}`);
            const why = " This browser writes no mp4; video programs and other browsers open webm too.";
            mention(`Saved ${name}.${suffix}.${suffix === "webm" ? why : ""}`);
        } catch (error) {
            download(blob, `${name}.${suffixOf(blob.type)}`);
            say("");
            alertUser(`${error.message} The recording was saved as the browser made it, ${suffixOf(blob.type)}.`);
        }
    }

    #show() {
        press("record", Boolean(this.recording));
        part("badge").hidden = !this.recording;
        part("badge-text").textContent = `Recording ${clock(this.recording?.seconds ?? 0)}`;
    }
}

function clock(seconds) {
    return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

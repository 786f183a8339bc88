/** Page: a camera or a video moves a picture, drawn by a server or by the browser itself. */

import { Input, listCameras, missingFeatures } from "./camera.mjs";
import { LocalEngine } from "./local.mjs";
import { Meter } from "./meter.mjs";
import { readSite, RemoteEngine } from "./remote.mjs";
import { Settings } from "./settings.mjs";
import { Takes } from "./takes.mjs";
import { alertUser, drawResult, fillSelect, foldPreview, mention, noteOfPicture, part, say, showFigures, showInput } from "./view.mjs";

const FIGURES_EVERY = 500; // ms
const PRIVACY = {
    browser: "Everything is computed in this browser. No picture leaves this machine.",
    server: "Frames go to the program that serves this page, and nowhere else. It keeps none of them.",
};

class Page {
    constructor() {
        this.engine = null;
        this.retry = "Connect again";
        this.meter = new Meter();
        this.settings = new Settings((changes) => this.#change(changes));
        this.input = new Input(
            part("input"),
            (video, capturedAt) => this.engine?.send(video, capturedAt),
            (text) => this.#inputEnded(text),
        );
        this.takes = new Takes(this.input, (blob) => this.engine.finishRecording(blob));
        this.#listen();
        foldPreview();
        setInterval(() => showFigures(this.meter.read(performance.now())), FIGURES_EVERY);
    }

    /** Find out which engine there is, and start it. */
    async start() {
        alertUser("");
        say("Connecting…");
        try {
            const address = new URL("./", location.href).href;
            const token = takeToken();
            const site = await readSite(address, token);
            refuseMissing(site.engine);
            const own = site.engine === "server" ? RemoteEngine : LocalEngine;
            this.readSite = () => readSite(address, token);
            this.engine?.close();
            this.engine = new own(this, site, address, token);
            this.retry = site.engine === "server" ? "Connect again" : "Try again";
            part("privacy").textContent = PRIVACY[site.engine];
            this.settings.fill(site, this.engine);
            say(site.engine === "server" ? "Connected; waiting for the model…" : "Loading the model…");
            await this.engine.open(this.settings.read(), this.settings.readChosen());
        } catch (error) {
            this.error(error.message, true);
        }
    }

    picture(image, number, capturedAt) {
        this.#resized(image);
        drawResult(image, number);
        this.meter.show(capturedAt, performance.now());
    }

    state(changes) {
        this.settings.take(changes);
        noteOfPicture(changes.note ?? "");
        if (changes.picture && !isOffered(changes.picture)) {
            this.#listAgain(changes);
        }
    }

    ready() {
        alertUser("");
        say(this.input.kind ? "" : "Ready. Start the camera, or choose a video.");
    }

    waiting(text) {
        say(text);
    }

    notice(text) {
        mention(text);
    }

    error(text, fatal) {
        if (fatal) {
            say("");
        }
        alertUser(text, fatal ? this.retry : "");
    }

    dropped() {
        this.meter.drop();
    }

    #listen() {
        const actions = {
            camera: () => this.#openCamera(part("which").value),
            stop: () => this.#stop(),
            recentre: () => this.#recentre(),
            hold: () => this.#hold(),
            record: () => this.takes.toggle(),
            preview: () => foldPreview(part("preview").getAttribute("aria-expanded") === "true"),
            again: () => this.start(),
        };
        for (const [id, action] of Object.entries(actions)) {
            part(id).addEventListener("click", action);
        }
        part("which").addEventListener("change", () => this.#openCamera(part("which").value));
        onFile(part("file"), (file) => this.#openFile(file));
        onFile(part("own"), (file) => this.#takePicture(file));
        navigator.mediaDevices?.addEventListener("devicechange", () => this.input.camera && this.#showCameras());
        document.addEventListener("keydown", (event) => this.#key(event));
        addEventListener("pagehide", () => this.engine?.close());
        addEventListener("pageshow", ({ persisted }) => persisted && this.start());
    }

    #change(changes) {
        Promise.resolve(this.engine?.set(changes)).catch((error) => this.error(error.message, false));
    }

    #key(event) {
        const key = event.key.toLowerCase();
        const button = { r: "recentre", h: "hold", c: "preview", v: "record", " ": "record" }[key];
        const typing = event.target.matches("select, input, textarea, summary, button, label");
        const taken = key === " " ? typing : event.target.matches("select");
        if (!button || taken || event.repeat || event.ctrlKey || event.metaKey || event.altKey) {
            return;
        }
        event.preventDefault();
        if (!part(button).disabled && !part(button).hidden) {
            part(button).click();
        }
    }

    async #openCamera(id) {
        await this.#open(async () => {
            await this.input.openCamera(id);
            await this.#showCameras();
        }, true);
    }

    async #showCameras() {
        const cameras = await listCameras();
        fillSelect(part("which"), cameras);
        part("which").disabled = cameras.length < 2;
        part("which").value = this.input.camera ?? "";
    }

    async #openFile(file) {
        await this.#open(() => this.input.openFile(file), false);
        this.takes.hearVideo();
    }

    async #open(opening, mirror) {
        alertUser("");
        say(""); // not behind the opening: what is said of the first frame is to stay
        this.meter.reset();
        try {
            const shown = opening();
            showInput(this.input.kind);
            this.settings.suggestMirror(mirror);
            this.engine?.recentre();
            await shown;
        } catch (error) {
            alertUser(error.message);
        }
        showInput(this.input.kind);
    }

    async #stop() {
        await this.takes.end().catch((error) => alertUser(error.message));
        this.input.stop();
        showInput(null);
    }

    #inputEnded(text) {
        this.#stop();
        alertUser(text);
    }

    /** Read again what there is to choose, as another picture came to the server; once for each. */
    async #listAgain(state) {
        if (this.missed === state.picture) {
            return;
        }
        this.missed = state.picture;
        const site = await this.readSite().catch(() => null);
        if (site) {
            this.settings.fill(site, this.engine);
            this.settings.take(state);
        }
    }

    #hold() {
        this.settings.toggleHold();
        say(this.settings.held ? "The picture is held." : "");
    }

    #recentre() {
        this.engine?.recentre();
        mention(this.hasRecentred ? "Recentred." : "Recentred. Look straight ahead when you press it.");
        this.hasRecentred = true;
    }

    async #takePicture(file) {
        alertUser("");
        try {
            const row = await this.engine.addPicture(file);
            this.settings.addOwn(row, this.engine.thumbnail(row.id));
        } catch (error) {
            alertUser(error.message);
        }
    }

    /** End a recording before the picture changes its size, which a video cannot. */
    #resized({ width, height }) {
        const canvas = part("result");
        if (this.takes.recording && (canvas.width !== width || canvas.height !== height)) {
            this.takes.toggle();
        }
    }
}

function isOffered(picture) {
    return [...part("choices").querySelectorAll("input")].some(({ value }) => value === picture);
}

function onFile(input, action) {
    input.addEventListener("change", () => {
        const [file] = input.files;
        input.value = ""; // the same file may be chosen again
        if (file) {
            action(file);
        }
    });
}

/** Take the token out of the address bar; it is kept for as long as this tab is open. */
function takeToken() {
    const [url, place] = [new URL(location.href), `token of ${location.pathname}`];
    const given = url.searchParams.get("token");
    if (given) {
        sessionStorage.setItem(place, given);
        url.searchParams.delete("token");
        history.replaceState(null, "", url);
    }
    return given ?? sessionStorage.getItem(place);
}

function refuseMissing(engine) {
    const missing = missingFeatures(engine);
    if (missing.length) {
        throw new Error(`This browser lacks ${missing.join(", ")}. Use a current Chrome, Edge, Firefox or Safari.`);
    }
}

new Page().start();

/** Settings on the page: read from its controls, told to the engine, and shown as the engine has them. */

import { offerFaces, onFaceClicked } from "./faces.mjs";
import { addChoice, fillSelect, part, press } from "./view.mjs";

const NUMBERS = ["strength", "expression", "smooth"];
const CHOICES = ["model", "shown", "faces", "framing", "device"];
const SHOWN = [
    ["whole", "Whole picture"],
    ["square", "A square of it"],
];

/** Controls of the page; `changed(changes)` is told what a user changes. */
export class Settings {
    constructor(changed) {
        this.changed = changed;
        this.chosen = new Set(); // names of the settings that the user chose
        for (const name of NUMBERS) {
            part(name).addEventListener("input", () => this.#choose({ [name]: part(name).valueAsNumber }));
        }
        for (const name of CHOICES) {
            part(name).addEventListener("change", () => this.#choose({ [name]: part(name).value }));
        }
        part("mirror").addEventListener("change", () => this.#choose({ mirror: part("mirror").checked }));
        part("choices").addEventListener("change", ({ target }) => this.#choose({ picture: target.value }));
        onFaceClicked((faces) => this.#choose({ faces }));
        part("settings").addEventListener("submit", (event) => event.preventDefault());
        this.#show();
    }

    /** Fill the lists with what there is to choose. */
    fill(site, engine) {
        fillSelect(part("model"), site.models.map(({ id, label }) => [id, label]));
        part("model-row").hidden = site.models.length < 2;
        fillSelect(part("framing"), engine.framings);
        fillSelect(part("device"), engine.devices);
        part("device-row").hidden = engine.devices.length < 2;
        const before = this.read().picture;
        const chosen = site.pictures.find(({ id }) => id === before) ?? site.pictures[0];
        part("choices").replaceChildren();
        part("choices").classList.toggle("whole", site.engine === "server");
        site.pictures.forEach((row) => addChoice(row, engine.thumbnail(row.id), row === chosen));
        this.#show();
    }

    /** Add a picture of the user's own, and choose it. */
    addOwn(row, address) {
        addChoice(row, address, true);
        this.#choose({ picture: row.id });
    }

    /** Read all settings as the engine wants them. */
    read() {
        const picture = document.querySelector("#choices input:checked")?.value;
        const numbers = NUMBERS.map((name) => [name, part(name).valueAsNumber]);
        const choices = CHOICES.map((name) => [name, part(name).value]).filter(([, value]) => value);
        const mirror = part("mirror").checked;
        return { picture, mirror, hold: this.held, ...Object.fromEntries([...numbers, ...choices]) };
    }

    /** Read those settings that the user chose; an engine may have defaults of its own for the others. */
    readChosen() {
        return Object.fromEntries(Object.entries(this.read()).filter(([name]) => this.chosen.has(name)));
    }

    /** Show settings as the engine has them; a control that is being moved is left alone. */
    take(state) {
        for (const input of document.querySelectorAll("#choices input")) {
            input.checked = "picture" in state ? input.value === state.picture : input.checked;
        }
        if (state.shown) {
            this.#offerParts(state);
        }
        for (const name of [...NUMBERS, ...CHOICES]) {
            if ((state[name] ?? null) !== null && !part(name).matches(":active")) {
                part(name).value = String(state[name]);
            }
        }
        if ("mirror" in state) {
            part("mirror").checked = state.mirror;
        }
        if ("hold" in state) {
            press("hold", state.hold);
        }
        this.#show();
    }

    /** Mirror a camera and no video, unless the user chose. */
    suggestMirror(mirror) {
        if (!this.chosen.has("mirror") && part("mirror").checked !== mirror) {
            part("mirror").checked = mirror;
            this.#change({ mirror });
        }
    }

    /** Whether the picture is held still. */
    get held() {
        return part("hold").getAttribute("aria-pressed") === "true";
    }

    /** Hold the picture still, or let it go. */
    toggleHold() {
        press("hold", !this.held);
        this.#choose({ hold: this.held });
    }

    /** Offer what can be shown of the picture, and which of its faces move. */
    #offerParts({ faces, faces_found: boxes }) {
        const picture = document.querySelector("#choices input:checked ~ img")?.src ?? "";
        const offered = JSON.stringify([picture, boxes, faces]);
        if (offered === this.offered) {
            return; // a list that is open stays so
        }
        this.offered = offered;
        fillSelect(part("shown"), SHOWN);
        part("shown-row").hidden = false;
        offerFaces(picture, boxes, faces);
    }

    #choose(changes) {
        Object.keys(changes).forEach((name) => this.chosen.add(name));
        this.#change(changes);
    }

    #change(changes) {
        this.#show();
        this.changed(changes);
    }

    #show() {
        for (const name of NUMBERS) {
            const value = part(name).valueAsNumber;
            const shown = name === "smooth" ? `${value.toFixed(2)} s` : value.toFixed(2);
            document.querySelector(`output[for="${name}"]`).textContent = shown;
            part(name).setAttribute("aria-valuetext", name === "smooth" ? `${value.toFixed(2)} seconds` : shown);
        }
        part("input").classList.toggle("mirrored", part("mirror").checked);
        part("guide").classList.toggle("close", part("framing").value === "close");
        part("guide").hidden = part("framing").value === "face";
    }
}

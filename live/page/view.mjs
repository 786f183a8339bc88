/** Parts of the page and the changes made to them. */

/** Find a part of the page by its id. */
export const part = (id) => document.getElementById(id);

const FOLDED = "what the camera sees is hidden"; // for as long as this tab is open
const MENTIONED = 8000; // ms

let passing = 0;

/** Show a message that need not interrupt, until the next; nothing takes it away. */
export function say(text) {
    clearTimeout(passing);
    part("status").textContent = text ?? "";
}

/** Show a message that is good for some seconds, or until the next. */
export function mention(text) {
    say(text);
    passing = setTimeout(() => say(""), MENTIONED);
}

/** Show what is to be known of the picture, for as long as it is shown. */
export function noteOfPicture(text) {
    if (part("note").textContent !== text) {
        part("note").textContent = text; // not the same again, which would be read out again
    }
}

/** Show what went wrong, with a button that tries again where that may help; nothing takes it away. */
export function alertUser(text, again = "") {
    part("alert").textContent = text ?? "";
    part("again").hidden = !again;
    part("again").textContent = again;
}

/** Fill a list to choose from with [value, label] rows, and keep what was chosen if it is still there. */
export function fillSelect(select, rows) {
    const before = select.value;
    select.replaceChildren(
        ...rows.map(([value, label]) => {
            const option = document.createElement("option");
            [option.value, option.textContent] = [value, label];
            return option;
        }),
    );
    if (rows.some(([value]) => value === before)) {
        select.value = before;
    }
}

/** Add a picture to those that can be chosen. */
export function addChoice({ id, label }, address, chosen) {
    const [box, input, image, text] = ["label", "input", "img", "span"].map((name) => document.createElement(name));
    Object.assign(input, { type: "radio", name: "picture", value: id, checked: chosen, className: "covered" });
    Object.assign(image, { src: address, alt: "" });
    [text.textContent, box.title] = [label, label];
    box.append(input, image, text);
    part("choices").append(box);
}

/** Draw a picture of the result, and let its memory go. */
export function drawResult(image, number) {
    const canvas = part("result");
    if (canvas.width !== image.width || canvas.height !== image.height) {
        [canvas.width, canvas.height] = [image.width, image.height];
        part("screen").style.setProperty("--shape", image.width / image.height);
    }
    const context = canvas.getContext("2d");
    if (image instanceof ImageData) {
        context.putImageData(image, 0, 0);
    } else {
        context.drawImage(image, 0, 0);
        image.close();
    }
    canvas.dataset.number = number;
    canvas.hidden = false;
    part("empty").hidden = true;
}

/** Show what the meter reads. */
export function showFigures({ rate, latency, dropped }) {
    part("rate").textContent = rate === null ? "–" : rate.toFixed(1);
    part("latency").textContent = latency === null ? "–" : `${latency.toFixed(0)} ms`;
    part("dropped").textContent = String(dropped);
}

/** Show whether there is an input, of which kind, and what can be done with it. */
export function showInput(kind) {
    const focused = document.activeElement?.id;
    part("preview").hidden = kind === null;
    part("stop").hidden = kind === null;
    part("camera").hidden = kind === "camera";
    const name = kind === "video" ? "video" : "camera";
    part("preview").ariaLabel = part("preview").title = `Small picture of the ${name}`;
    part("unfold-text").textContent = `Show ${name}`;
    for (const id of ["recentre", "hold", "record"]) {
        part(id).disabled = kind === null;
    }
    if (kind === null && focused === "stop") {
        part("camera").focus();
    } else if (kind !== null && (focused === "camera" || focused === "file")) {
        part("record").focus(); // so that space records
    }
}

/** Leave of what the camera sees no more than a button, or show it; where nothing is said, as last in this tab. */
export function foldPreview(folded = sessionStorage.getItem(FOLDED) === "yes") {
    part("preview").setAttribute("aria-expanded", String(!folded));
    sessionStorage.setItem(FOLDED, folded ? "yes" : "no");
}

/** Show a button as pressed or not. */
export function press(id, pressed) {
    part(id).setAttribute("aria-pressed", String(pressed));
}

/** Faces of a picture: a list of those that may move, and numbered frames that show which is which. */

import { fillSelect, part } from "./view.mjs";

/** Offer the faces in `boxes`, counted from left to right; `chosen` are those that move, as the server names them. */
export function offerFaces(picture, boxes, chosen) {
    const several = chosen.includes(",") ? [[chosen, chosen.split(",").map(Number).map(nameOf).join(", ")]] : [];
    const numbers = boxes.map((_, number) => [String(number), nameOf(number)]);
    fillSelect(part("faces"), [...numbers, ...several, ["all", "All"]]);
    part("faces-row").hidden = boxes.length < 2;
    part("faces-found").textContent = `${boxes.length} faces found`;
    part("faces-picture").src = picture;
    const moving = chosen === "all" ? boxes.map((_, number) => number) : chosen.split(",").map(Number);
    part("faces-frames").replaceChildren(...boxes.map((box, number) => frame(box, number, moving.includes(number))));
}

/** Have the number of a face told whose frame is clicked; the list does the same for keyboards. */
export function onFaceClicked(action) {
    part("faces-frames").addEventListener("click", ({ target }) => {
        if (target.dataset.face) {
            action(target.dataset.face);
        }
    });
}

function nameOf(number) {
    return number ? `${number + 1}` : "1 (left)";
}

function frame([left, top, right, bottom], number, moves) {
    const shown = document.createElement("span");
    const places = { left, top, width: right - left, height: bottom - top };
    Object.entries(places).forEach(([name, share]) => shown.style.setProperty(name, `${100 * share}%`));
    [shown.textContent, shown.dataset.face] = [number + 1, number];
    shown.classList.toggle("moves", moves);
    return shown;
}

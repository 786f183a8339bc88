// Button of the node Live: opens the page, and runs the node first where it has not said yet where that is.
import { app } from "../../scripts/app.js";
import { word } from "./words.js";

const NODE = "FirstOrderMotion_Live";
const BUTTON = "open_page";

function open(path) {
  window.open(path, "_blank", "noopener");
}

app.registerExtension({
  name: "FirstOrderMotion.Live",
  nodeCreated(node) {
    if (node.comfyClass !== NODE) return;
    let path = null;
    let wanted = false;
    const button = node.addWidget("button", BUTTON, null, async () => {
      if (path) return open(path);
      wanted = true;
      await app.queuePrompt(0);
    }, { serialize: false });
    button.serialize = false;
    button.label = word(BUTTON, "Open the page");
    const executed = node.onExecuted;
    node.onExecuted = function (output) {
      executed?.apply(this, arguments);
      path = output?.path?.[0] ?? path;
      if (wanted && path) open(path);
      wanted = false;
    };
  },
});

// Button of the node Live: opens the page, and runs the node first where it has not said yet where that is.
import { app } from "../../scripts/app.js";

const NODE = "FirstOrderMotion_Live";
const LABEL = "Open the page";

function open(path) {
  window.open(path, "_blank", "noopener");
}

app.registerExtension({
  name: "FirstOrderMotion.Live",
  nodeCreated(node) {
    if (node.comfyClass !== NODE) return;
    let path = null;
    let wanted = false;
    const button = node.addWidget("button", LABEL, null, async () => {
      if (path) return open(path);
      wanted = true;
      await app.queuePrompt(0);
    }, { serialize: false });
    button.serialize = false;
    const executed = node.onExecuted;
    node.onExecuted = function (output) {
      executed?.apply(this, arguments);
      path = output?.path?.[0] ?? path;
      if (wanted && path) open(path);
      wanted = false;
    };
  },
});

// Errors that nodes of this pack raise while a prompt is checked, such as about missing weights. ComfyUI blames them on an
// input of the next node; they are put where the model is chosen, so that this is marked and what is wrong is read first.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { isOurs } from "./ours.js";

const NOT_CHOSEN = "by model_name";
const TITLE = "First Order Motion";
const { queuePrompt } = api;
let unsay = () => {};

function menuOf(inputs) {
  if ("checkpoint" in inputs && inputs.checkpoint !== NOT_CHOSEN) return "checkpoint";
  return ["model_name", "model", "checkpoint"].find((name) => name in inputs);
}

// Older frontends show message and details in a dialog. Newer ones have a short text of their own for each type, with the
// name of the input; only this type's leaves the details out, of which others show the first lines.
function blame(error, input) {
  const extra_info = { ...error.extra_info, input_name: input };
  return { ...error, type: "custom_validation_failed", message: input, extra_info };
}

function put(response, prompt) {
  const said = new Set();
  for (const [id, { class_type, errors }] of Object.entries(response?.node_errors ?? {})) {
    const input = menuOf(prompt[id]?.inputs ?? {});
    if (!input || !isOurs(globalThis.LiteGraph?.registered_node_types[class_type]?.nodeData)) continue;
    errors.forEach((error, index) => {
      if (!error.type.startsWith("exception_during")) return;
      response.error.details = response.error.details?.replace(`${error.message}: ${error.details}`, "");
      errors[index] = blame(error, input);
      said.add(error.details);
    });
  }
  return [...said].join("\n");
}

// The whole sentence, where the frontend opens no dialog with it: this setting is what decides that.
function say(detail) {
  if (!detail || !app.extensionManager.setting.get("Comfy.RightSidePanel.ShowErrorsTab")) return;
  const { toast } = app.extensionManager;
  if (toast.error) {
    const id = toast.error(TITLE, { description: detail });
    unsay = () => toast.dismiss(id);
  } else {
    const message = { severity: "error", summary: TITLE, detail };
    toast.add(message);
    unsay = () => toast.remove(message);
  }
}

api.queuePrompt = async function (number, prompt) {
  unsay();
  try {
    return await queuePrompt.apply(this, arguments);
  } catch (error) {
    say(put(error.response, prompt.output));
    throw error;
  }
};

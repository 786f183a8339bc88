// Errors that nodes of this pack raise while a prompt is checked, such as about missing weights. ComfyUI blames them on an
// input of the next node; they are put where the model is chosen, so that this is marked and what is wrong is read first.
import { api } from "../../scripts/api.js";
import { isOurs } from "./ours.js";

const NOT_CHOSEN = "by model_name";
const { queuePrompt } = api;

function menuOf(inputs) {
  if ("checkpoint" in inputs && inputs.checkpoint !== NOT_CHOSEN) return "checkpoint";
  return ["model_name", "model", "checkpoint"].find((name) => name in inputs);
}

// Older frontends show message and details; newer ones have a text of their own for each type, and this one's holds the
// name of the input and the details.
function blame(error, input) {
  const extra_info = { ...error.extra_info, input_name: input };
  return { ...error, type: "exception_during_inner_validation", message: input, extra_info };
}

function put(response, prompt) {
  for (const [id, { class_type, errors }] of Object.entries(response?.node_errors ?? {})) {
    const input = menuOf(prompt[id]?.inputs ?? {});
    if (!input || !isOurs(globalThis.LiteGraph?.registered_node_types[class_type]?.nodeData)) continue;
    errors.forEach((error, index) => {
      if (!error.type.startsWith("exception_during")) return;
      response.error.details = response.error.details?.replace(`${error.message}: ${error.details}`, "");
      errors[index] = blame(error, input);
    });
  }
}

api.queuePrompt = async function (number, prompt) {
  try {
    return await queuePrompt.apply(this, arguments);
  } catch (error) {
    put(error.response, prompt.output);
    throw error;
  }
};

// Few widgets first: what a node has beyond the common inputs is folded away on the classic canvas too, and comes with
// "Show Advanced". Values of stored workflows stay where they are: those that differ from the default are shown.
import { app } from "../../scripts/app.js";

const CATEGORY = "FirstOrderMM";

function inputsOf(nodeData) {
  return { ...nodeData.input?.required, ...nodeData.input?.optional };
}

function isDefault(widget, spec) {
  return widget.value === (spec[1]?.default ?? spec[1]?.options?.[0]);
}

function isWired(node, widget) {
  return node.inputs?.some((slot) => slot.widget?.name === widget.name && slot.link != null);
}

// `advanced` is the widget's own switch on the canvas, the one in `options` that of nodes drawn otherwise.
function fold(widget, spec, folded) {
  const hidden = folded && spec[1]?.hidden === true;
  if (widget.options && spec[1]?.hidden !== undefined) widget.options.hidden = hidden;
  if (widget.options && spec[1]?.advanced !== undefined) widget.options.advanced = folded;
  widget.hidden = hidden;
  widget.advanced = folded;
}

function foldAll(node, specs) {
  for (const widget of node.widgets ?? []) {
    const spec = specs[widget.name];
    if (spec?.[1]?.advanced) fold(widget, spec, isDefault(widget, spec) && !isWired(node, widget));
  }
}

// Stored nodes keep their size, so that they cover no neighbour: newer inputs than they knew are folded until it fits.
function foldToFit(node, optional, height) {
  const rest = (node.widgets ?? []).filter((widget) => {
    const spec = optional?.[widget.name];
    return spec && !widget.advanced && isDefault(widget, spec) && !isWired(node, widget);
  });
  while (rest.length && node.computeSize()[1] > height) {
    const widget = rest.pop();
    fold(widget, optional[widget.name], true);
  }
}

// Frontends that show ids show the names that the parts have in the field.
function nameParts(node, specs) {
  for (const widget of node.widgets ?? []) {
    const shown = specs[widget.name]?.[1]?.display_name;
    const untranslated = !widget.label || widget.label === widget.name;
    if (shown && untranslated) widget.label = shown;
  }
}

app.registerExtension({
  name: "FirstOrderMotion.FewWidgetsFirst",
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (nodeData.category !== CATEGORY) return;
    const specs = inputsOf(nodeData);
    const { onConfigure } = nodeType.prototype;
    nodeType.prototype.onConfigure = function (stored) {
      onConfigure?.apply(this, arguments);
      const height = stored?.size?.[1] ?? stored?.size?.["1"];
      if (!height) return;
      const width = stored.size[0] ?? stored.size["0"];
      foldAll(this, specs);
      foldToFit(this, nodeData.input?.optional, height);
      this.setSize([width, Math.max(height, this.computeSize()[1])]);
    };
  },
  nodeCreated(node) {
    const { nodeData } = node.constructor;
    if (nodeData?.category !== CATEGORY) return;
    const specs = inputsOf(nodeData);
    nameParts(node, specs);
    foldAll(node, specs);
    node.setSize(node.computeSize());
  },
});

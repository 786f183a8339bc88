// Few widgets first: what a node has beyond the common inputs is folded away on the canvas, and comes with "Show all
// inputs" in its menu. Values of stored workflows stay where they are: those that differ from the default are shown.
import { app } from "../../scripts/app.js";
import { isOurs } from "./ours.js";
import { word } from "./words.js";

const NO_HEIGHT = [0, -4]; // the canvas adds 4 to each

function inputsOf(nodeData) {
  return { ...nodeData.input?.required, ...nodeData.input?.optional };
}

function isDefault(widget, spec) {
  return widget.value === (spec[1]?.default ?? spec[1]?.options?.[0]);
}

function isWired(node, widget) {
  return node.inputs?.some((slot) => slot.widget?.name === widget.name && slot.link != null);
}

// Nodes that are drawn as elements of the page fold advanced inputs themselves.
function foldsItself(spec) {
  return globalThis.LiteGraph?.vueNodesMode && spec[1]?.advanced && !spec[1]?.hidden;
}

// Their heights the canvas must not count then.
function heightByMode() {
  return globalThis.LiteGraph.vueNodesMode ? NO_HEIGHT : [0, globalThis.LiteGraph.NODE_WIDGET_HEIGHT];
}

function fold(widget, spec, folded) {
  if (foldsItself(spec)) {
    widget.computeSize = heightByMode;
    return;
  }
  widget.hidden = folded;
  if (folded) widget.computeSize = () => NO_HEIGHT;
  else delete widget.computeSize;
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
    return spec && !widget.hidden && isDefault(widget, spec) && !isWired(node, widget);
  });
  while (rest.length && node.computeSize()[1] > height) {
    const widget = rest.pop();
    fold(widget, optional[widget.name], true);
  }
}

function showAll(node, specs) {
  for (const widget of node.widgets ?? []) if (specs[widget.name]) fold(widget, specs[widget.name], false);
}

function fit(node) {
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), height]);
  app.canvas?.setDirty(true, true);
}

// Frontends that show ids show the names that the parts have in the field.
function nameParts(node, specs) {
  for (const widget of node.widgets ?? []) {
    const shown = specs[widget.name]?.[1]?.display_name;
    const untranslated = !widget.label || widget.label === widget.name;
    if (shown && untranslated) widget.label = shown;
  }
}

function menuOf(node, specs) {
  const folded = (node.widgets ?? []).some((widget) => widget.hidden && specs[widget.name]);
  const foldable = (node.widgets ?? []).some(({ name }) => specs[name]?.[1]?.advanced && !foldsItself(specs[name]));
  const show = { content: word("show_inputs", "Show all inputs"), callback: () => (showAll(node, specs), fit(node)) };
  const fold = { content: word("fold_inputs", "Fold inputs"), callback: () => (foldAll(node, specs), fit(node)) };
  if (folded) return [show];
  return foldable ? [fold] : [];
}

app.registerExtension({
  name: "FirstOrderMotion.FewWidgetsFirst",
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (!isOurs(nodeData)) return;
    const specs = inputsOf(nodeData);
    const { onConfigure, getExtraMenuOptions } = nodeType.prototype;
    nodeType.prototype.onConfigure = function (stored) {
      onConfigure?.apply(this, arguments);
      nameParts(this, specs);
      foldAll(this, specs);
      const [width, height] = stored?.size ? [stored.size[0], stored.size[1]] : this.size;
      foldToFit(this, nodeData.input?.optional, height);
      this.setSize([width, Math.max(height, this.computeSize()[1])]);
    };
    nodeType.prototype.getExtraMenuOptions = function (canvas, options) {
      const more = getExtraMenuOptions?.apply(this, arguments);
      options.unshift(...menuOf(this, specs));
      return more;
    };
  },
  nodeCreated(node) {
    const { nodeData } = node.constructor;
    if (!isOurs(nodeData)) return;
    const specs = inputsOf(nodeData);
    const padded = node.size[0];
    nameParts(node, specs);
    foldAll(node, specs);
    node.setSize([padded, node.computeSize()[1]]);
  },
});

// Nodes of this pack, by their category.
const CATEGORY = "FirstOrderMM";

export function isOurs(nodeData) {
  return nodeData?.category === CATEGORY;
}

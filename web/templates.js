// The template browser shows templates in the order in which the file system lists them: this pack's are sorted by their
// numbers.
import { api } from "../../scripts/api.js";

const PACK = decodeURIComponent(new URL(import.meta.url).pathname.split("/").at(-2));
const { getWorkflowTemplates } = api;

api.getWorkflowTemplates = async function () {
  const found = await getWorkflowTemplates.apply(this, arguments);
  found[PACK]?.sort();
  return found;
};

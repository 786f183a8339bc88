// Words of this pack's buttons and menus in the language of the interface. Those of nodes ComfyUI translates itself, from
// the same files.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

let translations = {};

async function fetchWords() {
  const answer = await api.fetchApi("/i18n");
  if (answer.ok) translations = await answer.json();
}

export function word(key, english) {
  const language = app.extensionManager?.setting?.get("Comfy.Locale") ?? "en";
  return translations[language]?.firstOrderMotion?.[key] ?? english;
}

app.registerExtension({
  name: "FirstOrderMotion.Words",
  init: fetchWords, // is waited for before any node is made
});

// Print the scores of the texts on stdin by the exported model in FOLDER, as transformers.js gets them:
//   node classify.mjs MODULES FOLDER [CONFIGURATION]
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";

const [modules, folder, configuration] = process.argv.slice(2);
const { env, pipeline } = await import(`${modules}/@huggingface/transformers/dist/transformers.node.mjs`);
env.allowRemoteModels = false;
env.localModelPath = dirname(folder);
const config = configuration && JSON.parse(readFileSync(configuration, "utf8"));
const classify = await pipeline("text-classification", basename(folder), { dtype: "q8", ...(config && { config }) });
const scores = [];
for (const text of JSON.parse(readFileSync(0, "utf8"))) {
  const found = await classify(text, { top_k: null });
  scores.push(found.find(({ label }) => label === "positive").score);
}
console.log(JSON.stringify(scores));

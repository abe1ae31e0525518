// The live verdict: asks the server a moment after the last key, shows the newest answer only, and says when the
// server can't be reached. Texts are put into the page as text, never as HTML.

const DEBOUNCE = 250;
const EXPLAIN_AFTER = 350;
const RETRY = 2000;
const SPEAK_AFTER = 900;
const STRONG = 0.25; // least log odds that give a word its full colour; where a word has more, that is the scale
const SHOWN = 0.25; // share of the scale from which a word is coloured at all

const find = (id) => document.getElementById(id);
let turn = 0;
let request = new AbortController();
let timers = [];
let explaining = Promise.resolve();

const later = (action, delay) => timers.push(setTimeout(action, delay));

function changed() {
  turn += 1;
  request.abort();
  timers.forEach(clearTimeout);
  timers = [];
  const text = find("review").value;
  find("count").textContent = text ? `${[...text].length.toLocaleString("en")} characters` : "";
  if (text.trim() === "") {
    idle();
    return;
  }
  find("verdict").dataset.busy = "";
  later(() => read(text, turn), DEBOUNCE);
}

async function ask(path, text) {
  const answer = await fetch(`api/v1/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text: text.toWellFormed ? text.toWellFormed() : text }),
    signal: request.signal,
  });
  const body = await answer.json();
  if (answer.ok) return body;
  const problem = new Error(`${body.error.message}: ${body.error.change}.`);
  problem.final = answer.status < 429;
  throw problem;
}

async function read(text, mine) {
  request = new AbortController();
  try {
    const { decision, predictions } = await ask("predict", text);
    if (mine !== turn) return;
    find("status").textContent = "";
    for (const end of ["low", "high"]) find("scale").style.setProperty(`--${end}`, decision[end]);
    show(predictions[0]);
    later(() => explain(text, mine), EXPLAIN_AFTER);
  } catch (error) {
    if (mine !== turn || error.name === "AbortError") return;
    delete find("verdict").dataset.busy;
    find("status").textContent = error.final
      ? error.message
      : "The server does not answer; trying again until it does.";
    if (!error.final) later(() => read(text, mine), RETRY);
  }
}

async function explain(text, mine) {
  await explaining; // one at a time: it is the costlier question
  if (mine !== turn) return;
  explaining = ask("explain", text)
    .then((found) => mine === turn && reasons(found))
    .catch(() => {}); // the verdict stands; the next key asks again
}

function idle() {
  const verdict = find("verdict");
  verdict.dataset.kind = "none";
  delete verdict.dataset.busy;
  find("sentiment").textContent = "Waiting for words";
  for (const id of ["confidence", "say", "status", "spoken"]) find(id).textContent = "";
  find("scale").setAttribute("aria-label", "No verdict yet");
  forget();
}

function forget() {
  for (const id of ["words", "parts"]) find(id).replaceChildren();
  for (const id of ["why", "legend", "parted"]) find(id).hidden = true;
}

const kindOf = (prediction) => (prediction.unsure ? "unsure" : prediction.sentiment);
const certaintyOf = ({ sentiment, score }) => percent(sentiment === "positive" ? score : 1 - score);
const percent = (share) => `${Math.min(99, Math.round(100 * share))} %`;

function show(prediction) {
  const { sentiment, score, unsure, strange } = prediction;
  const confidence = certaintyOf(prediction);
  const verdict = find("verdict");
  verdict.dataset.kind = kindOf(prediction);
  delete verdict.dataset.busy;
  verdict.style.setProperty("--score", score);
  const name = sentiment[0].toUpperCase() + sentiment.slice(1);
  find("sentiment").textContent = unsure ? "Unsure" : name;
  find("confidence").textContent = unsure ? `leans ${sentiment}, ${confidence}` : `${confidence} sure`;
  const doubts = [];
  if (strange) doubts.push("Many of these words are none that the model has learnt: it may not know this language.");
  if (unsure) doubts.push("The model is in doubt: take this as no verdict.");
  find("say").textContent = doubts.join(" ");
  find("scale").setAttribute("aria-label", `Probability of positive: ${percent(score)}`);
  forget();
  later(() => {
    find("spoken").textContent = unsure ? `Unsure, leans ${sentiment}` : `${name}, ${confidence} sure`;
  }, SPEAK_AFTER);
}

function reasons({ words, parts }) {
  const scale = Math.max(STRONG, ...words.map(({ weight }) => Math.abs(weight)));
  find("words").replaceChildren(...words.flatMap((one) => word(one, scale)));
  const carried = find("words").querySelector(".for, .against") !== null;
  find("why").textContent = carried ? "Words that carried it" : "No single word carried it";
  find("why").hidden = false;
  find("legend").hidden = !carried;
  find("parted").hidden = parts.length === 0;
  if (parts.length) find("say").append(" Of a text this long the model reads only a part for its verdict.");
  find("parts").replaceChildren(...parts.map(part));
}

function word({ text, weight }, scale) {
  const span = document.createElement("span");
  const strength = Math.abs(weight) / scale;
  span.className = strength < SHOWN ? "word" : `word ${weight > 0 ? "for" : "against"}`;
  span.style.setProperty("--strength", strength.toFixed(2));
  span.title = `${weight > 0 ? "+" : ""}${weight.toFixed(2)}`;
  span.textContent = text.trimEnd();
  return [span, text.slice(text.trimEnd().length)];
}

function part({ text, prediction }) {
  const item = document.createElement("li");
  const verdict = document.createElement("b");
  item.className = kindOf(prediction);
  verdict.textContent = `${kindOf(prediction)} ${certaintyOf(prediction)}`;
  const quote = document.createElement("span");
  quote.textContent = text.trim();
  item.append(verdict, quote);
  return item;
}

// Gradio may render the box late, or anew; so the document listens.
document.addEventListener("input", ({ target }) => target.id === "review" && changed());
document.addEventListener("click", ({ target }) => {
  const chip = target.closest?.("[data-example], #clear");
  if (!chip) return;
  find("review").value = chip.dataset.example ?? "";
  find("review").focus();
  changed();
});
document.documentElement.lang = "en";

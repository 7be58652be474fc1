// The words of a text as BM25 compares them: cut by Unicode's rules, in lower case, without the possessive 's and
// Lucene's English stop words, and reduced to their stems by Porter's algorithm (1980), with the two departures of
// his own later programs: "bli" in place of "abli", and "logi".

const STOP_WORDS = new Set(
  ("a an and are as at be but by for if in into is it no not of on or such that the their then there these they " +
    "this to was will with").split(" "));

const SEGMENTER = new Intl.Segmenter("en", { granularity: "word" });

// Ending → what stands for it, in the order in which they are tried; of endings that fit, the longest comes first.
const STEP_2 = Object.entries({
  ational: "ate", tional: "tion", enci: "ence", anci: "ance", izer: "ize", bli: "ble", alli: "al", entli: "ent",
  eli: "e", ousli: "ous", ization: "ize", ation: "ate", ator: "ate", alism: "al", iveness: "ive", fulness: "ful",
  ousness: "ous", aliti: "al", iviti: "ive", biliti: "ble", logi: "log",
});
const STEP_3 = Object.entries({ icate: "ic", ative: "", alize: "al", iciti: "ic", ical: "ic", ful: "", ness: "" });
const STEP_4 = ["al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism",
  "ate", "iti", "ous", "ive", "ize"];

// c for a consonant and v for a vowel, letter by letter; y is a vowel after a consonant.
function shapeOf(word) {
  let shape = "";
  for (const letter of word) {
    const isVowel = "aeiou".includes(letter) || (letter === "y" && shape.endsWith("c"));
    shape += isVowel ? "v" : "c";
  }
  return shape;
}

// Porter's m: how often a consonant follows a vowel.
function measureOf(word) {
  return (shapeOf(word).match(/vc/g) || []).length;
}

function hasVowel(word) {
  return shapeOf(word).includes("v");
}

function endsInShortSyllable(word) {
  return shapeOf(word).endsWith("cvc") && !/[wxy]$/.test(word);
}

// The word with the longest of the endings replaced, if what is before it has m > 0.
function replaced(word, endings) {
  const fitting = endings.filter(([ending]) => word.endsWith(ending));
  if (!fitting.length) return word;
  const [ending, other] = fitting.reduce((one, two) => (two[0].length > one[0].length ? two : one));
  const start = word.slice(0, -ending.length);
  return measureOf(start) > 0 ? start + other : word;
}

function withoutPlural(word) {
  if (word.endsWith("sses") || word.endsWith("ies")) return word.slice(0, -2);
  return word.endsWith("s") && !word.endsWith("ss") ? word.slice(0, -1) : word;
}

function withoutPast(word) {
  if (word.endsWith("eed")) return measureOf(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word;
  const found = /^(.*)(ed|ing)$/.exec(word);
  if (!found || !hasVowel(found[1])) return word;
  const start = found[1];
  if (/(at|bl|iz)$/.test(start)) return start + "e";
  if (/([^aeiou])\1$/.test(start) && !/[lsz]$/.test(start)) return start.slice(0, -1);
  return measureOf(start) === 1 && endsInShortSyllable(start) ? start + "e" : start;
}

function withoutSuffix(word) {
  const fitting = STEP_4.filter((ending) => word.endsWith(ending));
  if (!fitting.length) return word;
  const ending = fitting.reduce((one, two) => (two.length > one.length ? two : one));
  const start = word.slice(0, -ending.length);
  if (ending === "ion" && !/[st]$/.test(start)) return word;
  return measureOf(start) > 1 ? start : word;
}

function withoutFinalE(word) {
  if (word.endsWith("e")) {
    const start = word.slice(0, -1);
    if (measureOf(start) > 1 || (measureOf(start) === 1 && !endsInShortSyllable(start))) word = start;
  }
  return word.endsWith("ll") && measureOf(word) > 1 ? word.slice(0, -1) : word;
}

function stemOf(word) {
  if (word.length < 3) return word;
  let stem = withoutPast(withoutPlural(word));
  if (stem.endsWith("y") && hasVowel(stem.slice(0, -1))) stem = stem.slice(0, -1) + "i";
  return withoutFinalE(withoutSuffix(replaced(replaced(stem, STEP_2), STEP_3)));
}

// What BM25 looks a word up by; nothing for a stop word.
function termOf(word) {
  const plain = word.replace(/['’]s$/i, "").toLowerCase();
  return STOP_WORDS.has(plain) ? "" : stemOf(plain);
}

function termsOf(text) {
  const words = [...SEGMENTER.segment(text)].filter((part) => part.isWordLike);
  return new Set(words.map((part) => termOf(part.segment)).filter(Boolean));
}

// The text as nodes, with the words marked whose terms are among these.
function markedText(text, terms) {
  const nodes = [];
  let plain = "";
  for (const part of SEGMENTER.segment(text)) {
    if (part.isWordLike && terms.has(termOf(part.segment))) {
      const mark = document.createElement("mark");
      mark.textContent = part.segment;
      nodes.push(plain, mark);
      plain = "";
    } else {
      plain += part.segment;
    }
  }
  return [...nodes, plain];
}

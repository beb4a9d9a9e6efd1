"use strict";
// What the other scripts share. Text becomes a text node and nothing else: no innerHTML anywhere.
const report = JSON.parse(document.getElementById("data").textContent);

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child instanceof Node || (typeof child === "string" && child)) node.append(child);
  }
  return node;
}

// control characters, and those that reorder the text around them, are written out
const INVISIBLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

function visible(text) {
  const code = (character) => character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
  return text.replace(INVISIBLE, (character) => `[U+${code(character)}]`);
}

// A link to #id would leave an srcdoc frame, so sections are reached by script.
for (const button of document.querySelectorAll("nav button")) {
  button.addEventListener("click", () => {
    const section = document.getElementById(button.dataset.to);
    section.scrollIntoView();
    section.tabIndex = -1;
    section.focus({ preventScroll: true });
  });
}

// The scripts of the page. Without them it says the same, all at once and unfiltered.
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

// A formula wider than the page can be scrolled with the keyboard; one that fits is no stop of the Tab key.
const reachFormulas = () => {
  for (const formula of document.querySelectorAll("div.math")) {
    if (formula.scrollWidth > formula.clientWidth) formula.setAttribute("tabindex", "0");
    else formula.removeAttribute("tabindex");
  }
};
const watchFormulas = () => {
  reachFormulas();
  window.addEventListener("resize", reachFormulas);
};
if (window.MathJax?.startup?.promise) window.MathJax.startup.promise.then(watchFormulas);

// On paper, no picture may be missing because nobody scrolled to it.
window.addEventListener("beforeprint", () => {
  for (const picture of document.querySelectorAll("img[loading=lazy]")) picture.loading = "eager";
});

// From a folder, a browser may not read the pages that a search has found: their titles then stand alone.
if (window.location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// The arrow that unfolds a part of the side bar is an icon; it is named after the page beside it.
for (const fold of document.querySelectorAll(".bd-links summary")) {
  const page = fold.closest("li").querySelector("a");
  fold.setAttribute("aria-label", `Pages below ${page.textContent.trim()}`);
}

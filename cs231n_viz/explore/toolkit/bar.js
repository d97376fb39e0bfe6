// The bar of an explorer: more controls, reset, and the stage. It also names what has no name for a screen reader.

const KEYS_STAY = "data-lm-suppress-shortcuts"; // else JupyterLab takes "b" on a control as "insert a cell"

function button(bar, text, title, onClick) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "jupyter-button widget-button cs231n-button";
  made.textContent = text;
  made.title = title;
  made.addEventListener("click", onClick);
  bar.appendChild(made);
  return made;
}

// Sliders say only their value, and boxes without a label have nothing but a tooltip.
function nameControls(root) {
  const labelOf = (part) => {
    const control = part.closest(".widget-slider, .widget-inline-hbox, .jupyter-widgets");
    const label = control?.querySelector(".widget-label");
    return label?.textContent.trim() || label?.title || control?.title || part.title || "";
  };
  const name = (part, text) => {
    if (text && part.getAttribute("aria-label") !== text) part.setAttribute("aria-label", text);
  };
  root.querySelectorAll(".noUi-handle").forEach((part) => name(part, labelOf(part)));
  root.querySelectorAll(".widget-readout").forEach((part) => {
    if (part.isContentEditable) part.setAttribute("role", "textbox");
    name(part, labelOf(part) && `${labelOf(part)}, as a number`);
  });
  root.querySelectorAll("input:not([type=file]), select, textarea").forEach((part) => {
    if (!part.labels?.length || ![...part.labels].some((label) => label.textContent.trim())) name(part, labelOf(part));
  });
  root.querySelectorAll("button").forEach((part) => {
    const icon = part.querySelector("i")?.className.match(/fa-([a-z-]+)/)?.[1]; // play, stop, retweet
    if (!part.textContent.trim()) name(part, part.title || (icon === "retweet" ? "repeat" : icon));
  });
  root.querySelectorAll("[role=progressbar]").forEach((part) => name(part, "progress"));
}

function render({ model, el }) {
  const bar = document.createElement("div");
  bar.className = "cs231n-buttons";
  el.appendChild(bar);
  let root = null;

  const more = button(bar, "", "Show or hide the other controls", () => {
    model.set("unfolded", !model.get("unfolded"));
    model.save_changes();
  });
  button(bar, "↺ reset", "Give all controls their first values", () => model.send({ kind: "reset" }));
  const stage = button(bar, "⤢ stage", "Fill the window with this explorer", () => (onStage() ? leave() : enter()));
  const screen = button(bar, "full screen", "Fill the screen", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen?.({ navigationUI: "hide" }).catch(() => {});
  });

  const onStage = () => root !== null && root.classList.contains("cs231n-on-stage");

  // A popover is in the top layer: no cell, scroller or panel of the page around it can clip it.
  function enter() {
    if (!root || onStage()) return;
    root.setAttribute("popover", "manual");
    root.showPopover?.();
    root.classList.add("cs231n-on-stage");
    root.setAttribute("role", "region");
    root.setAttribute("aria-label", `${model.get("title")}, on stage; Escape comes back`);
    show();
    stage.focus({ preventScroll: true });
  }

  function leave() {
    if (!onStage()) return;
    root.classList.remove("cs231n-on-stage");
    root.removeAttribute("popover"); // closes it
    root.removeAttribute("aria-label");
    root.removeAttribute("role");
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
    show();
    stage.focus();
    root.scrollIntoView({ block: "nearest" });
  }

  function show() {
    const box = root?.querySelector(".cs231n-more");
    const any = box && [...box.querySelectorAll(".widget-inline-hbox, .widget-slider, .cs231n-upload")].some(
      (part) => part.style.display !== "none");
    more.hidden = !any;
    more.textContent = model.get("unfolded") ? "▾ fewer controls" : "▸ more controls";
    more.setAttribute("aria-expanded", String(model.get("unfolded")));
    root?.classList.toggle("cs231n-open", model.get("unfolded"));
    stage.textContent = onStage() ? "⤡ back (Esc)" : "⤢ stage";
    stage.setAttribute("aria-pressed", String(onStage()));
    screen.hidden = !onStage();
  }

  const onKey = (event) => {
    if (event.key !== "Escape" || !onStage()) return;
    event.preventDefault();
    event.stopPropagation();
    leave();
  };
  const onFocus = (event) => { // the page behind the stage is out of reach
    if (onStage() && !root.contains(event.target)) stage.focus({ preventScroll: true });
  };
  let wasFull = false;
  const onScreen = () => { // in full screen the browser keeps Escape for itself
    if (wasFull && !document.fullscreenElement) leave();
    wasFull = Boolean(document.fullscreenElement) && onStage();
  };
  document.addEventListener("keydown", onKey, true);
  document.addEventListener("focusin", onFocus);
  document.addEventListener("fullscreenchange", onScreen);
  model.on("change:unfolded", show);

  const tellTheme = () => {
    const dark = document.body.dataset.jpThemeLight === "false";
    if (dark === model.get("dark")) return;
    model.set("dark", dark);
    model.save_changes();
  };
  const themed = new MutationObserver(tellTheme);
  themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });

  let waiting = 0;
  const later = () => {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      nameControls(root);
      show();
    });
  };
  // Without what has no controls: what follows the picture, many times a second, and this bar, which `show` writes.
  const quiet = ".cs231n-view, .cs231n-below, .cs231n-message, .cs231n-buttons";
  const seen = new MutationObserver((changes) => {
    if (changes.some(({ target }) => !target.closest(quiet))) later();
  });
  const frame = requestAnimationFrame(() => {
    root = el.closest(".cs231n-explorer");
    if (!root) return;
    root.addEventListener("focusin", (event) => event.target.setAttribute(KEYS_STAY, "true"));
    seen.observe(root, { childList: true, subtree: true, attributes: true, attributeFilter: ["style"] });
    later();
    tellTheme();
    if (model.get("staged")) enter();
  });
  show();
  return () => {
    cancelAnimationFrame(frame);
    cancelAnimationFrame(waiting);
    seen.disconnect();
    themed.disconnect();
    document.removeEventListener("keydown", onKey, true);
    document.removeEventListener("focusin", onFocus);
    document.removeEventListener("fullscreenchange", onScreen);
    model.off("change:unfolded", show);
  };
}
export default { render };

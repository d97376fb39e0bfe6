// Over a part of the picture lies the one before, as far as the handle has been dragged; the kernel is not asked.

const STEPS = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1,
  Home: -1, End: 1 };

function render({ model, el }) {
  const [box, area, handle] = [0, 0, 0].map(() => document.createElement("div"));
  const before = document.createElement("img");
  el.appendChild(box);
  const { stop } = follow(model, box);
  area.className = "cs231n-wipe";
  before.alt = "";
  before.draggable = false;
  handle.className = "cs231n-handle";
  handle.tabIndex = 0;
  for (const [name, value] of Object.entries({ role: "slider", "aria-label": "wipe between before and after",
    "aria-valuemin": 0, "aria-valuemax": 100 })) handle.setAttribute(name, value);
  area.append(before, handle);
  box.appendChild(area);

  let url = null;
  const load = () => {
    if (url) URL.revokeObjectURL(url);
    url = URL.createObjectURL(new Blob([model.get("before")], { type: model.get("mime") }));
    before.src = url;
  };
  const place = () => {
    const [shares, share] = [model.get("box"), 100 * model.get("share")];
    area.hidden = shares.length === 0;
    ["left", "top", "width", "height"].forEach((side, index) => { area.style[side] = `${100 * shares[index]}%`; });
    before.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    handle.style.left = `${share}%`;
    handle.setAttribute("aria-valuenow", Math.round(share));
    handle.setAttribute("aria-valuetext", `${Math.round(share)} % before, the rest after`);
  };
  const wipe = (share) => model.set("share", Math.max(0, Math.min(1, share))); // not saved: it stays in the browser
  const point = (event) => {
    const { left, width } = area.getBoundingClientRect();
    wipe((event.clientX - left) / width);
  };
  area.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    handle.focus({ preventScroll: true });
    area.setPointerCapture(event.pointerId);
    point(event);
  });
  area.addEventListener("pointermove", (event) => { if (event.buttons & 1) point(event); });
  handle.addEventListener("keydown", (event) => {
    if (!(event.key in STEPS)) return;
    event.preventDefault();
    event.stopPropagation();
    wipe(model.get("share") + STEPS[event.key]);
  });
  model.on("change:before", load);
  model.on("change:box change:share", place);
  load();
  place();
  return () => {
    stop();
    model.off("change:before", load);
    model.off("change:box change:share", place);
    if (url) URL.revokeObjectURL(url);
  };
}
export default { render };

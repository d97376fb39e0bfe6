// Buttons for a picture file, and for one of the camera, which send it no larger than the explorers can use: a
// photograph of a camera would be more than one message of the connection may hold.

const MOST_BYTES = 6e6; // of a file that is sent as it is

async function small(file, side) {
  let picture = null;
  try {
    picture = await createImageBitmap(file);
  } catch (error) {
    if (file.size > MOST_BYTES) {
      throw new Error(`${file.name}: ${mega(file.size)}, and this browser cannot read it as a picture. ` +
        `Other files may have ${mega(MOST_BYTES)}.`);
    }
    return file; // no picture for the browser: the kernel says what is wrong with it, or knows its format
  }
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  if (scale === 1 && file.size <= MOST_BYTES / 3) return file;
  const blob = await jpeg(picture, picture.width * scale, picture.height * scale);
  picture.close();
  if (!blob) throw new Error(`${file.name}: too large for this browser.`);
  return blob;
}

const mega = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

function render({ model, el }) {
  const box = document.createElement("div");
  const [button, film, away] = ["", "", "close the camera"].map((text) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "jupyter-button widget-button";
    made.textContent = text;
    return made;
  });
  const input = document.createElement("input");
  const status = document.createElement("span");
  box.className = "cs231n-upload";
  input.type = "file";
  input.accept = "image/*";
  input.hidden = true;
  status.setAttribute("role", "status");
  box.append(button, film, away, input, status);
  el.appendChild(box);

  const show = () => {
    const [live, open, disabled] = [model.get("live"), lens.isOpen(), model.get("disabled")];
    button.textContent = model.get("description");
    button.title = "A picture of yours, or drop one here; it is read at up to " + model.get("side") + " pixels a side";
    film.textContent = !open ? "camera" : live ? "stop the camera" : "take the picture";
    film.title = live ? "Show what the camera sees, live" : "Take a picture with the camera of this computer";
    button.disabled = film.disabled = disabled;
    away.hidden = !open || live;
  };
  const lens = camera({
    model,
    box,
    send: (blob) => send(blob, { name: "camera.jpg", last_modified: Date.now(), frame: model.get("live") }),
    changed: (sentence = "") => {
      status.textContent = sentence;
      show();
    },
  });

  async function send(blob, about) {
    const content = new DataView(await blob.arrayBuffer());
    model.set("value", [{ type: blob.type, size: blob.size, ...about, content }]);
    model.save_changes();
  }

  async function take(file) {
    if (!file || model.get("disabled")) return;
    lens.close();
    button.disabled = true;
    status.textContent = `reading ${file.name}, ${mega(file.size)} …`;
    try {
      const { name, type, size, lastModified } = file;
      await send(await small(file, model.get("side")), { name, type, size, last_modified: lastModified });
      status.textContent = file.name;
    } catch (error) {
      status.textContent = error.message;
    } finally {
      input.value = ""; // the same file again is a choice, too
      show();
    }
  }

  async function press() {
    if (!lens.isOpen()) return lens.open();
    if (!model.get("live")) await lens.shoot();
    lens.close();
  }

  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => take(input.files[0]));
  film.addEventListener("click", press);
  away.addEventListener("click", () => lens.close());
  box.addEventListener("dragover", (event) => event.preventDefault());
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    take(event.dataTransfer.files[0]);
  });
  const emptied = () => { if (!model.get("value").length) status.textContent = ""; };
  model.on("change:description change:disabled change:side", show);
  model.on("change:value", emptied);
  show();
  return () => {
    lens.forget();
    model.off("change:description change:disabled change:side", show);
    model.off("change:value", emptied);
  };
}
export default { render };

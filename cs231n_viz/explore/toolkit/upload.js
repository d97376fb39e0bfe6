// A button that reads a picture file and sends it, no larger than the explorers can use: a photograph of a camera would
// be more than one message of the connection may hold.

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
  const scale = side / Math.max(picture.width, picture.height);
  if (scale >= 1 && file.size <= MOST_BYTES / 3) return file;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * Math.min(1, scale)));
  canvas.height = Math.max(1, Math.round(picture.height * Math.min(1, scale)));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white"; // under what is transparent
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return new Promise((done, fail) => canvas.toBlob(
    (blob) => (blob ? done(blob) : fail(new Error(`${file.name}: too large for this browser.`))), "image/jpeg", 0.92));
}

const mega = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

function render({ model, el }) {
  const box = document.createElement("div");
  const button = document.createElement("button");
  const input = document.createElement("input");
  const status = document.createElement("span");
  box.className = "cs231n-upload";
  button.type = "button";
  button.className = "jupyter-button widget-button";
  input.type = "file";
  input.accept = "image/*";
  input.hidden = true;
  status.setAttribute("role", "status");
  box.append(button, input, status);
  el.appendChild(box);

  const show = () => {
    button.textContent = model.get("description");
    button.title = "A picture of yours, or drop one here; it is read at up to " + model.get("side") + " pixels a side";
    button.disabled = model.get("disabled");
  };

  async function take(file) {
    if (!file || model.get("disabled")) return;
    button.disabled = true;
    status.textContent = `reading ${file.name}, ${mega(file.size)} …`;
    try {
      const sent = await small(file, model.get("side"));
      const content = new DataView(await sent.arrayBuffer());
      const about = { name: file.name, type: file.type, size: file.size, last_modified: file.lastModified };
      model.set("value", [{ ...about, content }]);
      model.save_changes();
      status.textContent = file.name;
    } catch (error) {
      status.textContent = error.message;
    } finally {
      input.value = ""; // the same file again is a choice, too
      show();
    }
  }

  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => take(input.files[0]));
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
    model.off("change:description change:disabled change:side", show);
    model.off("change:value", emptied);
  };
}
export default { render };

// The browser's camera: one picture of it, or one after the other, as fast as the kernel takes them.

const NO_CAMERA = {
  NotAllowedError: "The browser does not let this page use the camera: allow it beside the address, and press again.",
  NotFoundError: "There is no camera here: choose a file instead.",
  NotReadableError: "Another program has the camera: close that, and press again.",
};
const OUT_OF_SIGHT = "The camera is off: this page was out of sight.";
const PATIENCE = 10_000; // milliseconds for the kernel to take a frame
const PERIOD = 33; // milliseconds between two frames, at least: cameras have 30 a second

async function openCamera(width) {
  if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) {
    throw new Error("Browsers give the camera only to pages from localhost or https, " +
      `and this one is from ${location.origin}: choose a file instead.`);
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: width }, facingMode: "user" } });
  } catch (error) {
    throw new Error(NO_CAMERA[error.name] ?? `The camera does not start: ${error.message}.`);
  }
}

// A JPEG of a picture or a video, on white for what is transparent; mirrored if asked. Null if it is too large.
function jpeg(source, width, height, mirrored = false) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width));
  canvas.height = Math.max(1, Math.round(height));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  if (mirrored) pen.setTransform(-1, 0, 0, 1, canvas.width, 0);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(source, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
}

const pause = (time) => new Promise((done) => setTimeout(done, time));

// `send(blob)` takes a picture; `changed(sentence)` is told whenever the camera opens, closes, or does not.
function camera({ model, box, send, changed }) {
  const video = document.createElement("video");
  video.muted = video.playsInline = true;
  video.setAttribute("aria-label", "What the camera sees");
  let stream = null, asked = 0, taken = () => {};

  function close(why = "") {
    asked += 1; // whatever is still on its way comes too late
    if (!stream) return;
    stream.getTracks().forEach((track) => track.stop());
    stream = video.srcObject = null;
    video.remove();
    setFilming(false);
    changed(why);
  }

  async function open() {
    const mine = ++asked, live = model.get("live");
    changed("waiting for the camera …");
    let opened = null;
    try {
      opened = await openCamera(live ? 640 : 1280);
    } catch (error) {
      changed(error.message);
    }
    if (mine !== asked) opened?.getTracks().forEach((track) => track.stop());
    if (!opened || mine !== asked) return;
    stream = opened;
    stream.getVideoTracks()[0].addEventListener("ended", () => close("The camera is gone: was it unplugged?"));
    video.srcObject = stream;
    if (!live) box.append(video); // where a person sees what will be taken
    changed();
    await video.play().catch(() => {});
    if (live && mine === asked) await film(mine);
  }

  async function film(mine) {
    const explorer = box.closest(".cs231n-explorer") ?? box;
    setFilming(true);
    while (mine === asked) {
      if (!explorer.checkVisibility()) return close(OUT_OF_SIGHT); // it was removed, or there is another tab before it
      const answer = new Promise((done) => { taken = () => done(true); });
      const pace = pause(PERIOD);
      await shoot();
      if (!await Promise.race([answer, pause(PATIENCE)]) && mine === asked) {
        return close("The camera is off: the kernel takes no pictures.");
      }
      await pace;
    }
  }

  // Live, the short side has as many pixels as the explorer looks at.
  async function shoot() {
    const { videoWidth: width, videoHeight: height } = video;
    const scale = model.get("live") ? Math.min(1, model.get("frame_side") / Math.min(width, height)) : 1;
    const mirrored = stream.getVideoTracks()[0].getSettings().facingMode !== "environment";
    const picture = await jpeg(video, width * scale, height * scale, mirrored);
    if (stream) await send(picture);
  }

  function setFilming(value) {
    if (model.get("filming") === value) return;
    model.set("filming", value);
    model.save_changes();
  }

  const onHidden = () => { if (document.hidden) close(OUT_OF_SIGHT); };
  const onFilming = () => { if (model.get("live") && !model.get("filming")) close(); };
  const onReceived = () => taken();
  document.addEventListener("visibilitychange", onHidden);
  model.on("change:filming", onFilming);
  model.on("change:received", onReceived);
  const forget = () => {
    close();
    document.removeEventListener("visibilitychange", onHidden);
    model.off("change:filming", onFilming);
    model.off("change:received", onReceived);
  };
  return { isOpen: () => stream !== null, open, close, shoot, forget };
}

"""A webcam as a source of pictures, where there is one."""

import os

import numpy as np


class NoCameraError(OSError):
    """There is no camera, or it delivers no frames."""


class Camera:
    """The frames of a webcam, mirrored.

    Args:
        device: Number of the camera; 0 is the first.

    Raises:
        NoCameraError: If there is none, or another program has it.
    """

    def __init__(self, device: int = 0) -> None:
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # instead, an exception reports a missing camera
        import cv2  # heavy, and only needed with a camera

        self._capture = cv2.VideoCapture(device)
        if not self._capture.isOpened():
            self._capture.release()
            raise NoCameraError(
                f"there is no webcam (camera {device}) on the machine that runs the kernel, or another program uses "
                "it; choose a photograph, or a file of your own"
            )

    def read(self) -> np.ndarray:
        """Read the current frame, (H, W, 3), uint8, RGB.

        Raises:
            NoCameraError: If the camera has stopped.
        """
        there, frame = self._capture.read()
        if not there:
            self.close()
            raise NoCameraError("the webcam delivers no more frames; was it unplugged?")
        return np.ascontiguousarray(frame[:, ::-1, ::-1])

    def close(self) -> None:
        """Release the camera for other programs."""
        self._capture.release()

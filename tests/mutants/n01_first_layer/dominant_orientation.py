import math

import numpy as np
import torch

from tests.mutants import Answers

answers = Answers()


def peak(array, size=64):
    """(down, right) frequency of the largest coefficient, in NumPy."""
    spectrum = np.abs(np.fft.fft2(array, s=None if size is None else (size, size)))
    down, right = np.unravel_index(spectrum.argmax(), spectrum.shape)
    return np.fft.fftfreq(spectrum.shape[0])[down], np.fft.fftfreq(spectrum.shape[1])[right]


def centred(weights):
    return weights.numpy() - weights.numpy().mean()


@answers.right
def in_numpy(weights):
    down, right = peak(centred(weights), 128)
    return float(np.rad2deg(np.arctan2(-down, right)) % 180)


@answers.right
def half_spectrum(weights):
    spectrum = torch.fft.rfft2(weights - weights.mean(), s=(96, 96)).abs()
    down, right = divmod(int(spectrum.argmax()), spectrum.shape[1])
    down = down if down < 48 else down - 96
    return torch.rad2deg(torch.atan2(torch.tensor(-float(down)), torch.tensor(float(right)))) % 180


@answers.right
def tries_every_wave(weights):
    up, right = torch.meshgrid(*[torch.arange(n) for n in weights.shape], indexing="ij")
    up = -up
    best = (0.0, 0)
    for angle in range(0, 180, 2):
        turned = right * math.cos(math.radians(angle)) + up * math.sin(math.radians(angle))
        for frequency in np.arange(0.05, 0.5, 0.02):
            wave = torch.exp(2j * math.pi * frequency * turned)
            best = max(best, (((weights - weights.mean()) * wave).sum().abs().item(), angle))
    return float(best[1])


@answers.right
def shifted_spectrum(weights):
    spectrum = np.fft.fftshift(np.abs(np.fft.fft2(centred(weights), (64, 64))))
    y, x = np.argwhere(spectrum == spectrum.max())[0]
    return math.degrees(math.atan2(32 - y, x - 32)) % 180


@answers.wrong("the constant is the strongest wave")
def keeps_the_constant(weights):
    down, right = peak(weights.numpy())
    return math.degrees(math.atan2(-down, right)) % 180


@answers.wrong("only the frequency 0 is taken out")
def skips_zero(weights):
    spectrum = np.abs(np.fft.fft2(weights.numpy(), (64, 64)))
    spectrum[0, 0] = -1
    down, right = np.unravel_index(spectrum.argmax(), spectrum.shape)
    frequencies = np.fft.fftfreq(64)
    return math.degrees(math.atan2(-frequencies[down], frequencies[right])) % 180


@answers.wrong("x and y are swapped")
def swapped(weights):
    down, right = peak(centred(weights), 128)
    return math.degrees(math.atan2(right, -down)) % 180


@answers.wrong("the direction of the stripes")
def along_the_stripes(weights):
    down, right = peak(centred(weights), 128)
    return (math.degrees(math.atan2(-down, right)) + 90) % 180


@answers.wrong("the angle is mirrored")
def rows_upwards(weights):
    down, right = peak(centred(weights), 128)
    return math.degrees(math.atan2(down, right)) % 180


@answers.wrong("in radians")
def radians(weights):
    down, right = peak(centred(weights), 128)
    return math.atan2(-down, right) % math.pi


@answers.wrong("no front and back")
def not_folded(weights):
    down, right = peak(centred(weights), 128)
    return math.degrees(math.atan2(-down, right))


@answers.wrong("no front and back")
def folded_to_the_right(weights):
    spectrum = np.abs(np.fft.rfft2(centred(weights), (128, 128)))
    down, right = np.unravel_index(spectrum.argmax(), spectrum.shape)
    return math.degrees(math.atan2(-np.fft.fftfreq(128)[down], right / 128))


@answers.wrong("11 frequencies are too coarse")
def not_padded(weights):
    down, right = peak(centred(weights), None)
    return math.degrees(math.atan2(-down, right)) % 180


@answers.wrong("something works in place")
def subtracts_in_place(weights):
    weights -= weights.mean()
    return in_numpy(weights)


@answers.wrong("the signs of the frequencies are lost")
def without_signs(weights):
    down, right = peak(centred(weights), 128)
    return math.degrees(math.atan2(abs(down), abs(right)))


@answers.wrong("the signs of the frequencies are lost")
def by_differences(weights):
    array = weights.numpy()
    return float(np.degrees(np.arctan2(np.abs(np.diff(array, axis=0)).mean(), np.abs(np.diff(array)).mean())))


@answers.wrong("the directions between count too")
def rows_or_columns(weights):
    return 0.0 if weights.diff(dim=1).abs().mean() >= weights.diff(dim=0).abs().mean() else 90.0


@answers.wrong("taken for the frequency")
def places(weights):
    row, column = divmod(int(torch.fft.fft2(weights - weights.mean(), s=(64, 64)).abs().argmax()), 64)
    return math.degrees(math.atan2(-row, column)) % 180


@answers.wrong("fftshift moves frequency 0")
def half_shifted(weights):
    row, column = divmod(
        int(torch.fft.fftshift(torch.fft.fft2(weights - weights.mean(), s=(64, 64))).abs().argmax()), 64
    )
    frequencies = np.fft.fftfreq(64)
    return math.degrees(math.atan2(-frequencies[row], frequencies[column])) % 180


@answers.wrong("only the real part")
def real_part(weights):
    row, column = divmod(int(torch.fft.fft2(weights - weights.mean(), s=(64, 64)).real.argmax()), 64)
    frequencies = np.fft.fftfreq(64)
    return math.degrees(math.atan2(-frequencies[row], frequencies[column])) % 180


@answers.wrong("folded at 90")
def quarter_turns(weights):
    return in_numpy(weights) % 90


@answers.wrong("own mean is subtracted")
def mean_of_each_row(weights):
    down, right = peak(weights.numpy() - weights.numpy().mean(1, keepdims=True), 64)
    return math.degrees(math.atan2(-down, right)) % 180


@answers.wrong("own mean is subtracted")
def mean_of_each_column(weights):
    down, right = peak(weights.numpy() - weights.numpy().mean(0), 64)
    return math.degrees(math.atan2(-down, right)) % 180


@answers.wrong("11 frequencies are too coarse")
def padded_to_sixteen(weights):
    down, right = peak(centred(weights), 16)
    return math.degrees(math.atan2(-down, right)) % 180


@answers.wrong("rounded to a few directions")
def nearest_eighth_turn(weights):
    return float(round(in_numpy(weights) / 45) * 45 % 180)


@answers.wrong("only the frequency 0 is taken out")
def mean_of_the_padded_filter(weights):
    padded = np.zeros((64, 64))
    padded[: weights.shape[0], : weights.shape[1]] = weights.numpy()
    down, right = peak(padded - padded.mean())
    return math.degrees(math.atan2(-down, right)) % 180


@answers.wrong("a quarter of the spectrum")
def positive_frequencies(weights):
    power = torch.fft.fft2(weights - weights.mean(), s=(64, 64)).abs()[:32, :32]
    row, column = np.unravel_index(int(power.argmax()), (32, 32))
    return math.degrees(math.atan2(-row, column)) % 180


@answers.wrong("split by the sides of the filter")
def divmod_by_the_height(weights):
    place = int(torch.fft.fft2(weights - weights.mean(), s=(64, 64)).abs().argmax())
    row, column = divmod(place, weights.shape[0])
    frequencies = torch.fft.fftfreq(64)
    return math.degrees(math.atan2(-frequencies[row % 64], frequencies[column])) % 180

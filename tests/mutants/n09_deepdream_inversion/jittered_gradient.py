import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


@answers.right
def one_axis_after_the_other(gradient_of, images, *, down, right):
    seen = torch.roll(torch.roll(images, down, 2), right, 3)
    return torch.roll(torch.roll(gradient_of(seen), -right, 3), -down, 2)


@answers.right
def by_index(gradient_of, images, *, down, right):
    h, w = images.shape[-2:]
    rows, columns = (torch.arange(h) - down) % h, (torch.arange(w) - right) % w
    gradient = gradient_of(images[:, :, rows][..., columns])
    out = torch.empty_like(gradient)
    out[:, :, rows[:, None], columns] = gradient
    return out


@answers.right
def by_slices(gradient_of, images, *, down, right):
    h, w = images.shape[-2:]

    def roll(x, d, r):
        x = torch.cat([x[:, :, h - d % h :], x[:, :, : h - d % h]], 2)
        return torch.cat([x[..., w - r % w :], x[..., : w - r % w]], 3)

    return roll(gradient_of(roll(images, down, right)), -down, -right)


@answers.wrong("not shifted back")
def one_way(gradient_of, images, *, down, right):
    return gradient_of(images.roll((down, right), (2, 3)))


@answers.wrong("the image is not shifted")
def gradient_only(gradient_of, images, *, down, right):
    return gradient_of(images).roll((-down, -right), (-2, -1))


@answers.wrong("a second time")
def twice(gradient_of, images, *, down, right):
    return gradient_of(images.roll((down, right), (2, 3))).roll((down, right), (2, 3))


@answers.wrong("the other way")
def up_and_left(gradient_of, images, *, down, right):
    return gradient_of(images.roll((-down, -right), (2, 3))).roll((down, right), (2, 3))


@answers.wrong("down and right are swapped")
def columns_first(gradient_of, images, *, down, right):
    return gradient_of(images.roll((down, right), (3, 2))).roll((-down, -right), (3, 2))


@answers.wrong("only the rows")
def half_back(gradient_of, images, *, down, right):
    return torch.roll(gradient_of(torch.roll(images, (down, right), (2, 3))), -down, 2)


def padded(x, d, r):
    h, w = x.shape[-2:]
    x = F.pad(x, (max(r, 0), max(-r, 0), max(d, 0), max(-d, 0)))
    return x[:, :, max(-d, 0) : max(-d, 0) + h, max(-r, 0) : max(-r, 0) + w]


@answers.wrong("filled up with black")
def with_a_black_border(gradient_of, images, *, down, right):
    return padded(gradient_of(padded(images, down, right)), -down, -right)


@answers.wrong("no shift at all")
def still(gradient_of, images, *, down, right):
    return gradient_of(images)


@answers.wrong("something works in place")
def over_the_original(gradient_of, images, *, down, right):
    images.copy_(images.roll((down, right), (2, 3)))
    return gradient_of(images).roll((-down, -right), (2, 3))


@answers.wrong("the shift down is left out")
def only_right(gradient_of, images, *, down, right):
    g = gradient_of(torch.roll(images, right, 3))
    return torch.roll(g, -right, 3)


@answers.wrong("the shift to the right is left out")
def only_down(gradient_of, images, *, down, right):
    return torch.roll(gradient_of(torch.roll(images, down, 2)), -down, 2)


@answers.wrong("other axes")
def dims12(gradient_of, images, *, down, right):
    return torch.roll(gradient_of(torch.roll(images, (down, right), (1, 2))), (-down, -right), (1, 2))


@answers.wrong("only the columns")
def cols_back(gradient_of, images, *, down, right):
    return torch.roll(gradient_of(torch.roll(images, (down, right), (2, 3))), -right, 3)


@answers.wrong("one row or column off")
def off(gradient_of, images, *, down, right):
    return gradient_of(images.roll((down, right), (2, 3))).roll((-down - 1, -right - 1), (2, 3))


@answers.wrong("added to the images")
def plus(gradient_of, images, *, down, right):
    return images + gradient_of(images.roll((down, right), (2, 3))).roll((-down, -right), (2, 3))


@answers.wrong("the border is continued")
def nowrap(gradient_of, images, *, down, right):
    h, w = images.shape[2:]
    p = F.pad(images, (abs(right),) * 2 + (abs(down),) * 2, mode="replicate")
    s = p[:, :, abs(down) - down : abs(down) - down + h, abs(right) - right : abs(right) - right + w]
    g = gradient_of(s)
    p = F.pad(g, (abs(right),) * 2 + (abs(down),) * 2, mode="replicate")
    return p[:, :, abs(down) + down : abs(down) + down + h, abs(right) + right : abs(right) + right + w]


@answers.wrong("the two shifts are swapped")
def back_swapped(gradient_of, images, *, down, right):
    return gradient_of(images.roll((down, right), (2, 3))).roll((-right, -down), (2, 3))


@answers.wrong("by the same amount")
def same(gradient_of, images, *, down, right):
    return gradient_of(images.roll((down, down), (2, 3))).roll((-down, -down), (2, 3))


@answers.wrong("the mean of two gradients")
def mean(gradient_of, images, *, down, right):
    return (gradient_of(images) + gradient_of(images.roll((down, right), (2, 3))).roll((-down, -right), (2, 3))) / 2


@answers.wrong("the shifted images came back")
def shifted_images(gradient_of, images, *, down, right):
    gradient_of(images)
    return images.roll((down, right), (2, 3))


@answers.wrong("only the first image")
def one_image(gradient_of, images, *, down, right):
    g = gradient_of(images[:1].roll((down, right), (2, 3))).roll((-down, -right), (2, 3))
    return g.repeat(len(images), 1, 1, 1)


@answers.right
def cat(gradient_of, images, *, down, right):
    s = torch.cat([images[:, :, -down:], images[:, :, :-down]], 2)
    s = torch.cat([s[..., -right:], s[..., :-right]], 3)
    g = gradient_of(s)
    g = torch.cat([g[:, :, down:], g[:, :, :down]], 2)
    return torch.cat([g[..., right:], g[..., :right]], 3)


@answers.wrong("wrong sign on the way back")
def one_sign(gradient_of, images, *, down, right):
    return torch.roll(gradient_of(torch.roll(images, (down, right), (2, 3))), (down, -right), (2, 3))


@answers.wrong("wrong sign on the way there")
def one_sign_there(gradient_of, images, *, down, right):
    return torch.roll(gradient_of(torch.roll(images, (-down, right), (2, 3))), (down, -right), (2, 3))


@answers.wrong("lose their sign")
def absolute_shifts(gradient_of, images, *, down, right):
    return torch.roll(
        gradient_of(torch.roll(images, (abs(down), abs(right)), (2, 3))), (-abs(down), -abs(right)), (2, 3)
    )


@answers.wrong("the sign is flipped")
def minus(gradient_of, images, *, down, right):
    return -torch.roll(gradient_of(torch.roll(images, (down, right), (2, 3))), (-down, -right), (2, 3))


@answers.wrong("is rescaled")
def rescaled(gradient_of, images, *, down, right):
    g = torch.roll(gradient_of(torch.roll(images, (down, right), (2, 3))), (-down, -right), (2, 3))
    return g / g.abs().mean()


@answers.wrong("one row or column off")
def one_row_off(gradient_of, images, *, down, right):
    return gradient_of(images.roll((down, right), (2, 3))).roll((-down - 1, -right), (2, 3))


@answers.wrong("by the same side for both axes")
def on_around_a_square(gradient_of, images, *, down, right):
    side = images.shape[2]
    return torch.roll(gradient_of(images.roll((down, right), (2, 3))), (side - down, side - right), (2, 3))


@answers.wrong("rolled without `dims`")
def as_one_row(gradient_of, images, *, down, right):
    places = down * images.shape[-1] + right
    return torch.roll(gradient_of(torch.roll(images, places)), -places)

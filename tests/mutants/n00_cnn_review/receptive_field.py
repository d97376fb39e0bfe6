import torch
from torch import nn

from tests.mutants import Answers

answers = Answers()


@answers.right
def downwards_from_the_top(stack):
    field = 1
    for kernel, stride in reversed(stack):
        field = (field - 1) * stride + kernel
    return field


@answers.right
def recursive(stack):
    if not stack:
        return 1
    kernel, stride = stack[0]
    return stride * (recursive(stack[1:]) - 1) + kernel


@answers.right
def by_gradient_support(stack):
    size = 300
    layers = [nn.Conv1d(1, 1, kernel, stride, bias=False, dtype=torch.float64) for kernel, stride in stack]
    for layer in layers:
        nn.init.constant_(layer.weight, 1 / layer.weight.numel())
    image = torch.ones(1, 1, size, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(nn.Sequential(*layers)(image)[0, 0, 0], image)
    seen = gradient.flatten().nonzero()
    return int(seen.max() - seen.min()) + 1


@answers.right
def by_sets_of_pixels(stack):
    seen = {0}
    for kernel, stride in stack[::-1]:
        seen = {unit * stride + offset for unit in seen for offset in range(kernel)}
    return max(seen) - min(seen) + 1


@answers.wrong("strides are ignored")
def no_strides(stack):
    field = 1
    for kernel, _ in stack:
        field = field + kernel - 1
    return field


@answers.wrong("multiplied in too early")
def own_stride_first(stack):
    field, jump = 1, 1
    for kernel, stride in stack:
        jump = jump * stride
        field = field + (kernel - 1) * jump
    return field


@answers.wrong("only the stride of the layer below")
def previous_stride(stack):
    field, before = 1, 1
    for kernel, stride in stack:
        field += (kernel - 1) * before
        before = stride
    return field


@answers.wrong("strides are added up")
def adds_strides(stack):
    field, jump = 1, 1
    for kernel, stride in stack:
        field += (kernel - 1) * jump
        jump = jump + stride
    return field


@answers.wrong("the kernels are summed")
def sum_of_kernels(stack):
    total = 0
    for kernel, _ in stack:
        total += kernel
    return total


@answers.wrong("the kernels are multiplied")
def product_of_kernels(stack):
    total = 1
    for layer in stack:
        total *= layer[0]
    return total


@answers.wrong("the pixel to begin with")
def starts_from_zero(stack):
    field, jump = 0, 1
    for kernel, stride in stack:
        field += (kernel - 1) * jump
        jump *= stride
    return field


@answers.wrong("something works in place")
def empties_the_stack(stack):
    field = 1
    while stack:
        kernel, stride = stack.pop()
        field = (field - 1) * stride + kernel
    return field


@answers.wrong("from the wrong end")
def from_the_top(stack):
    field, jump = 1, 1
    for kernel, stride in reversed(stack):
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field


@answers.wrong("from the wrong end")
def downward_rule_upwards(stack):
    field = 1
    for kernel, stride in stack:
        field = stride * (field - 1) + kernel
    return field


@answers.wrong("kernel times the step")
def whole_kernels(stack):
    field, jump = 1, 1
    for kernel, stride in stack:
        field += kernel * jump
        jump *= stride
    return field


@answers.wrong("only right where it is odd")
def both_halves(stack):
    reach, jump = 0, 1
    for kernel, stride in stack:
        reach += kernel // 2 * jump
        jump *= stride
    return 2 * reach + 1


@answers.wrong("half the kernel is added")
def one_half(stack):
    field, jump = 1, 1
    for kernel, stride in stack:
        field, jump = field + kernel // 2 * jump, jump * stride
    return field


@answers.wrong("pooling is left out")
def no_pooling(stack):
    field, jump = 1, 1
    for kernel, stride in stack:
        if kernel == stride == 2:
            continue
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field


@answers.wrong("the distance between neighbouring units")
def the_stride(stack):
    jump = 1
    for _, stride in stack:
        jump *= stride
    return jump


@answers.wrong("this is the area")
def squared(stack):
    return downwards_from_the_top(stack) ** 2


@answers.wrong("but as float")
def a_float(stack):
    return downwards_from_the_top(stack) * 1.0


@answers.wrong("kernel and stride are swapped")
def stride_first(stack):
    field, jump = 1, 1
    for stride, kernel in stack:
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field


@answers.wrong("0 without any layer")
def nothing_without_layers(stack):
    return downwards_from_the_top(stack) if len(stack) else 0


@answers.wrong("spread by all strides")
def all_strides(stack):
    jump = 1
    for _, stride in stack:
        jump *= stride
    return 1 + jump * sum(kernel - 1 for kernel, _ in stack)


@answers.wrong("the first or the last layer")
def without_the_last(stack):
    return downwards_from_the_top(list(stack)[:-1])


@answers.wrong("the stride is subtracted")
def overlaps(stack):
    field = 1
    for kernel, stride in stack:
        field += kernel - stride
    return field


@answers.wrong("multiplies the field")
def stretched_by_the_stride(stack):
    field = 1
    for kernel, stride in stack:
        field += kernel - 1
        field *= stride
    return field


@answers.wrong("gaps are left out")
def one_by_one_skipped(stack):
    field, jump = 1, 1
    for kernel, stride in stack:
        if kernel != 1:
            field += (kernel - 1) * jump
            jump *= stride
    return field


@answers.wrong("gaps are left out")
def windows_always_touch(stack):
    field = 1
    for kernel, stride in reversed(stack):
        field = (field - 1) * min(kernel, stride) + kernel
    return field


@answers.wrong("the step is multiplied by the kernel")
def pools_have_stride_kernel(stack):
    field, jump = 1, 1
    for kernel, stride in stack:
        field += (kernel - 1) * jump
        if stride != 1:
            jump *= kernel
    return field


@answers.wrong("first layer is forgotten")
def begins_with_the_first_kernel(stack):
    if not stack:
        return 1
    field, jump = stack[0][0], 1
    for kernel, stride in stack[1:]:
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field


@answers.wrong("strides are added up")
def adds_strides_from_zero(stack):
    field, jump = 1, 0
    for kernel, stride in stack:
        field += (kernel - 1) * (jump or 1)
        jump += stride
    return field


@answers.wrong("(field - 1) * stride + kernel")
def downwards_too_wide(stack):
    field = 1
    for kernel, stride in stack[::-1]:
        field = field * stride + (kernel - 1)
    return field

import torch

from tests.mutants import Answers

answers = Answers()


def loop(x, weight, relevance, epsilon, denominator, numerator=lambda xi, w: xi * w):
    """Number by number: what input i gets of output j."""
    result = torch.zeros_like(x)
    for n in range(len(x)):
        for j in range(len(weight)):
            terms = [xi * w for xi, w in zip(x[n].tolist(), weight[j].tolist(), strict=True)]
            below = denominator(sum(terms), j, terms)
            for i, (xi, w) in enumerate(zip(x[n].tolist(), weight[j].tolist(), strict=True)):
                result[n, i] += numerator(xi, w) / below * relevance[n, j]
    return result


@answers.right
def number_by_number(x, weight, bias, relevance, *, epsilon=1e-6):
    return loop(x, weight, relevance, epsilon, lambda z, j, terms: z + (epsilon if z >= 0 else -epsilon))


@answers.right
def by_autograd(x, weight, bias, relevance, *, epsilon=1e-6):
    leaf = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        z = torch.nn.functional.linear(leaf, weight)
    stabilised = z.detach() + epsilon * ((z.detach() >= 0).float() * 2 - 1)
    z.backward(relevance / stabilised)
    return leaf.grad * x


@answers.right
def by_einsum(x, weight, bias, relevance, *, epsilon=1e-6):
    z = torch.einsum("ni,oi->noi", x, weight)
    sums = z.sum(dim=2)
    sums = torch.where(sums < 0, sums - epsilon, sums + epsilon)
    return torch.einsum("noi,no->ni", z, relevance / sums)


@answers.right
def bias_taken_off_again(x, weight, bias, relevance, *, epsilon=1e-6):
    z = torch.nn.functional.linear(x, weight, bias) - bias
    z = torch.copysign(z.abs() + epsilon, torch.where(z == 0, 1.0, z))
    return ((relevance / z) @ weight) * x


@answers.wrong("the bias is counted")
def with_the_outputs(x, weight, bias, relevance, *, epsilon=1e-6):
    z = torch.nn.functional.linear(x, weight, bias)
    z = z + epsilon * torch.where(z >= 0, 1.0, -1.0)
    return x * ((relevance / z) @ weight)


@answers.wrong("the sign of the contributions is lost")
def magnitudes(x, weight, bias, relevance, *, epsilon=1e-6):
    z = (x[:, None] * weight).abs()
    return (z / (z.sum(2, keepdim=True) + epsilon) * relevance[:, :, None]).sum(1)


@answers.wrong("that is the z+ rule")
def positive_part(x, weight, bias, relevance, *, epsilon=1e-6):
    z = torch.relu(x[:, None] * weight)
    return (z / (z.sum(2, keepdim=True) + epsilon) * relevance[:, :, None]).sum(1)


@answers.wrong("shared by activation")
def activations_alone(x, weight, bias, relevance, *, epsilon=1e-6):
    return x / (x.sum(dim=1, keepdim=True) + epsilon) * relevance.sum(dim=1, keepdim=True)


@answers.wrong("shared by weight")
def weights_alone(x, weight, bias, relevance, *, epsilon=1e-6):
    sums = weight.sum(1, keepdim=True)
    share = weight / torch.where(sums < 0, sums - epsilon, sums + epsilon)
    return relevance @ share


@answers.wrong("epsilon is added to negative sums too")
def always_plus(x, weight, bias, relevance, *, epsilon=1e-6):
    return x * ((relevance / (x @ weight.T + epsilon)) @ weight)


@answers.wrong("the sign of 0 is 0")
def sign_of_zero(x, weight, bias, relevance, *, epsilon=1e-6):
    z = x @ weight.T
    return x * ((relevance / (z + epsilon * torch.sign(z))) @ weight)


@answers.wrong("the division is unguarded")
def unguarded(x, weight, bias, relevance, *, epsilon=1e-6):
    return x * ((relevance / (x @ weight.T)) @ weight)


@answers.wrong("nothing is divided")
def gradient_times_input(x, weight, bias, relevance, *, epsilon=1e-6):
    return x * torch.einsum("no,oi->ni", relevance, weight)


@answers.wrong("the sum over all outputs")
def one_denominator(x, weight, bias, relevance, *, epsilon=1e-6):
    z = x @ weight.T
    return x * ((relevance / (z.sum(1, keepdim=True) + epsilon)) @ weight)


@answers.wrong("the inputs are missing")
def no_inputs(x, weight, bias, relevance, *, epsilon=1e-6):
    z = x @ weight.T
    return (relevance / (z + epsilon * torch.where(z >= 0, 1.0, -1.0))) @ weight


@answers.wrong("something works in place")
def divides_in_place(x, weight, bias, relevance, *, epsilon=1e-6):
    z = x @ weight.T
    relevance /= z + epsilon * torch.where(z >= 0, 1.0, -1.0)
    return x * (relevance @ weight)

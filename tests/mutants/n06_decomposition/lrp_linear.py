import numpy as np
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


@answers.right
def in_numpy(x, weight, bias, relevance, *, epsilon=1e-6):
    contributions = x.numpy()[:, None] * weight.detach().numpy()
    sums = contributions.sum(2, keepdims=True)
    sums = np.where(sums < 0, sums - epsilon, sums + epsilon)
    return torch.from_numpy((contributions / sums * relevance.numpy()[..., None]).sum(1)).float()


@answers.wrong("as it is given, belongs in every denominator")
def default_epsilon(x, weight, bias, relevance, *, epsilon=1e-6):
    return by_einsum(x, weight, bias, relevance)


@answers.wrong("as it is given, belongs in every denominator")
def only_where_zero(x, weight, bias, relevance, *, epsilon=1e-6):
    z = x @ weight.T
    return x * ((relevance / z.masked_fill(z == 0, epsilon)) @ weight)


@answers.wrong("the denominators lost their signs")
def positive_denominators(x, weight, bias, relevance, *, epsilon=1e-6):
    return x * ((relevance / (abs(x @ weight.T) + epsilon)) @ weight)


@answers.wrong("epsilon is subtracted from the magnitude")
def towards_zero(x, weight, bias, relevance, *, epsilon=1e-6):
    z = x @ weight.T
    return x * ((relevance / torch.where(z < 0, z + epsilon, z - epsilon)) @ weight)


@answers.wrong("handed to the inputs in equal parts")
def bias_in_equal_parts(x, weight, bias, relevance, *, epsilon=1e-6):
    z = x @ weight.T
    s = relevance / torch.where(z < 0, z - epsilon, z + epsilon)
    return x * (s @ weight) + (s * bias).sum(1, keepdim=True) / x.shape[1]


@answers.wrong("all outputs are shared together")
def normalised_at_the_end(x, weight, bias, relevance, *, epsilon=1e-6):
    shares = x * torch.einsum("no,oi->ni", relevance, weight)
    return shares * (relevance.sum(1) / shares.sum(1))[:, None]


@answers.wrong("averaged over the outputs")
def mean_over_outputs(x, weight, bias, relevance, *, epsilon=1e-6):
    z = torch.einsum("ni,oi->noi", x, weight)
    sums = z.sum(2)
    return (z * (relevance / torch.where(sums < 0, sums - epsilon, sums + epsilon))[..., None]).mean(1)


@answers.wrong("not added up over the outputs yet")
def output_by_output(x, weight, bias, relevance, *, epsilon=1e-6):
    z = torch.einsum("ni,oi->noi", x, weight)
    sums = z.sum(2)
    return z * (relevance / torch.where(sums < 0, sums - epsilon, sums + epsilon))[..., None]


@answers.wrong("shared by a softmax")
def softmaxed(x, weight, bias, relevance, *, epsilon=1e-6):
    return torch.einsum("noi,no->ni", torch.softmax(torch.einsum("ni,oi->noi", x, weight), -1), relevance)


@answers.wrong("summed over the images")
def one_z_for_all(x, weight, bias, relevance, *, epsilon=1e-6):
    z = (x @ weight.T).sum(0)
    return x * ((relevance / torch.where(z < 0, z - epsilon, z + epsilon)) @ weight)


@answers.wrong("weight is transposed")
def transposed(x, weight, bias, relevance, *, epsilon=1e-6):
    z = x @ weight
    return x * ((relevance / torch.where(z < 0, z - epsilon, z + epsilon)) @ weight.T)


@answers.wrong("shared equally")
def equal_shares(x, weight, bias, relevance, *, epsilon=1e-6):
    return (relevance.sum(1) / x.shape[1])[:, None].repeat(1, x.shape[1])


@answers.wrong("'float64' came out")
def in_doubles(x, weight, bias, relevance, *, epsilon=1e-6):
    return in_numpy(x, weight, bias, relevance, epsilon=epsilon).double()


@answers.wrong("a denominator of 0 counts as negative")
def zero_is_negative(x, weight, bias, relevance, *, epsilon=1e-6):
    z = x @ weight.T
    return x * ((relevance / torch.where(z > 0, z + epsilon, z - epsilon)) @ weight)


@answers.wrong("the inputs lost their signs")
def magnitudes_of_inputs(x, weight, bias, relevance, *, epsilon=1e-6):
    z = x @ weight.T
    return abs(x) * ((relevance / torch.where(z < 0, z - epsilon, z + epsilon)) @ weight)


@answers.wrong("epsilon has the sign of the output")
def sign_of_the_output(x, weight, bias, relevance, *, epsilon=1e-6):
    z = torch.nn.functional.linear(x, weight, bias)
    z = torch.where(z < 0, z - epsilon, z + epsilon) - bias
    return x * ((relevance / z) @ weight)


@answers.wrong("what epsilon absorbs is lost")
def nothing_absorbed(x, weight, bias, relevance, *, epsilon=1e-6):
    shares = by_einsum(x, weight, bias, relevance, epsilon=epsilon)
    return shares * (relevance.sum(1) / shares.sum(1))[:, None]


@answers.wrong("whose sum is not above 0 hand nothing on")
def active_outputs_alone(x, weight, bias, relevance, *, epsilon=1e-6):
    z = x @ weight.T
    return x * (((z > 0) * relevance / (z + epsilon)) @ weight)


@answers.wrong("handed to the inputs in equal parts")
def bias_among_the_contributions(x, weight, bias, relevance, *, epsilon=1e-6):
    z = torch.einsum("ni,oi->noi", x, weight) + bias[:, None] / x.shape[1]
    sums = z.sum(2)
    return torch.einsum("noi,no->ni", z, relevance / torch.where(sums < 0, sums - epsilon, sums + epsilon))

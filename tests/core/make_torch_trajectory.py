"""Makes torch_trajectory.h: a small LSTM language model trained by PyTorch, for test_text.c to follow.

Run where PyTorch is: python3 tests/core/make_torch_trajectory.py > tests/core/torch_trajectory.h
PyTorch's second bias is held at zero: their sum is the bias here."""
import math

import torch

V, E, H, LAYERS, B, U, STEPS = 7, 3, 4, 2, 2, 5, 6
torch.set_default_dtype(torch.float32)


def number(i):
    """The i-th initial parameter."""
    return 0.4 * math.sin(1.3 * i + 0.2)


def token(i):
    return (i * i + 3 * i) % V


def make():
    embedding = torch.nn.Embedding(V, E)
    lstm = torch.nn.LSTM(E, H, LAYERS)
    out = torch.nn.Linear(H, V)
    at = 0

    def take(*shape):
        nonlocal at
        n = math.prod(shape)
        values = torch.tensor([number(at + i) for i in range(n)]).reshape(shape)
        at += n
        return values

    with torch.no_grad():
        embedding.weight.copy_(take(V, E))
        for layer in range(LAYERS):
            width = E if layer == 0 else H
            weights = take(4 * H, width + H)
            getattr(lstm, f'weight_ih_l{layer}').copy_(weights[:, :width])
            getattr(lstm, f'weight_hh_l{layer}').copy_(weights[:, width:])
            getattr(lstm, f'bias_ih_l{layer}').copy_(take(4 * H))
            getattr(lstm, f'bias_hh_l{layer}').zero_()
            getattr(lstm, f'bias_hh_l{layer}').requires_grad_(False)
        out.weight.copy_(take(V, H))
        out.bias.copy_(take(V))
    return embedding, lstm, out


def flat(embedding, lstm, out):
    parts = [embedding.weight]
    for layer in range(LAYERS):
        parts += [torch.cat([getattr(lstm, f'weight_ih_l{layer}'), getattr(lstm, f'weight_hh_l{layer}')], 1),
                  getattr(lstm, f'bias_ih_l{layer}')]
    parts += [out.weight, out.bias]
    return torch.cat([part.detach().reshape(-1) for part in parts])


def train(make_optimiser, clip):
    embedding, lstm, out = make()
    parameters = [p for module in (embedding, lstm, out) for p in module.parameters() if p.requires_grad]
    optimiser = make_optimiser(parameters)
    state, losses = None, []
    for step in range(STEPS):
        at = step * U
        tokens = torch.tensor([[token(100 * b + at + u) for b in range(B)] for u in range(U)])
        targets = torch.tensor([[token(100 * b + at + u + 1) for b in range(B)] for u in range(U)])
        h, state = lstm(embedding(tokens), state)
        state = tuple(part.detach() for part in state)
        loss = torch.nn.functional.cross_entropy(out(h).reshape(-1, V), targets.reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimiser.step()
        losses.append(loss.item())
    return losses, flat(embedding, lstm, out)


def c_list(name, values):
    text = ', '.join(f'{float(value):.9g}F' if '.' in f'{float(value):.9g}' or 'e' in f'{float(value):.9g}'
                     else f'{float(value):.9g}.0F' for value in values)
    print(f'static const float {name}[] = {{{text}}};')


print('/* Made by make_torch_trajectory.py with PyTorch', torch.__version__ + '. */')
print(f'enum {{ TORCH_V = {V}, TORCH_E = {E}, TORCH_H = {H}, TORCH_LAYERS = {LAYERS}, TORCH_B = {B}, '
      f'TORCH_U = {U}, TORCH_STEPS = {STEPS} }};')
for name, optimiser in (('sgd', lambda p: torch.optim.SGD(p, lr=0.5, momentum=0.9, weight_decay=1e-3)),
                        ('adam', lambda p: torch.optim.Adam(p, lr=0.01))):
    losses, final = train(optimiser, 0.3)
    c_list(f'torch_{name}_losses', losses)
    c_list(f'torch_{name}_final', final)

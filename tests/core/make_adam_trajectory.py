"""Makes adam_trajectory.h: the last layer of small networks that PyTorch trained with Adam, Adam with an L2 penalty, and AdamW, for
test_adam.c: what it read and its error signals at every step, and its first and last weights. Gradients are clipped in most of
the steps, and the rate follows a cosine.

Run where PyTorch is: python3 tests/core/make_adam_trajectory.py > tests/core/adam_trajectory.h"""
import numpy as np
import torch

IN, H, OUT, B, STEPS, CLIP = 8, 6, 4, 5, 60, 0.3
CASES = (("adam", torch.optim.Adam, 0.0), ("adam_l2", torch.optim.Adam, 1e-2), ("adamw", torch.optim.AdamW, 1e-1))


def train(make, decay):
    torch.manual_seed(3)
    torch.set_num_threads(1)
    x, y = torch.randn(40, IN), torch.randint(0, OUT, (40,))
    first, last = torch.nn.Linear(IN, H), torch.nn.Linear(H, OUT)
    parameters = [*first.parameters(), *last.parameters()]
    optimiser = make(parameters, lr=2e-2, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    flat = lambda: torch.cat([last.weight, last.bias[:, None]], 1).detach().numpy().ravel().copy()  # noqa: E731
    told = {"initial": flat(), "keys": [], "errors": [], "rates": [], "clip_factors": []}
    for _ in range(STEPS):
        i = torch.randint(0, 40, (B,))
        key = torch.relu(first(x[i]))
        logits = last(key)
        logits.retain_grad()
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(logits, y[i]).backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        told["keys"].append(key.detach().numpy().copy())
        told["errors"].append(logits.grad.numpy().copy())
        told["rates"].append(optimiser.param_groups[0]["lr"])
        told["clip_factors"].append(min(1.0, CLIP / (float(norm) + 1e-6)))
        optimiser.step()
        schedule.step()
    told["final"] = flat()
    return told


def c_list(name, values):
    numbers = [np.format_float_scientific(value, precision=9, trim='0') for value in np.asarray(values, float).ravel()]
    print(f"static const float {name}[] = {{{', '.join(number + 'F' for number in numbers)}}};")


print("/* Made by make_adam_trajectory.py with PyTorch", torch.__version__ + ". */")
print("/* clang-format off */")
print(f"enum {{ ADAM_INPUTS = {H}, ADAM_OUTPUTS = {OUT}, ADAM_BATCH = {B}, ADAM_STEPS = {STEPS} }};")
for case, make, decay in CASES:
    told = train(make, decay)
    assert np.mean(np.array(told["clip_factors"]) < 1) > .5
    for name, values in told.items():
        c_list(f"{case}_{name}", values)
print("/* clang-format on */")

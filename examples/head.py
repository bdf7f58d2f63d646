"""The last layer of a frozen network, trained on a folder of pictures and recorded: which of them does it look at?

    python3 examples/head.py PICTURES head.keylight && keylight serve head.keylight

PICTURES has a folder for each class. The network is torchvision's ResNet-18; --weights FILE loads its parameters (without,
they are random, and so are its features)."""
import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, models, transforms

import keylight

SIDE = 64
NORMALISE = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures")
    parser.add_argument("output")
    parser.add_argument("--weights", help="a file with the network's state_dict")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--test", type=float, default=0.2, help="share of the pictures that is held out")
    options = parser.parse_args()
    torch.manual_seed(1)
    whole = datasets.ImageFolder(options.pictures, transforms.Compose(
        [transforms.Resize((SIDE, SIDE)), transforms.ToTensor(), NORMALISE]))
    order, n_test = torch.randperm(len(whole)).tolist(), max(1, int(options.test * len(whole)))
    test, train = Subset(whole, order[:n_test]), Subset(whole, order[n_test:])
    model = models.resnet18(weights=None)
    if options.weights:
        model.load_state_dict(torch.load(options.weights))
    model.requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, len(whole.classes))
    model.eval()  # its batch normalisation stays as it is
    optimizer = torch.optim.SGD(model.fc.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    with keylight.Recorder(options.output, model, optimizer, train=train, test=test, name="head") as recorder:
        for _ in range(options.epochs):
            for samples, x, y in DataLoader(keylight.indexed(train), batch_size=32, shuffle=True):
                with recorder.step(samples):
                    loss = nn.functional.cross_entropy(model(x), y)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()


if __name__ == "__main__":
    main()

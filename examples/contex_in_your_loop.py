"""ConTeX in a training loop of your own: two noisy views of small digits, 20 steps.

Run it with `python examples/contex_in_your_loop.py`.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

from debias_cl.losses import ConTeXLoss

torch.manual_seed(0)
digits = load_digits()  # 1,797 pictures of 8 x 8 pixels, comes with scikit-learn
images = torch.tensor(digits.data, dtype=torch.float32) / 16
labels = torch.tensor(digits.target)

encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64))
loss_of = ConTeXLoss(temperature=0.1)
optimiser = torch.optim.Adam(encoder.parameters(), lr=3e-3)

for step in range(20):
    rows = torch.randperm(len(images))[:128]
    views = images[rows, None] + 0.2 * torch.randn(128, 2, 64)  # (images, views, pixels)
    loss = loss_of(encoder(views), labels[rows])
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    if step % 5 == 4:
        print(f"step {step + 1}: loss {loss.item():.3f}")

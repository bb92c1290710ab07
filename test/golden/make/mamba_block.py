"""Golden values of a Mamba mixer: output and all gradients by Hugging Face transformers' slow path, in f64.

Run:  python test/golden/make/mamba_block.py > test/golden/mamba-block.json    (needs torch, transformers 4.39 to 4.45)
The slow path casts to f32 in places; here `.float()` is made to mean f64, so that the values are good to 1e-12.
"""

import json

import torch
import transformers
from blocks_common import rounded, values
from transformers import MambaConfig
from transformers.models.mamba.modeling_mamba import MambaMixer

torch.Tensor.float = torch.Tensor.double
torch.set_default_dtype(torch.float64)

B, T, WIDTH, N, W, RANK = 2, 11, 12, 4, 4, 3
config = MambaConfig(
    hidden_size=WIDTH, state_size=N, conv_kernel=W, expand=2, time_step_rank=RANK, use_bias=False, use_conv_bias=True,
    num_hidden_layers=1, vocab_size=8,
)
mixer = MambaMixer(config, layer_idx=0).double()
scales = {
    "in_proj.weight": 1.0, "conv1d.weight": 1.0, "conv1d.bias": 0.5, "x_proj.weight": 1.0, "dt_proj.weight": 2.0,
    "dt_proj.bias": 4.0, "A_log": 2.0, "D": 2.0, "out_proj.weight": 1.0,
}
with torch.no_grad():
    for name, p in mixer.named_parameters():
        p.copy_(torch.tensor(values(name, tuple(p.shape), scales[name])))
x = torch.tensor(values("x", (B, T, WIDTH), 4.0), requires_grad=True)
y = mixer.slow_forward(x)
dy = torch.tensor(values("dy", (B, T, WIDTH), 2.0))
y.backward(dy)
print(json.dumps({
    "source": f"transformers {transformers.__version__} MambaMixer.slow_forward in f64, torch {torch.__version__}",
    "dims": {"B": B, "T": T, "width": WIDTH, "N": N, "W": W, "rank": RANK},
    "scales": scales,
    "y": rounded(y),
    "grad.x": rounded(x.grad),
    **{f"grad.{name}": rounded(p.grad) for name, p in mixer.named_parameters()},
}))

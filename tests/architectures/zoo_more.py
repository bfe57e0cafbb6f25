"""Networks of further kinds: what users bring besides the usual encoders, decoders and classifiers."""
import math

import torch
from torch import nn
from torch.nn import functional as F
from zoo import BATCH, IDS, IMAGE, LENGTHS, SIZES, picture, random
from zoo_custom import normal, own

# Diffusion


class CrossAttention(nn.Module):
    def __init__(self, width, context, heads=4):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(context, 2 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, x, context):
        def split(t):
            return t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(context).chunk(2, -1)
        y = F.scaled_dot_product_attention(split(self.q(x)), split(k), split(v))
        return self.out(y.transpose(1, 2).flatten(2))


class SpatialTransformer(nn.Module):
    """What stable diffusion has between its convolutions."""

    def __init__(self, width, context):
        super().__init__()
        self.norm, self.into, self.out = nn.GroupNorm(8, width), nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.itself, self.cross = CrossAttention(width, width), CrossAttention(width, context)
        self.gate, self.down = nn.Linear(width, 8 * width), nn.Linear(4 * width, width)

    def forward(self, x, context):
        batch, width, height, wide = x.shape
        y = self.into(self.norm(x)).permute(0, 2, 3, 1).reshape(batch, height * wide, width)
        n = self.norms[0](y)
        y = y + self.itself(n, n)
        y = y + self.cross(self.norms[1](y), context)
        value, gate = self.gate(self.norms[2](y)).chunk(2, -1)
        y = y + self.down(value * F.gelu(gate))
        return x + self.out(y.reshape(batch, height, wide, width).permute(0, 3, 1, 2))


class ResidualBlock(nn.Module):
    def __init__(self, before, after, time):
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(8, before), nn.SiLU(), nn.Conv2d(before, after, 3, padding=1))
        self.time = nn.Linear(time, after)
        self.second = nn.Sequential(nn.GroupNorm(8, after), nn.SiLU(), nn.Conv2d(after, after, 3, padding=1))
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x, time):
        return self.skip(x) + self.second(self.first(x) + self.time(F.silu(time))[:, :, None, None])


class LatentUNet(nn.Module):
    def __init__(self, width=32, context=48):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, 4 * width))
        self.into = nn.Conv2d(4, width, 3, padding=1)
        self.down = nn.ModuleList([ResidualBlock(width, width, 4 * width), ResidualBlock(width, 2 * width, 4 * width)])
        self.mix = nn.ModuleList([SpatialTransformer(width, context), SpatialTransformer(2 * width, context),
                                  SpatialTransformer(width, context)])
        self.smaller = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.up = nn.ModuleList([ResidualBlock(3 * width, width, 4 * width),
                                 ResidualBlock(2 * width, width, 4 * width)])
        self.larger = nn.Conv2d(width, width, 3, padding=1)
        self.out = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, 4, 3, padding=1))
        self.width = width

    def forward(self, latent, step, context):
        half = self.width // 2
        angle = step[:, None].float() * torch.exp(-math.log(10000) * torch.arange(half) / half)[None]
        time = self.time(torch.cat([angle.cos(), angle.sin()], -1))
        first = self.into(latent)
        second = self.mix[0](self.down[0](first, time), context)
        low = self.smaller(second)
        x = self.mix[1](self.down[1](low, time), context)
        x = self.up[0](torch.cat([x, low], 1), time)
        x = self.larger(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        x = self.mix[2](self.up[1](torch.cat([x, second], 1), time), context)
        return self.out(x)


own("latent_unet", "diffusion", LatentUNet,
    lambda size: {"latent": normal(size, 4, [16, 24, 16][size], 16),
                  "step": torch.randint(0, 1000, (SIZES[size],), generator=random(size)),
                  "context": normal(size, LENGTHS[size], 48)},
    {"latent": {0: "batch", 2: "height", 3: "width"}, "step": {0: "batch"}, "context": {0: "batch", 1: "words"}})


class DiffusionTransformer(nn.Module):
    """Patches whose norms are modulated by time and class."""

    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
            self.attention = CrossAttention(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))
            self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

        def forward(self, x, condition):
            shift, scale, gate, shift2, scale2, gate2 = self.modulation(condition)[:, None].chunk(6, -1)
            y = self.norm(x) * (1 + scale) + shift
            x = x + gate * self.attention(y, y)
            return x + gate2 * self.mlp(self.norm(x) * (1 + scale2) + shift2)

    def __init__(self, width=64, patch=4):
        super().__init__()
        self.patch, self.width = patch, width
        self.embed = nn.Conv2d(4, width, patch, patch)
        self.time, self.kind = nn.Linear(32, width), nn.Embedding(10, width)
        self.place = nn.Parameter(torch.randn(1, 64, width) * 0.1)
        self.blocks = nn.ModuleList(self.Block(width) for _ in range(2))
        self.out = nn.Linear(width, patch * patch * 4)

    def forward(self, latent, step, kind):
        angle = step[:, None] * torch.exp(-torch.arange(16) / 16 * 9.2)[None]
        condition = self.time(torch.cat([angle.cos(), angle.sin()], -1)) + self.kind(kind)
        x = self.embed(latent).flatten(2).transpose(1, 2) + self.place
        for block in self.blocks:
            x = block(x, condition)
        x = self.out(x).reshape(x.shape[0], 8, 8, self.patch, self.patch, 4)
        return torch.einsum("nhwpqc->nchpwq", x).reshape(x.shape[0], 4, 8 * self.patch, 8 * self.patch)


own("dit", "diffusion", DiffusionTransformer,
    lambda size: {"latent": normal(size, 4, 32, 32), "step": torch.rand(SIZES[size], generator=random(size)) * 1000,
                  "kind": torch.randint(0, 10, (SIZES[size],), generator=random(size))},
    {"latent": {0: "batch"}, "step": {0: "batch"}, "kind": {0: "batch"}})

# Sequences without attention, or with their own


class StateSpace(nn.Module):
    """A selective state space layer whose scan is a product of cumulative decays."""

    def __init__(self, width=32, states=8):
        super().__init__()
        self.into, self.out = nn.Linear(width, 4 * width), nn.Linear(2 * width, width)
        self.conv = nn.Conv1d(2 * width, 2 * width, 4, groups=2 * width, padding=3)
        self.step, self.b, self.c = (nn.Linear(2 * width, n) for n in (2 * width, states, states))
        self.a = nn.Parameter(torch.arange(1, states + 1).float().log()[None].repeat(2 * width, 1))
        self.d = nn.Parameter(torch.ones(2 * width))
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        y, gate = self.into(self.norm(x)).chunk(2, -1)
        y = F.silu(self.conv(y.transpose(1, 2))[:, :, :x.shape[1]].transpose(1, 2))
        step = F.softplus(self.step(y)) * 0.1
        decay = torch.cumsum(step[..., None] * -torch.exp(self.a), 1)
        inputs = step[..., None] * self.b(y)[:, :, None] * y[..., None]
        states = torch.exp(decay) * torch.cumsum(inputs * torch.exp(-decay), 1)
        y = (states * self.c(y)[:, :, None]).sum(-1) + self.d * y
        return x + self.out(y * F.silu(gate))


class StateSpaces(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(100, 32)
        self.layers = nn.Sequential(StateSpace(), StateSpace(), nn.LayerNorm(32), nn.Linear(32, 100))

    def forward(self, input_ids):
        return self.layers(self.embedding(input_ids))


def words(size):
    return {IDS: torch.randint(4, 100, (SIZES[size], LENGTHS[size]), generator=random(size))}


WORDS = {IDS: {0: "batch", 1: "sequence"}}
own("state_space", "decoder", StateSpaces, words, WORDS)


@torch.jit.script
def recurrence(keep: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    state = torch.zeros_like(value[:, 0])
    outputs: list[torch.Tensor] = []
    for t in range(value.shape[1]):
        state = keep[:, t] * state + (1 - keep[:, t]) * torch.tanh(value[:, t] + state)
        outputs.append(state)
    return torch.stack(outputs, 1)


class Scripted(nn.Module):
    """A recurrence that torch.jit keeps as a loop: the time axis stays dynamic."""

    def __init__(self):
        super().__init__()
        self.keep, self.value, self.out = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 3)

    def forward(self, x):
        return self.out(recurrence(torch.sigmoid(self.keep(x)), self.value(x)))


own("scripted_recurrence", "time series", Scripted, lambda size: {"x": normal(size, LENGTHS[size], 16)},
    {"x": {0: "batch", 1: "steps"}})


class LinearAttention(nn.Module):
    """RetNet-like retention: decays by distance, rotated queries and keys, a group norm a head."""

    def __init__(self, width=64, heads=4):
        super().__init__()
        self.heads = heads
        self.embedding, self.qkv = nn.Embedding(100, width), nn.Linear(width, 3 * width)
        self.norm, self.gate, self.out = nn.GroupNorm(heads, width), nn.Linear(width, width), nn.Linear(width, 100)

    def forward(self, input_ids):
        x = self.embedding(input_ids)
        length = x.shape[1]
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        place = torch.arange(length, device=x.device)
        distance = place[:, None] - place[None]
        decay = 1 - torch.exp2(-5 - torch.arange(self.heads))
        mask = torch.where(distance >= 0, decay[:, None, None] ** distance.clamp(min=0), 0.0)
        y = (q @ k.transpose(-1, -2) * mask) @ v
        y = self.norm(y.transpose(1, 2).flatten(2).flatten(0, 1)).unflatten(0, (-1, length))
        return self.out(y * F.silu(self.gate(x)))


own("retention", "decoder", LinearAttention, words, WORDS)


class WaveNet(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.into = nn.Conv1d(1, width, 1)
        self.filters = nn.ModuleList(nn.Conv1d(width, 2 * width, 2, dilation=2**i) for i in range(6))
        self.outs = nn.ModuleList(nn.Conv1d(width, 2 * width, 1) for _ in range(6))
        self.head = nn.Sequential(nn.ReLU(), nn.Conv1d(width, width, 1), nn.ReLU(), nn.Conv1d(width, 256, 1))

    def forward(self, wave):
        x, total = self.into(wave), 0
        for i, (convolution, out) in enumerate(zip(self.filters, self.outs)):
            value, gate = convolution(F.pad(x, (2**i, 0))).chunk(2, 1)
            skip, y = out(torch.tanh(value) * torch.sigmoid(gate)).chunk(2, 1)
            x, total = x + y, total + skip
        return self.head(total)


own("wavenet", "speech", WaveNet, lambda size: {"wave": normal(size, 1, [200, 150, 320][size])},
    {"wave": {0: "batch", 2: "samples"}})


class Conformer(nn.Module):
    """Relative attention as in Transformer-XL between half feed-forwards, and a convolution with GLU and batch norm."""

    class Block(nn.Module):
        def __init__(self, width=32, heads=4):
            super().__init__()
            self.heads, self.depth = heads, width // heads
            self.feeds = nn.ModuleList(nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.SiLU(),
                                                    nn.Linear(4 * width, width)) for _ in range(2))
            self.norm, self.qkv, self.place = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.u, self.v = (nn.Parameter(torch.randn(heads, width // heads) * 0.1) for _ in range(2))
            self.out = nn.Linear(width, width)
            self.before, self.glu = nn.LayerNorm(width), nn.Conv1d(width, 2 * width, 1)
            self.deep, self.batch = nn.Conv1d(width, width, 7, padding=3, groups=width), nn.BatchNorm1d(width)
            self.after, self.last = nn.Conv1d(width, width, 1), nn.LayerNorm(width)

        def attention(self, x, places):
            length = x.shape[1]
            q, k, v = (t.unflatten(-1, (self.heads, -1)) for t in self.qkv(self.norm(x)).chunk(3, -1))
            p = self.place(places).unflatten(-1, (self.heads, -1))
            content = torch.einsum("bihd,bjhd->bhij", q + self.u, k)
            moved = torch.einsum("bihd,jhd->bhij", q + self.v, p)
            moved = F.pad(moved, (1, 0)).flatten(2)[:, :, length:].unflatten(2, (length, -1))[..., :length]
            weights = torch.softmax((content + moved) / self.depth**0.5, -1)
            return self.out(torch.einsum("bhij,bjhd->bihd", weights, v).flatten(2))

        def forward(self, x, places):
            x = x + 0.5 * self.feeds[0](x)
            x = x + self.attention(x, places)
            y = F.glu(self.glu(self.before(x).transpose(1, 2)), 1)
            x = x + self.after(F.silu(self.batch(self.deep(y)))).transpose(1, 2)
            return self.last(x + 0.5 * self.feeds[1](x))

    def __init__(self):
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU())
        self.into, self.out = nn.Linear(8 * 5, 32), nn.Linear(32, 30)
        self.blocks = nn.ModuleList(self.Block() for _ in range(2))

    def forward(self, mel):
        x = self.reduce(mel[:, None])
        x = self.into(x.transpose(1, 2).flatten(2))
        length = x.shape[1]
        distance = torch.arange(length - 1, -length, -1)
        angle = distance[:, None] * torch.exp(-torch.arange(16) / 16 * 9.2)[None]
        places = torch.stack([angle.sin(), angle.cos()], -1).flatten(1)
        for block in self.blocks:
            x = block(x, places)
        return F.log_softmax(self.out(x), -1)


own("conformer", "speech", Conformer, lambda size: {"mel": normal(size, [80, 60, 101][size], 20)},
    {"mel": {0: "batch", 1: "frames"}})


class Experts(nn.Module):
    """A mixture of experts by TopK, scattered gates and products of all experts."""

    def __init__(self, width=32, experts=6):
        super().__init__()
        self.embedding, self.router = nn.Embedding(100, width), nn.Linear(width, experts)
        self.up = nn.Parameter(torch.randn(experts, width, 2 * width) * 0.2)
        self.down = nn.Parameter(torch.randn(experts, 2 * width, width) * 0.2)
        self.out = nn.Linear(width, 50)

    def forward(self, input_ids):
        x = self.embedding(input_ids)
        scores = self.router(x)
        best, index = scores.topk(2, -1)
        gates = torch.zeros_like(scores).scatter(-1, index, best.softmax(-1))
        y = torch.einsum("bld,edf->blef", x, self.up)
        y = torch.einsum("blef,efd->bled", F.gelu(y), self.down)
        return self.out(x + (y * gates[..., None]).sum(-2)), index


own("experts", "decoder", Experts, words, WORDS)

# Pictures and points


class NestedUNet(nn.Module):
    """UNet++: every level has connections to all before it; bilinear, align_corners."""

    def __init__(self, width=8):
        super().__init__()
        sizes = [width, 2 * width, 4 * width]

        def block(before, after):
            return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
                                 nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU())
        self.down = nn.ModuleList([block(3, sizes[0]), block(sizes[0], sizes[1]), block(sizes[1], sizes[2])])
        self.right = nn.ModuleList([block(sizes[0] + sizes[1], sizes[0]), block(sizes[1] + sizes[2], sizes[1]),
                                    block(2 * sizes[0] + sizes[1], sizes[0])])
        self.out = nn.Conv2d(sizes[0], 4, 1)

    def forward(self, image):
        def larger(x):
            return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
        a = self.down[0](image)
        b = self.down[1](F.max_pool2d(a, 2))
        c = self.down[2](F.max_pool2d(b, 2))
        a1 = self.right[0](torch.cat([a, larger(b)], 1))
        b1 = self.right[1](torch.cat([b, larger(c)], 1))
        return self.out(self.right[2](torch.cat([a, a1, larger(b1)], 1))).argmax(1), self.out(a1)


own("unet_plus_plus", "segmentation", NestedUNet, picture(64), IMAGE)


class Anchorless(nn.Module):
    """A YOLOv8-like head: C2f blocks, SPPF, distributions of distances by softmax, boxes from the points of the
    grids."""

    def __init__(self, classes=5, bins=8):
        super().__init__()

        def conv(before, after, kernel=3, stride=1):
            return nn.Sequential(nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False),
                                 nn.BatchNorm2d(after), nn.SiLU())
        self.stem = nn.Sequential(conv(3, 16, 3, 2), conv(16, 32, 3, 2))
        self.split = nn.ModuleList([conv(16, 16), conv(16, 16)])
        self.merge, self.next = conv(64, 32, 1), conv(32, 32, 3, 2)
        self.pool, self.pooled = nn.MaxPool2d(5, 1, 2), conv(128, 32, 1)
        self.box = nn.ModuleList(nn.Conv2d(32, 4 * bins, 1) for _ in range(2))
        self.kind = nn.ModuleList(nn.Conv2d(32, classes, 1) for _ in range(2))
        self.bins = bins

    def forward(self, image):
        x = self.stem(image)
        a, b = x.chunk(2, 1)
        c = self.split[0](b)
        high = self.merge(torch.cat([a, b, c, c + self.split[1](c)], 1))
        low = self.next(high)
        pools = [low]
        for _ in range(3):
            pools.append(self.pool(pools[-1]))
        low = self.pooled(torch.cat(pools, 1))
        boxes, scores = [], []
        for x, stride, box, kind in zip((high, low), (4, 8), self.box, self.kind):
            height, width = x.shape[-2:]
            d = box(x).unflatten(1, (4, self.bins)).softmax(2)
            d = (d * torch.arange(self.bins)[:, None, None]).sum(2).flatten(2)
            y, x0 = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
            centre = torch.stack([x0, y]).flatten(1)[None]
            boxes.append(torch.cat([centre - d[:, :2], centre + d[:, 2:]], 1) * stride)
            scores.append(kind(x).flatten(2).sigmoid())
        return torch.cat(boxes, 2).transpose(1, 2), torch.cat(scores, 2).transpose(1, 2)


own("yolo_anchorless", "detection", Anchorless, picture(64), IMAGE)


class Rays(nn.Module):
    """NeRF: sines of positions, a perceptron with a skip, colours composed along rays by what got through so far."""

    def __init__(self, width=64):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(39, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.second = nn.Sequential(nn.Linear(width + 39, width), nn.ReLU(), nn.Linear(width, 4))

    def forward(self, origin, direction):
        depth = torch.linspace(1, 4, 24)
        points = origin[:, None] + direction[:, None] * depth[None, :, None]
        angle = points[..., None] * 2.0 ** torch.arange(6)
        code = torch.cat([points, angle.sin().flatten(-2), angle.cos().flatten(-2)], -1)
        raw = self.second(torch.cat([self.first(code), code], -1))
        alpha = 1 - torch.exp(-F.softplus(raw[..., 3]) * 0.125)
        passed = torch.exp(torch.cumsum(torch.log(F.pad(1 - alpha + 1e-10, (1, 0), value=1.0)), 1))[:, :-1]
        weight = alpha * passed
        return (weight[..., None] * raw[..., :3].sigmoid()).sum(1), (weight * depth).sum(1)


own("nerf", "rays", Rays,
    lambda size: {"origin": torch.randn([16, 5, 40][size], 3, generator=random(size)),
                  "direction": torch.randn([16, 5, 40][size], 3, generator=random(size + 3))},
    {"origin": {0: "rays"}, "direction": {0: "rays"}})


class GraphAttention(nn.Module):
    """Messages along edges: gathered, weighed by a softmax over each node's edges (scatter), summed by scatter_add."""

    def __init__(self, width=32):
        super().__init__()
        self.value, self.source, self.target = nn.Linear(16, width), nn.Linear(width, 1), nn.Linear(width, 1)
        self.out, self.edge = nn.Linear(width, 7), nn.Linear(4, 1)

    def forward(self, x, edges, features):
        h = self.value(x)
        source, target = edges[0], edges[1]
        score = F.leaky_relu(self.source(h)[source] + self.target(h)[target] + self.edge(features), 0.2)
        nodes = x.shape[0]
        highest = torch.full((nodes, 1), -1e30).scatter_reduce(0, target[:, None], score, "amax")
        weight = torch.exp(score - highest[target])
        total = torch.zeros(nodes, 1).index_add(0, target, weight)
        mean = torch.zeros(nodes, h.shape[1]).scatter_add(0, target[:, None].expand(-1, h.shape[1]),
                                                          h[source] * weight / (total[target] + 1e-9))
        return self.out(F.elu(mean) + h)


def edges(size):
    nodes, count = [20, 11, 50][size], [60, 30, 200][size]
    return {"x": torch.randn(nodes, 16, generator=random(size)),
            "edges": torch.randint(0, nodes, (2, count), generator=random(size)),
            "features": torch.randn(count, 4, generator=random(size + 1))}


own("graph_attention", "graph", GraphAttention, edges,
    {"x": {0: "nodes"}, "edges": {1: "edges"}, "features": {0: "edges"}})


class Warp(nn.Module):
    """A spatial transformer network: a localiser, affine_grid, grid_sample, and pictures resized bicubically."""

    def __init__(self):
        super().__init__()
        self.local = nn.Sequential(nn.Conv2d(3, 8, 7, 2), nn.ReLU(), nn.AvgPool2d(8), nn.Flatten(),
                                   nn.Linear(72, 6))
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Hardswish(), nn.AdaptiveMaxPool2d(1), nn.Flatten())

    def forward(self, image):
        theta = self.local(image).view(-1, 2, 3) * 0.1 + torch.eye(2, 3)
        grid = F.affine_grid(theta, [image.shape[0], 3, 40, 40], align_corners=False)
        x = F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
        small = F.interpolate(image, size=(24, 24), mode="bicubic", align_corners=False)
        return self.features(x), small


own("spatial_transformer", "classification", Warp, picture(64, vary=False), BATCH)

# Tables


class Table(nn.Module):
    """TabTransformer: columns as tokens, numbers beside them, binned and embedded."""

    def __init__(self, width=32):
        super().__init__()
        self.kinds = nn.Embedding(60, width)
        self.register_buffer("offset", torch.arange(6) * 10)
        self.register_buffer("edges", torch.linspace(-2, 2, 9))
        self.bins = nn.Embedding(10, width)
        self.attentions = nn.ModuleList(CrossAttention(width, width) for _ in range(2))
        self.feeds = nn.ModuleList(nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))
                                   for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.out = nn.Sequential(nn.LayerNorm(11 * width), nn.Linear(11 * width, 32), nn.SELU(), nn.Linear(32, 2))

    def forward(self, categories, numbers):
        tokens = self.kinds(categories + self.offset)
        binned = self.bins((numbers[..., None] >= self.edges).sum(-1)) * (1 + numbers[..., None])
        x = torch.cat([tokens, binned], 1)
        for i, (attention, feed) in enumerate(zip(self.attentions, self.feeds)):
            y = self.norms[2 * i](x)
            x = x + attention(y, y)
            x = x + feed(self.norms[2 * i + 1](x))
        return self.out(x.flatten(1)).softmax(-1)


own("tab_transformer", "table", Table,
    lambda size: {"categories": torch.randint(0, 10, ([4, 1, 33][size], 6), generator=random(size)),
                  "numbers": torch.randn([4, 1, 33][size], 5, generator=random(size))},
    {"categories": {0: "batch"}, "numbers": {0: "batch"}})


class Cross(nn.Module):
    """DCN-v2 with embedded clicks, their mean and the last state of an LSTM, Mish and PReLU."""

    def __init__(self, width=24):
        super().__init__()
        self.table, self.lstm = nn.Embedding(200, width, padding_idx=0), nn.LSTM(width, width, batch_first=True)
        self.cross = nn.ModuleList(nn.Linear(2 * width + 4, 2 * width + 4) for _ in range(2))
        self.deep = nn.Sequential(nn.Linear(2 * width + 4, 32), nn.Mish(), nn.Linear(32, 16), nn.PReLU(),
                                  nn.Linear(16, 1))

    def forward(self, clicks, dense):
        steps, _ = self.lstm(self.table(clicks))
        x0 = x = torch.cat([self.table(clicks).mean(1), steps[:, -1], dense], 1)
        for layer in self.cross:
            x = x0 * layer(x) + x
        return self.deep(x).sigmoid()


own("dcn", "recommender", Cross,
    lambda size: {"clicks": torch.randint(0, 200, ([4, 1, 17][size], LENGTHS[size]), generator=random(size)),
                  "dense": torch.randn([4, 1, 17][size], 4, generator=random(size))},
    {"clicks": {0: "batch", 1: "clicks"}, "dense": {0: "batch"}})

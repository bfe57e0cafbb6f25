"""Networks of our own that stand for what users write themselves, small and plain."""
import torch
from torch import nn
from torch.nn import functional as F
from zoo import BATCH, IMAGE, LENGTHS, SIZES, entry, picture, random


def own(name, kind, network, inputs, dynamic):
    def make():
        torch.manual_seed(3)
        return network()
    entry(name, kind, make, inputs, dynamic)


def normal(size, *shape):
    return torch.randn(SIZES[size], *shape, generator=random(size))


class UNet(nn.Module):
    """One step of a diffusion model: time as sines, group norms, transposed convolutions, connections across."""

    def __init__(self, width=16):
        super().__init__()

        def block(before, after):
            return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(4, after), nn.SiLU(),
                                 nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.LeakyReLU(0.1))
        self.down = nn.ModuleList([block(3, width), block(width, 2 * width), block(2 * width, 4 * width)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(4 * width, 2 * width, 2, 2),
                                 nn.ConvTranspose2d(2 * width, width, 4, 2, 1)])
        self.join = nn.ModuleList([block(4 * width, 2 * width), block(2 * width, width)])
        self.time, self.out, self.pool = nn.Linear(32, 2 * width), nn.Conv2d(width, 3, 1), nn.MaxPool2d(2)

    def forward(self, image, time):
        angle = time[:, None] * torch.exp(-torch.arange(16) / 16 * 9.2)[None]
        shift = self.time(torch.cat([angle.sin(), angle.cos()], 1))[:, :, None, None]
        first = self.down[0](image)
        second = self.down[1](self.pool(first)) + shift
        x = self.up[0](self.down[2](self.pool(second)))
        x = self.up[1](self.join[0](torch.cat([x, second], 1)))
        return self.out(self.join[1](torch.cat([x, first], 1)))


own("unet", "diffusion", UNet,
    lambda size: {"image": normal(size, 3, [64, 96, 64][size], 64),
                  "time": torch.rand(SIZES[size], generator=random(size)) * 1000},
    {"image": {0: "batch", 2: "height", 3: "width"}, "time": {0: "batch"}})


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        layers = []
        for before, after in ((64, 64), (64, 32), (32, 16)):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.InstanceNorm2d(after, affine=True),
                       nn.ReLU()]
        self.seed = nn.Linear(32, 64 * 16)
        self.layers = nn.Sequential(*layers, nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReflectionPad2d(1),
                                    nn.Conv2d(16, 3, 3), nn.Tanh())

    def forward(self, noise):
        return self.layers(self.seed(noise).reshape(-1, 64, 4, 4))


own("generator", "generator", Generator, lambda size: {"noise": normal(size, 32)}, {"noise": {0: "batch"}})


class Enlarger(nn.Module):
    """ESPCN (Shi et al., 2016): pixels shuffled out of channels, added to a bicubic picture."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 32, 5, padding=2), nn.PReLU(32), nn.Conv2d(32, 16, 3, padding=1),
                                    nn.Hardtanh(), nn.Conv2d(16, 27, 3, padding=1), nn.PixelShuffle(3))

    def forward(self, image):
        return self.layers(image).clamp(0, 1) + F.interpolate(image, scale_factor=3, mode="bicubic")


own("espcn", "super-resolution", Enlarger, picture(64), IMAGE)


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.out = nn.Embedding(100, 64), nn.Linear(64, 100)
        self.layers = nn.Transformer(64, 4, 2, 2, 128, batch_first=True, norm_first=True, activation="gelu")

    def forward(self, source, target):
        length = target.shape[1]
        mask = torch.triu(torch.full((length, length), float("-inf")), 1)
        return self.out(self.layers(self.words(source), self.words(target), tgt_mask=mask))


def words(size, less=0):
    return torch.randint(0, 100, (SIZES[size], LENGTHS[size] - less), generator=random(size + less))


own("nn_transformer", "encoder-decoder", Translator, lambda size: {"source": words(size), "target": words(size, 3)},
    {"source": {0: "batch", 1: "length"}, "target": {0: "batch", 1: "target_length"}})


class Series(nn.Module):
    """A TCN: causal convolutions of growing dilation with weight norm."""

    def __init__(self):
        super().__init__()
        norm = nn.utils.parametrizations.weight_norm
        self.layers = nn.ModuleList(norm(nn.Conv1d(32 if i else 8, 32, 3, dilation=2**i)) for i in range(5))
        self.out = nn.Linear(32, 4)

    def forward(self, series):
        x = series
        for i, layer in enumerate(self.layers):
            y = torch.relu(layer(F.pad(x, (2 * 2**i, 0))))
            x = y + x if i else y
        return self.out(x[:, :, -1])


own("tcn", "time series", Series, lambda size: {"series": normal(size, 8, [50, 64, 77][size])},
    {"series": {0: "batch", 2: "time"}})


class Points(nn.Module):
    """PointNet (Qi et al., 2017): the same perceptron for all points, the maximum over them, a learnt rotation."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(3, 32, 1), nn.BatchNorm1d(32), nn.ReLU(), nn.Conv1d(32, 64, 1),
                                    nn.BatchNorm1d(64), nn.ReLU())
        self.turn, self.out = nn.Linear(64, 9), nn.Linear(64, 10)

    def forward(self, points):
        turn = self.turn(self.layers(points).max(2)[0]).reshape(-1, 3, 3)
        turned = (points.transpose(1, 2) @ turn).transpose(1, 2)
        return F.log_softmax(self.out(self.layers(turned).max(2)[0]), 1)


own("pointnet", "point cloud", Points, lambda size: {"points": normal(size, 3, [128, 100, 200][size])},
    {"points": {0: "batch", 2: "points"}})


class Graph(nn.Module):
    """Two graph convolutions (Kipf and Welling, 2017) over a list of edges."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(16, 32), nn.Linear(32, 5)

    def forward(self, nodes, edges):
        source, target = edges[0], edges[1]
        degree = torch.ones(nodes.shape[0]).scatter_add(0, target, torch.ones_like(target, dtype=torch.float))
        weight = (degree[source] * degree[target]).rsqrt()[:, None]

        def gather(x):
            return torch.zeros_like(x).index_add(0, target, x[source] * weight) + x / degree[:, None]
        return gather(self.second(torch.relu(gather(self.first(nodes)))))


own("gcn", "graph", Graph,
    lambda size: {"nodes": torch.randn([20, 15, 33][size], 16, generator=random(size)),
                  "edges": torch.randint(0, [20, 15, 33][size], (2, [60, 50, 99][size]), generator=random(size))},
    {"nodes": {0: "nodes"}, "edges": {1: "edges"}})


class DeepFm(nn.Module):
    """A factorisation machine beside a perceptron (Guo et al., 2017)."""

    def __init__(self, fields=10, rows=100, width=8):
        super().__init__()
        self.first, self.pairs = nn.Embedding(fields * rows, 1), nn.Embedding(fields * rows, width)
        self.register_buffer("begin", torch.arange(fields) * rows)
        self.deep = nn.Sequential(nn.Linear(fields * width, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(),
                                  nn.Linear(64, 1))

    def forward(self, fields):
        rows = fields + self.begin
        vectors = self.pairs(rows)
        pairs = 0.5 * (vectors.sum(1).pow(2) - vectors.pow(2).sum(1)).sum(1, keepdim=True)
        return torch.sigmoid(self.first(rows).sum(1) + pairs + self.deep(vectors.flatten(1)))


own("deepfm", "recommender", DeepFm,
    lambda size: {"fields": torch.randint(0, 100, ([4, 1, 33][size], 10), generator=random(size))},
    {"fields": {0: "batch"}})


class Interest(nn.Module):
    """A deep interest network (Zhou et al., 2018): attention of an item over a history."""

    def __init__(self):
        super().__init__()
        self.items = nn.Embedding(200, 16)
        self.score = nn.Sequential(nn.Linear(64, 32), nn.PReLU(), nn.Linear(32, 1))
        self.out = nn.Sequential(nn.Linear(32, 32), nn.Sigmoid(), nn.Linear(32, 1))

    def forward(self, item, history):
        query, past = self.items(item), self.items(history)
        repeated = query[:, None].expand_as(past)
        score = self.score(torch.cat([repeated, past, repeated - past, repeated * past], -1)).squeeze(-1)
        weight = score.masked_fill(history == 0, -1e9).softmax(1)
        return torch.sigmoid(self.out(torch.cat([query, (weight[..., None] * past).sum(1)], 1)))


own("din", "recommender", Interest,
    lambda size: {"item": torch.randint(1, 200, ([4, 1, 33][size],), generator=random(size)),
                  "history": torch.randint(0, 200, ([4, 1, 33][size], [20, 15, 40][size]), generator=random(size))},
    {"item": {0: "batch"}, "history": {0: "batch", 1: "length"}})


class Reader(nn.Module):
    """A CRNN for lines of text (Shi et al., 2015)."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 16, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, 1, 1),
                                    nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d((2, 1)))
        self.steps = nn.LSTM(32 * 8, 32, bidirectional=True, num_layers=2)
        self.out = nn.Linear(64, 20)

    def forward(self, image):
        columns = self.layers(image).flatten(1, 2).permute(2, 0, 1)
        return self.out(self.steps(columns)[0]).log_softmax(2)


own("crnn", "text recognition", Reader, lambda size: {"image": normal(size, 1, 32, [96, 80, 128][size])},
    {"image": {0: "batch", 3: "width"}})


class Yolo(nn.Module):
    """A small YOLO: SiLU, pools of a pyramid, a path back up, boxes as distributions, decoded on a grid."""

    def __init__(self):
        super().__init__()

        def block(before, after, kernel=1, stride=1):
            return nn.Sequential(nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False),
                                 nn.BatchNorm2d(after), nn.SiLU())
        self.stem = nn.Sequential(block(3, 16, 3, 2), block(16, 32, 3, 2), block(32, 64, 3, 2))
        self.left, self.right, self.inner, self.join = block(64, 32), block(64, 32), block(32, 32, 3), block(64, 64)
        self.deep, self.narrow, self.wide = block(64, 128, 3, 2), block(128, 64), block(256, 128)
        self.pool, self.up, self.merge = nn.MaxPool2d(5, 1, 2), nn.Upsample(scale_factor=2), block(192, 64)
        self.heads = nn.ModuleList([nn.Conv2d(64, 69, 1), nn.Conv2d(128, 69, 1)])
        self.register_buffer("bins", torch.arange(16.0))

    def forward(self, image):
        x = self.stem(image)
        left = self.left(x)
        x = self.join(torch.cat([left + self.inner(left), self.right(x)], 1))
        pools = [self.narrow(self.deep(x))]
        for _ in range(3):
            pools.append(self.pool(pools[-1]))
        y = self.wide(torch.cat(pools, 1))
        x = self.merge(torch.cat([self.up(y), x], 1))
        found = []
        for features, head, stride in zip((x, y), self.heads, (8, 16)):
            z = head(features)
            batch, _, height, width = z.shape
            boxes, scores = z.flatten(2).split((64, 5), 1)
            far = (boxes.reshape(batch, 4, 16, -1).softmax(2) * self.bins[None, None, :, None]).sum(2)
            at = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
            at = torch.stack([at[1], at[0]]).reshape(2, -1)[None]
            found.append(torch.cat([(at - far[:, :2]) * stride, (at + far[:, 2:]) * stride, scores.sigmoid()], 1))
        return torch.cat(found, 2)


own("yolo", "detection", Yolo, picture(64), IMAGE)


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.both = nn.GRU(8, 32, 2, batch_first=True, bidirectional=True)
        self.plain, self.out = nn.RNN(64, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, series):
        steps, last = self.plain(self.both(series)[0])
        return self.out(steps[:, -1]), last


own("gru_forecaster", "time series", Forecaster, lambda size: {"series": normal(size, [20, 15, 31][size], 8)},
    {"series": {0: "batch", 1: "time"}})


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 16, 4, 2, 1), nn.ELU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ELU())
        self.mean, self.spread, self.back = nn.Linear(2048, 16), nn.Linear(2048, 16), nn.Linear(16, 2048)
        self.decoder = nn.Sequential(nn.ConvTranspose2d(32, 16, 3, 2, 1, 1), nn.Softplus(),
                                     nn.ConvTranspose2d(16, 3, 4, 2, 1), nn.Sigmoid())

    def forward(self, image):
        x = self.encoder(image).flatten(1)
        mean, spread = self.mean(x), self.spread(x)
        return self.decoder(self.back(mean + torch.exp(0.5 * spread)).reshape(-1, 32, 8, 8)), mean, spread


own("vae", "generator", Autoencoder, picture(32, vary=False), BATCH)

#!/usr/bin/env python3
"""Times cuDNN's best f16 convolution (PyTorch, benchmark mode) beside results of tamis_gemm24_cuda_bench.

    benchmarks/conv_cudnn.py RESULTS.json

reads the convolutions of RESULTS.json and prints a Markdown table. As there: one CUDA graph of many convolutions whose
weights rotate among copies of more than twice the level-2 cache; channels last; the median of nine replays.
"""

import json
import statistics
import sys

import torch

COLD_BYTES = 160 << 20


def time_dense(conv):
    generator = torch.Generator(device="cuda").manual_seed(1)

    def random(*shape):
        values = torch.randn(*shape, generator=generator, device="cuda", dtype=torch.float16)
        return values.to(memory_format=torch.channels_last)

    x = random(conv["batch"], conv["channels"], conv["height"], conv["width"])
    shape = (conv["outputs"], conv["channels"], conv["kernel"], conv["kernel"])
    copies = max(2, -(-COLD_BYTES // (2 * shape[0] * shape[1] * shape[2] * shape[3])))
    weights = [random(*shape) for _ in range(copies)]

    def run(weight):
        return torch.nn.functional.conv2d(x, weight, stride=conv["stride"], padding=conv["padding"])

    for weight in weights[:3]:
        run(weight)
    torch.cuda.synchronize()
    launches = max(copies, 30)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for i in range(launches):
            run(weights[i % copies])
    times = []
    for _ in range(10):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(1e3 * begin.elapsed_time(end) / launches)
    return statistics.median(times[1:])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.backends.cudnn.benchmark = True
    with open(sys.argv[1]) as file:
        convolutions = [entry for entry in json.load(file) if "kernel" in entry]
    print("| batch, height, width, channels, outputs, kernel, stride | cuDNN us | 2:4 us | ratio | overlap us | ratio "
          "| dense overlap us | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for conv in convolutions:
        cudnn = time_dense(conv)
        name = ", ".join(str(conv[k]) for k in ("batch", "height", "width", "channels", "outputs", "kernel", "stride"))
        ours = (conv["sparse_us"], conv["overlap_us"], conv["dense_overlap_us"])
        print(f"| {name} | {cudnn:.2f} | " + " | ".join(f"{us:.2f} | {cudnn / us:.2f}" for us in ours) + " |")


if __name__ == "__main__":
    main()

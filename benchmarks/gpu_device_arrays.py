"""torch's tensors in and out of a session on a GPU: answers, order of streams, memory that goes round, and time.

    benchmarks/gpu_device_arrays.py ENGINE.tamis     an engine of one float input, with the package tamis on PYTHONPATH

Ends with an error if anything is not as it should be.
"""
import sys
import time

import torch

import tamis


def request(session, seed, device="cuda"):
    """Random inputs by name, of the shapes of the engine's first profile."""
    random = torch.Generator().manual_seed(seed)
    return {spec.name: torch.randn([d if isinstance(d, int) else 1 for d in spec.shape], generator=random).to(device)
            for spec in session.get_inputs()}


def run(session, feeds, stream):
    outputs = session.run_on_device(feeds, stream=stream.cuda_stream)
    return {name: torch.from_dlpack(array) for name, array in outputs.items()}


def by_host(session, feeds):
    return {name: torch.from_numpy(array) for name, array in session.run({k: v.cpu().numpy() for k, v in feeds.items()}).items()}


def same(ours, theirs):
    for name, expected in theirs.items():
        actual = ours[name].cpu().float()
        worst = float((actual - expected.float()).abs().max() / expected.float().abs().max())
        assert worst < 1e-5, f"{name} differs by {worst}"


def check_answers(session):
    stream = torch.cuda.current_stream()
    for seed in range(12):  # more addresses than a context keeps
        feeds = request(session, seed)
        same(run(session, feeds, stream), by_host(session, feeds))


def check_streams(session):
    """What is enqueued before comes before, what is enqueued after comes after, and nobody waits on the host."""
    expected = [by_host(session, request(session, seed)) for seed in range(8)]
    streams = [torch.cuda.Stream() for _ in range(3)]
    kept = []
    for turn in range(40):
        stream = streams[turn % 3]
        with torch.cuda.stream(stream):
            feeds = {name: torch.empty_like(x) for name, x in request(session, 0).items()}
            source = request(session, turn % 8)
            torch.cuda._sleep(2_000_000)  # a millisecond: a run that began too early would read other numbers
            for name, x in feeds.items():
                x.copy_(source[name], non_blocking=True)
            outputs = run(session, feeds, stream)
            for x in feeds.values():
                x.fill_(float("nan"))  # after the run
            kept.append((turn % 8, {name: y.clone() for name, y in outputs.items()}))
            del outputs, feeds
    torch.cuda.synchronize()
    for seed, outputs in kept:
        same(outputs, expected[seed])


def check_memory_of_readers(session):
    """An output that another stream still reads is not written by a later run, though its last holder is gone."""
    made, reader = torch.cuda.Stream(), torch.cuda.Stream()
    expected = [by_host(session, request(session, seed)) for seed in (1, 2)]
    feeds = [request(session, seed) for seed in (1, 2)]
    torch.cuda.synchronize()
    copies = []
    for _ in range(20):
        arrays = session.run_on_device(feeds[0], stream=made.cuda_stream)
        with torch.cuda.stream(reader):
            seen = {name: torch.from_dlpack(array) for name, array in arrays.items()}
            torch.cuda._sleep(2_000_000)
            copies.append({name: y.clone() for name, y in seen.items()})
        del arrays, seen
        session.run_on_device(feeds[1], stream=made.cuda_stream)
    torch.cuda.synchronize()
    for outputs in copies:
        same(outputs, expected[0])


def times(session, repeats=300):
    feeds = request(session, 1)
    stream = torch.cuda.current_stream()
    host = {name: x.cpu().numpy() for name, x in feeds.items()}

    def median(call):
        taken = []
        for _ in range(repeats):
            start = time.perf_counter()
            call()
            torch.cuda.synchronize()
            taken.append(time.perf_counter() - start)
        return sorted(taken)[repeats // 2] * 1e3

    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(50):
        run(session, feeds, stream)
    enqueued = (time.perf_counter() - start) / 50 * 1e3
    torch.cuda.synchronize()
    print(f"through the host {median(lambda: session.run(host)):.3f} ms, on the device "
          f"{median(lambda: run(session, feeds, stream)):.3f} ms, of which a call takes {enqueued:.3f} ms of the host")


if __name__ == "__main__":
    engine = tamis.Session(sys.argv[1], device="cuda")
    for note in engine.notices:
        print(note)
    for check in check_answers, check_streams, check_memory_of_readers:
        check(engine)
        print(f"{check.__name__}: right")
    times(engine)

"""Networks with loops, branches, sequences, strings and shapes that depend on data, against NumPy."""

import os
import signal
import threading
import time

import numpy as np
import onnx.parser
import pytest

import tamis


def parse(body, opset=17):
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{body}')


@pytest.fixture(params=["memory", "file"])
def session(request, tmp_path):
    """Sessions on a model as it is, and on an engine that was written and read again."""

    def make(model):
        if request.param == "memory":
            return tamis.Session(model)
        path = tmp_path / "model.tamis"
        tamis.build(model, path, tune=False)
        return tamis.Session(path)

    return make


NESTED = """
agraph (float[N,4] x, int64 n) => (float[M,4] y, float[K,4] sums) {
  half = Constant<value = float {0.5}>()
  rows = Constant<value = int64[1] {0}>()
  go = Constant<value = bool {1}>()
  y, sums = Loop<body = outer (int64 i, bool c, float[A,4] s) => (bool c2, float[B,4] s2, float[4] collected) {
     c2 = Identity(c)
     two = Constant<value = int64 {2}>()
     longer = Loop<body = inner (int64 j, bool cc, float[A2,4] t) => (bool cc2, float[B2,4] t2) {
        cc2 = Identity(cc)
        shift = Cast<to=1>(j)
        shifted = Add(x, shift)
        mean = ReduceMean<keepdims=1, axes=[0]>(shifted)
        t2 = Concat<axis=0>(t, mean)
     }>(two, c, s)
     s2 = Mul(longer, half)
     collected = ReduceSum<keepdims=0>(s2, rows)
  }>(n, go, x)
}"""


def nested(x, n):
    state, sums = x, []
    for _ in range(n):
        state = np.concatenate([state, x.mean(0, keepdims=True), (x + 1).mean(0, keepdims=True)]) / 2
        sums.append(state.sum(0))
    return state, np.array(sums, np.float32).reshape(-1, 4)


def test_nested_loops_read_what_is_around_them(session):
    rng = np.random.default_rng(1)
    run = session(parse(NESTED)).run
    for rows, n in [(3, 2), (1, 5), (2, 0)]:
        x = rng.standard_normal((rows, 4)).astype(np.float32)
        got = run(None, {"x": x, "n": np.int64(n)})
        for actual, expected in zip(got, nested(x, n)):
            np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


BRANCHES = """
agraph (float[N] x) => (float y, float[M] z) {
  s = ReduceSum<keepdims=0>(x)
  zero = Constant<value = float {0}>()
  positive = Greater(s, zero)
  y, z = If<then_branch = t () => (float y1, float[M1] z1) { y1 = Identity(s)
    z1 = Concat<axis=0>(x, x) }, else_branch = e () => (float y2, float[M2] z2) { y2 = Neg(s)
    z2 = Identity(x) }>(positive)
}"""


def test_branches_may_give_other_shapes(session):
    run = session(parse(BRANCHES)).run
    x = np.array([1, 2], np.float32)
    y, z = run(None, {"x": x})
    assert y == 3 and z.tolist() == [1, 2, 1, 2]
    y, z = run(None, {"x": -x})
    assert y == 3 and z.tolist() == [-1, -2]


def test_branches_that_shapes_decide_leave_no_trace(session):
    model = parse("""
agraph (float[N,2] x) => (float[M] y) {
  shape = Shape(x)
  first = Constant<value = int64 {0}>()
  n = Gather<axis=0>(shape, first)
  two = Constant<value = int64 {2}>()
  square = Equal(n, two)
  y = If<then_branch = t () => (float[M1] y1) { y1 = ReduceSum<keepdims=0, noop_with_empty_axes=0>(x, axes) },
         else_branch = e () => (float[M2] y2) { y2 = ReduceMax<keepdims=0, axes=[0]>(x) }>(square)
}""".replace("  shape = Shape(x)", "  axes = Constant<value = int64[1] {0}>()\n  shape = Shape(x)"))
    one = session(model)
    for rows, expected in [(2, [2, 4]), (3, [4, 5])]:
        x = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
        assert one.run({"x": x})["y"].tolist() == expected
        assert all("If" != node.operator for node in one.profile({"x": x}, repeats=1))


DETECTION = """
agraph (float[1,N,4] boxes, float[1,C,N] scores) => (float[K,4] kept, float[K] score, int64[K] label) {
  most = Constant<value = int64[1] {10}>()
  overlap = Constant<value = float[1] {0.3}>()
  least = Constant<value = float[1] {0.2}>()
  selected = NonMaxSuppression(boxes, scores, most, overlap, least)
  zero = Constant<value = int64[1] {0}>()
  one = Constant<value = int64[1] {1}>()
  two = Constant<value = int64[1] {2}>()
  box = Gather<axis=1>(selected, two)
  class = Gather<axis=1>(selected, one)
  flat = Squeeze(box, one)
  label = Squeeze(class, one)
  all_boxes = Squeeze(boxes, zero)
  kept = Gather<axis=0>(all_boxes, flat)
  all_scores = Squeeze(scores, zero)
  pair = Concat<axis=1>(class, box)
  score = GatherND(all_scores, pair)
}"""


def overlap(a, b):
    height, width = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = max(height, 0) * max(width, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def test_detections_are_as_many_as_there_are(session):
    rng = np.random.default_rng(2)
    run = session(parse(DETECTION)).run
    for n in (30, 1, 7):
        corner = rng.random((1, n, 2)).astype(np.float32)
        boxes = np.concatenate([corner, corner + rng.random((1, n, 2)).astype(np.float32) + 0.01], axis=2)
        scores = rng.random((1, 2, n)).astype(np.float32)
        expected = []
        for label in range(2):
            best = []
            for i in np.argsort(-scores[0, label], kind="stable"):
                if scores[0, label, i] > 0.2 and len(best) < 10:
                    if all(overlap(boxes[0, i], boxes[0, j]) <= 0.3 for j in best):
                        best.append(i)
            expected += [(label, i) for i in best]
        kept, score, label = run(None, {"boxes": boxes, "scores": scores})
        assert label.tolist() == [label for label, _ in expected]
        np.testing.assert_array_equal(kept, boxes[0][[i for _, i in expected]])
        np.testing.assert_array_equal(score, [scores[0, label, i] for label, i in expected])


CHUNKS = """
agraph (float[N,2] x) => (float[M,2] y, seq(float[P,2]) pieces) {
  empty = SequenceEmpty<dtype=1>()
  shape = Shape(x)
  zero = Constant<value = int64 {0}>()
  n = Gather<axis=0>(shape, zero)
  go = Constant<value = bool {1}>()
  pieces = Loop<body = b (int64 i, bool c, seq(float[P,2]) s) => (bool c2, seq(float[Q,2]) s2) {
    c2 = Identity(c)
    begin = Constant<value = int64[1] {0}>()
    end = Unsqueeze(i, begin)
    piece = Slice(x, begin, end)
    s2 = SequenceInsert(s, piece)
  }>(n, go, empty)
  y = ConcatFromSequence<axis=0>(pieces)
}"""


def test_sequences_are_lists(session):
    one = session(parse(CHUNKS))
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    outputs = one.run({"x": x})
    assert [piece.tolist() for piece in outputs["pieces"]] == [x[:i].tolist() for i in range(3)]
    assert outputs["y"].tolist() == np.concatenate([x[:i] for i in range(3)]).tolist()
    assert one.get_outputs()[1].type == "seq(tensor(float))"


def test_sequences_and_strings_go_in(session):
    one = session(parse("""
agraph (seq(string[N]) words, int64 at) => (string[M] all, string[P] one, int64 count) {
  all = ConcatFromSequence<axis=0>(words)
  one = SequenceAt(words, at)
  count = SequenceLength(words)
}"""))
    words = [np.array(["a", "bc"], object), np.array(["é"], object)]
    everything, last, count = one.run(None, {"words": words, "at": np.int64(-1)})
    assert everything.tolist() == ["a", "bc", "é"] and last.tolist() == ["é"] and count == 2
    with pytest.raises(ValueError, match=r"'words' is a tensor of string, the network wants seq\(tensor\(string\)\)"):
        one.run({"words": words[0], "at": np.int64(0)})
    with pytest.raises(ValueError, match="position 2 is outside of a sequence of 2 elements"):
        one.run({"words": words, "at": np.int64(2)})


def test_string_constants_survive_the_engine(session):
    one = session(parse("""
agraph (string[2] x) => (string[4] y) {
  own = Constant<value_strings = ["left", ""]>()
  list = SequenceConstruct(x, own)
  y = ConcatFromSequence<axis=0>(list)
}"""))
    assert one.run({"x": np.array(["p", "q"], object)})["y"].tolist() == ["p", "q", "left", ""]


def test_command_line_takes_strings_and_writes_sequences(request, tmp_path):
    program = request.getfixturevalue("tamis")
    onnx.save(parse("""
agraph (string[N,2] x) => (seq(string[M]) rows) {
  rows = SplitToSequence<axis=0, keepdims=0>(x)
}"""), tmp_path / "model.onnx")
    (tmp_path / "x.txt").write_text("a\nb\nc\n\n")
    program("run", tmp_path / "model.onnx", "--input", f"x={tmp_path}/x.txt", "--output-dir", tmp_path / "out")
    assert [(tmp_path / "out" / f"rows.{i}.txt").read_text() for i in range(2)] == ["a\nb\n", "c\n\n"]
    (tmp_path / "x.txt").write_text("a\nb\nc\n")
    error = program("run", tmp_path / "model.onnx", "--input", f"x={tmp_path}/x.txt", fails=True)
    assert "input 'x' wants [-1, 2], the file has 3 lines" in error


def test_computed_bounds(session):
    run = session(parse("""
agraph (float[N] x, int64[1] k) => (float[A] top, float[B] cut, int64[C] range, float[D,E] wide, float[F] tiled,
                                    float[G] padded) {
  top, index = TopK(x, k)
  zero = Constant<value = int64[1] {0}>()
  cut = Slice(x, zero, k)
  start = Constant<value = int64 {0}>()
  step = Constant<value = int64 {1}>()
  limit = Squeeze(k)
  range = Range(start, limit, step)
  n = Shape(x)
  shape = Concat<axis=0>(k, n)
  wide = Expand(x, shape)
  tiled = Tile(x, k)
  pads = Concat<axis=0>(k, zero)
  padded = Pad(x, pads)
}""")).run
    x = np.array([3, 1, 2, -5, 7, 0], np.float32)
    for k in (1, 3, 6, 2, 4, 5, 1):
        top, cut, range_, wide, tiled, padded = run(None, {"x": x, "k": np.array([k])})
        np.testing.assert_array_equal(top, np.sort(x)[::-1][:k])
        np.testing.assert_array_equal(cut, x[:k])
        np.testing.assert_array_equal(range_, np.arange(k))
        np.testing.assert_array_equal(wide, np.broadcast_to(x, (k, 6)))
        np.testing.assert_array_equal(tiled, np.tile(x, k))
        np.testing.assert_array_equal(padded, np.pad(x, (k, 0)))


def test_ctrl_c_ends_a_loop_without_end():
    endless = tamis.Session(parse("""
agraph (float[4] x) => (float[4] y) {
  y = Loop<body = b (int64 i, bool c, float[4] s) => (bool c2, float[4] s2) {
    c2 = Identity(c)
    s2 = Neg(s)
  }>("", "", x)
}""".replace('("", "", x)', "(, , x)")))
    # Shells start background jobs with SIGINT ignored, and Python then leaves it so.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        endless.run({"x": np.zeros(4, np.float32)})
    timer.join()
    assert time.monotonic() - begin < 30


def test_collected_outputs_grow_in_linear_time():
    run = tamis.Session(parse("""
agraph (int64 n) => (int64[K] y) {
  go = Constant<value = bool {1}>()
  y = Loop<body = b (int64 i, bool c) => (bool c2, int64 v) {
    c2 = Identity(c)
    v = Mul(i, i)
  }>(n, go)
}""")).run
    n = 200_000
    np.testing.assert_array_equal(run({"n": np.int64(n)})["y"], np.arange(n) ** 2)


def test_a_branch_that_the_shapes_contradict_need_not_be_possible(session):
    """Voice detectors branch on the sampling rate: the other rate's branch does not fit the samples."""
    run = session(parse("""
    agraph (float[N,M] x, int64 rate) => (float[N,K] y) {
      expected = Constant<value = int64 {16000}>()
      wide = Equal(rate, expected)
      y = If<then_branch = whole () => (float[N,A] a) {
               three = Constant<value = int64[2] {-1, 6}>()
               a = Reshape(x, three)
             }, else_branch = half () => (float[N,B] b) {
               four = Constant<value = int64[2] {-1, 4}>()
               b = Reshape(x, four)
             }>(wide)
    }"""))
    x = np.arange(6, dtype=np.float32).reshape(1, 6)
    np.testing.assert_array_equal(run.run(None, {"x": x, "rate": np.int64(16000)})[0], x)
    with pytest.raises(ValueError, match="Reshape"):
        run.run(None, {"x": x, "rate": np.int64(8000)})
    eight = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_array_equal(run.run(None, {"x": eight, "rate": np.int64(8000)})[0], eight)


@pytest.mark.parametrize("compare, bound, found_first", [("Greater", 0, True), ("GreaterOrEqual", 1, True), ("Equal", 0, False),
                                                         ("Less", 1, False), ("LessOrEqual", 0, False)])
@pytest.mark.parametrize("declared", ["", "<float[found] hits>"])
def test_what_data_selects_may_be_nothing(session, compare, bound, found_first, declared):
    """Detectors branch on whether there is anything left, whatever the file calls the number of what is left."""
    some = "some () => (float a) { a = ReduceMax<keepdims = 0>(hits) }"
    none = "none () => (float b) { b = Constant<value = float {-7}>() }"
    then, otherwise = (some, none) if found_first else (none, some)
    run = session(parse(f"""
    agraph (float[n] x) => (float y) {declared} {{
      places = NonZero(x)
      axis = Constant<value = int64[1] {{0}}>()
      flat = Squeeze(places, axis)
      hits = Gather(x, flat)
      count = Size(hits)
      bound = Constant<value = int64 {{{bound}}}>()
      any = {compare}(count, bound)
      y = If<then_branch = {then}, else_branch = {otherwise}>(any)
    }}"""))
    assert run.run(None, {"x": np.array([0, 3, 5], np.float32)})[0] == 5
    assert run.run(None, {"x": np.zeros(3, np.float32)})[0] == -7


def test_a_size_that_data_decides_is_called_as_the_file_calls_it(session):
    run = session(parse("agraph (float[n] x) => (int64[1,found] y) { y = NonZero(x) }"))
    assert run.get_outputs()[0].shape == [1, "found"]


@pytest.mark.parametrize("past", [2, 0])
def test_a_cache_may_be_empty(session, past):
    """Decoders branch on whether there is a past."""
    run = session(parse("""
    agraph (float[b,p,4] past, float[b,n,4] step) => (float[b,n,4] y, float[b,t,4] all) {
      all = Concat<axis = 1>(past, step)
      sizes = Shape(past)
      one = Constant<value = int64 {1}>()
      size = Gather(sizes, one)
      zero = Constant<value = int64 {0}>()
      first = Equal(size, zero)
      y = If<then_branch = start () => (float[b,n,4] a) { a = Identity(step) },
             else_branch = go_on () => (float[b,n,4] c) { c = Neg(step) }>(first)
    }"""))
    step = np.full((2, 3, 4), 3, np.float32)
    y, everything = run.run(None, {"past": np.ones((2, past, 4), np.float32), "step": step})
    np.testing.assert_array_equal(y, -step if past else step)
    assert everything.shape == (2, past + 3, 4)

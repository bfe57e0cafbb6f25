"""Operators of ai.onnx.ml against onnxruntime, in every form that exporters write."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import tamis as package

RANDOM = np.random.default_rng(8)
X = (RANDOM.integers(-8, 9, (41, 5)) / 4).astype(np.float32)  # values that thresholds meet
TYPES = {np.float32: TensorProto.FLOAT, np.float64: TensorProto.DOUBLE, np.int64: TensorProto.INT64,
         np.int32: TensorProto.INT32, np.str_: TensorProto.STRING}  # fmt: skip


def model(op, inputs, outputs, version=1, opset=17, **attributes):
    def declared(name, x):
        shape = [f"rows{len(x)}", *x.shape[1:]] if x.ndim > 1 else x.shape
        return helper.make_tensor_value_info(name, TYPES[x.dtype.type], shape)

    graph = helper.make_graph(
        [helper.make_node(op, list(inputs), [f"y{i}" for i in range(outputs)], domain="ai.onnx.ml", **attributes)], "one",
        [declared(name, x) for name, x in inputs.items()],
        [helper.make_empty_tensor_value_info(f"y{i}") for i in range(outputs)])  # fmt: skip
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", version)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def check(op, x, outputs=1, tolerance=1e-5, **attributes):
    inputs = {f"x{i}": a for i, a in enumerate(x if isinstance(x, tuple) else (x,))}
    network = model(op, inputs, outputs, **attributes)
    session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, inputs)
    actual = package.Session(network, threads=2).run(None, inputs)
    for wanted, got in zip(expected, map(np.asarray, actual), strict=True):
        assert wanted.shape == got.shape
        if wanted.dtype.kind == "f":
            assert wanted.dtype == got.dtype
            scale = np.abs(wanted[np.isfinite(wanted)]).max(initial=1)
            np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * scale)
        else:
            np.testing.assert_array_equal(wanted, got)


def trees(prefix, targets, negative=True, count=6, depth=3, modes=("BRANCH_LEQ",), only=None, missing=False):
    """Whole trees; every leaf has a weight for each target, or for the one that `only` says."""
    lists = {name: [] for name in ("nodeids", "treeids", "featureids", "modes", "values", "truenodeids", "falsenodeids",
                                   "missing_value_tracks_true")}  # fmt: skip
    weights = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    inner = 2**depth - 1
    for tree in range(count):
        for node in range(2 * inner + 1):
            leaf = node >= inner
            row = (node, tree, int(RANDOM.integers(0, 5)), "LEAF" if leaf else str(RANDOM.choice(modes)),
                   float(RANDOM.integers(-4, 5) / 4), 0 if leaf else 2 * node + 1, 0 if leaf else 2 * node + 2,
                   int(missing and RANDOM.integers(0, 2)))  # fmt: skip
            for name, value in zip(lists, row):
                lists[name].append(value)
            for target in range(targets) if leaf and only is None else [only] if leaf else []:
                weight = float(RANDOM.random() / count - (0.5 / count if negative else 0))
                for name, value in zip(weights, (tree, node, target, weight)):
                    weights[name].append(value)
    return {f"nodes_{k}": v for k, v in lists.items()} | {f"{prefix}_{k}": v for k, v in weights.items()}


POST = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO")


@pytest.mark.parametrize("sums", ("SUM", "AVERAGE", "MIN", "MAX"))
@pytest.mark.parametrize("targets", (1, 3))
def test_tree_regressor(sums, targets):
    attributes = trees("target", targets)
    check("TreeEnsembleRegressor", X, n_targets=targets, aggregate_function=sums, **attributes)
    base = [0.5, -0.25, 2.0][:targets]
    check("TreeEnsembleRegressor", X, n_targets=targets, aggregate_function=sums, base_values=base, **attributes)


def test_tree_modes_and_missing_values():
    x = X.copy()
    x[::3, ::2] = np.nan
    for mode in ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ"):
        for missing in (False, True):
            attributes = trees("target", 1, modes=("BRANCH_" + mode,), missing=missing)
            check("TreeEnsembleRegressor", x, n_targets=1, **attributes)
    check("TreeEnsembleRegressor", x, n_targets=1, **trees("target", 1, modes=("BRANCH_LEQ", "BRANCH_GT", "BRANCH_EQ")))


def test_tree_types_of_rows():
    for dtype in (np.float64, np.int32, np.int64):
        check("TreeEnsembleClassifier", X.astype(dtype), 2, classlabels_int64s=[4, 5, 6], **trees("class", 3))


@pytest.mark.parametrize("post", POST)
@pytest.mark.parametrize("labels", ({"classlabels_int64s": [7, 5, 9]}, {"classlabels_strings": ["b", "a", "c"]}))
def test_tree_classifier(post, labels):
    check("TreeEnsembleClassifier", X, 2, post_transform=post, **labels, **trees("class", 3))
    check("TreeEnsembleClassifier", X, 2, post_transform=post, base_values=[0.5, 0.0, -0.5], **labels, **trees("class", 3))


@pytest.mark.parametrize("post", POST)
@pytest.mark.parametrize("negative", (False, True))
@pytest.mark.parametrize("only", (0, 1))
def test_tree_classifier_of_two_labels(post, negative, only):
    attributes = trees("class", 2, negative, only=only)
    check("TreeEnsembleClassifier", X, 2, post_transform=post, classlabels_int64s=[4, 3], **attributes)
    if only == 0:
        check("TreeEnsembleClassifier", X, 2, post_transform=post, classlabels_strings=["no", "yes"], base_values=[0.125],
              **attributes)  # fmt: skip


def test_tree_classifier_whose_leaves_speak_of_both_labels_gives_labels():
    network = model("TreeEnsembleClassifier", {"x0": X}, 2, classlabels_int64s=[4, 3], **trees("class", 2))
    labels, scores = package.Session(network).run(None, {"x0": X})
    np.testing.assert_array_equal(labels, np.array([4, 3])[np.asarray(scores).argmax(1)])


def test_forests_of_many_rows_and_one_row():
    attributes = trees("target", 2, count=40, depth=5)
    for rows in (1, 3, 1000):
        x = RANDOM.standard_normal((rows, 5)).astype(np.float32)
        check("TreeEnsembleRegressor", x, n_targets=2, **attributes)


def test_tree_nodes_below_themselves_are_refused():
    attributes = trees("target", 1, count=1)
    attributes["nodes_truenodeids"][1] = 0
    attributes["nodes_featureids"][0] = 9
    with pytest.raises(ValueError, match="below itself"):
        package.Session(model("TreeEnsembleRegressor", {"x0": X}, 1, n_targets=1, **attributes))
    attributes["nodes_truenodeids"][1:3] = 77, 78
    with pytest.raises(ValueError, match="node 77 of tree 0, which is not there.*node 78 of tree 0"):
        package.Session(model("TreeEnsembleRegressor", {"x0": X}, 1, n_targets=1, **attributes))


@pytest.mark.parametrize("post", POST)
@pytest.mark.parametrize("scores", (1, 2, 3))
def test_linear_classifier(post, scores):
    coefficients = RANDOM.standard_normal(5 * scores).tolist()
    intercepts = RANDOM.standard_normal(scores).tolist()
    for labels in ({"classlabels_ints": [5, 3, 4][: max(scores, 2)]}, {"classlabels_strings": ["x", "y", "z"][: max(scores, 2)]}):
        check("LinearClassifier", X, 2, post_transform=post, coefficients=coefficients, intercepts=intercepts, **labels)


@pytest.mark.parametrize("post", POST)
def test_linear_regressor(post):
    check("LinearRegressor", X, post_transform=post, targets=2, intercepts=[0.5, -1.0],
          coefficients=RANDOM.standard_normal(10).tolist())  # fmt: skip
    check("LinearRegressor", X, targets=2, coefficients=RANDOM.standard_normal(10).tolist())


KERNELS = {"LINEAR": [0.0, 0.0, 0.0], "POLY": [0.25, 0.5, 3.0], "RBF": [0.5, 0.0, 0.0], "SIGMOID": [0.1, 0.25, 0.0]}


@pytest.mark.parametrize("kernel", KERNELS)
def test_svm_regressor(kernel):
    attributes = {"kernel_type": kernel, "kernel_params": KERNELS[kernel], "n_supports": 9, "rho": [0.25],
                  "support_vectors": RANDOM.standard_normal(45).tolist(),
                  "coefficients": RANDOM.standard_normal(9).tolist()}  # fmt: skip
    check("SVMRegressor", X, **attributes)
    check("SVMRegressor", X, one_class=1, **attributes)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("classes", (2, 4))
@pytest.mark.parametrize("probable", (False, True))
def test_svm_classifier(kernel, classes, probable):
    pairs = classes * (classes - 1) // 2
    attributes = {"kernel_type": kernel, "kernel_params": KERNELS[kernel], "vectors_per_class": [3, 2, 1, 3][:classes]}
    vectors = sum(attributes["vectors_per_class"])
    attributes |= {"support_vectors": RANDOM.standard_normal(5 * vectors).tolist(), "rho": RANDOM.standard_normal(pairs).tolist(),
                   "coefficients": RANDOM.standard_normal((classes - 1) * vectors).tolist()}  # fmt: skip
    if probable:
        attributes |= {"prob_a": (-1 - RANDOM.random(pairs)).tolist(), "prob_b": RANDOM.standard_normal(pairs).tolist()}
    for post in POST:
        check("SVMClassifier", X, 2, post_transform=post, classlabels_ints=[4, 2, 8, 6][:classes], **attributes)
    check("SVMClassifier", X.astype(np.float64), 2, classlabels_strings=["d", "b", "h", "f"][:classes], **attributes)


def test_features():
    check("Scaler", X, offset=[0.5] * 5, scale=[1.0, 2.0, 3.0, 4.0, 5.0])
    check("Scaler", X.astype(np.int64), offset=[0.5], scale=[0.25])
    for norm in ("MAX", "L1", "L2"):
        for dtype in (np.float32, np.int64):
            check("Normalizer", np.vstack([X, np.zeros((1, 5), np.float32)]).astype(dtype), norm=norm)
    check("Binarizer", X, threshold=0.25)
    check("FeatureVectorizer", (X, X[:, :2]), inputdimensions=[5, 2])
    x = X.copy()
    x[::2, 1] = np.nan
    check("Imputer", x, imputed_value_floats=[1.0, 2.0, 3.0, 4.0, 5.0], replaced_value_float=float("nan"))
    check("Imputer", X, imputed_value_floats=[9.0], replaced_value_float=0.25)
    check("Imputer", X.astype(np.int64), imputed_value_int64s=[9], replaced_value_int64=0)


@pytest.mark.parametrize("x", (X, X[0], RANDOM.integers(0, 9, (4, 5)), np.array([list("abcde")])))
def test_array_feature_extractor(x):
    check("ArrayFeatureExtractor", (x, np.array([[4, 0, 4]], np.int64)))


@pytest.mark.parametrize("dtype", (np.int64, np.float32, np.float64))
def test_one_hot_of_numbers(dtype):
    check("OneHotEncoder", np.abs(X).astype(dtype), cats_int64s=[2, 0, 1])


def test_one_hot_of_strings():
    check("OneHotEncoder", np.array([["a"], ["?"], ["b"]]), cats_strings=["b", "a"])
    network = model("OneHotEncoder", {"x0": np.array(["a", "?"])}, 1, cats_strings=["b", "a"], zeros=0)
    with pytest.raises(Exception, match="none of the 2 categories"):
        package.Session(network).run(None, {"x0": np.array(["a", "?"])})


LABELS = {"strings": ["a", "b", "c"], "int64s": [3, 1, 2], "floats": [0.5, 1.5, float("nan")]}
OPERANDS = {"strings": np.array([["b", "?"], ["c", "a"]]), "int64s": np.array([2, 3, 9, 1]),
            "floats": np.array([1.5, np.nan, 7, 0.5], np.float32)}  # fmt: skip


@pytest.mark.parametrize("keys", LABELS)
@pytest.mark.parametrize("values", LABELS)
def test_label_encoder(keys, values):
    check("LabelEncoder", OPERANDS[keys], version=4, **{f"keys_{keys}": LABELS[keys], f"values_{values}": LABELS[values]})


def test_label_encoder_of_tensors():
    for values in (np.array([4, 5, 6], np.int16), np.array([4, 5, 6], np.float64), np.array(["x", "y", "z"], object)):
        default = np.array(["?"], object) if values.dtype == object else np.array([9], values.dtype)
        network = model("LabelEncoder", {"x0": OPERANDS["int64s"]}, 1, version=4,
                        keys_tensor=numpy_helper.from_array(np.array([3, 1, 2]), "k"),
                        values_tensor=numpy_helper.from_array(values, "v"), default_tensor=numpy_helper.from_array(default, "d"))  # fmt: skip
        found = package.Session(network).run(None, {"x0": OPERANDS["int64s"]})[0]
        np.testing.assert_array_equal(found, [values[2], values[0], default[0], values[1]])


def test_older_forms_of_label_maps():
    check("LabelEncoder", OPERANDS["strings"], classes_strings=["a", "b"])
    check("LabelEncoder", OPERANDS["int64s"], classes_strings=["p", "q", "r", "s"], default_string="none")
    check("CategoryMapper", OPERANDS["strings"], cats_strings=["a", "b"], cats_int64s=[10, 20])
    check("CategoryMapper", OPERANDS["int64s"], cats_strings=["a", "b"], cats_int64s=[2, 9], default_string="no")


def test_maps_are_refused_with_what_to_do():
    network = model("ZipMap", {"x0": X}, 1, classlabels_int64s=[0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match="'zipmap': False"):
        package.Session(network)


def test_models_that_import_no_other_domain():
    network = model("Scaler", {"x0": X}, 1, scale=[2.0])
    del network.opset_import[0]
    np.testing.assert_array_equal(package.Session(network).run(None, {"x0": X})[0], 2 * X)

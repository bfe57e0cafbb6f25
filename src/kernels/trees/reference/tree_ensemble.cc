// Sums of decision trees: rows in tiles whose sums stay in the cache, tree by tree (src/ops/ml/op_forest.h).
#include "src/kernels/attribute_hash.h"
#include "src/kernels/elementwise/typed.h"
#include "src/kernels/get_packed.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"
#include "src/ops/ml/op_ml.h"
#include "src/ops/ml/op_trees.h"

namespace tamis {
namespace {

template <class T>
class PackedForest : public PackedWeight {
 public:
  explicit PackedForest(const TreeEnsemble& ensemble) : forest_(ensemble) {}
  size_t Bytes() const override { return forest_.Bytes(); }
  const Forest<T>& forest() const { return forest_; }

 private:
  Forest<T> forest_;
};

template <class T>
struct Args {
  std::shared_ptr<const PackedForest<T>> packed;
  int64_t columns = 0, tile = 0;
  DType x = DType::kUndefined;
};

// Rows whose sums take about as much as the first cache holds beside the upper levels of a tree.
constexpr int64_t kTileSums = 2048;
constexpr int64_t kMostTileRows = 128;

// Out is what results are; integers are compared as doubles.
template <class T, class Out>
void Rows(const Args<T>& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* scratch) {
  const Forest<T>& forest = args.packed->forest();
  auto* sums = reinterpret_cast<double*>(scratch);
  auto* wide = reinterpret_cast<T*>(sums + forest.ScratchDoubles(args.tile));
  for (int64_t row = begin; row < end; row += args.tile) {
    const int64_t rows = std::min(args.tile, end - row), first = row * args.columns;
    const T* x = wide;
    WithNumber(args.x, [&]<class X>(X) {
      const X* from = static_cast<const X*>(inputs[0]) + first;
      if constexpr (std::is_same_v<X, T>) {
        x = from;
      } else {
        for (int64_t i = 0; i < rows * args.columns; ++i) wide[i] = static_cast<T>(from[i]);
      }
    });
    forest.Sum(x, rows, args.columns, sums, static_cast<Out*>(outputs[0]) + row * forest.targets());
  }
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kMlDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const DType x = problem.input(0).dtype, y = problem.outputs[0].dtype;
  if (!WithNumber(x, [](auto) {})) return UserError("input 0 is {}; numbers are supported", Name(x));
  if (y != DType::kFloat32 && (y != DType::kFloat64 || x != y)) return UserError("sums of {} are {}", Name(x), Name(y));
  return {};
}

template <class T, class Out>
Result<std::unique_ptr<PreparedKernel>> PrepareIn(const Problem& problem, PackCache& cache) {
  const auto make = [&]() -> Result<std::shared_ptr<const PackedForest<T>>> {
    TAMIS_ASSIGN_OR_RETURN(const TreeEnsemble trees, TreeReaderOf (*problem.node)(*problem.node));
    return std::make_shared<const PackedForest<T>>(trees);
  };
  const std::string packing = fmt::format("trees/{}", sizeof(T));
  TAMIS_ASSIGN_OR_RETURN(auto packed, GetPacked<PackedForest<T>>(cache, HashAttributes(*problem.node), packing, make));
  const Operand& x = problem.input(0);
  const Forest<T>& forest = packed->forest();
  Args<T> args{packed, x.dims.back(), std::clamp<int64_t>(kTileSums / forest.targets(), 8, kMostTileRows), x.dtype};
  const bool same = sizeof(T) == ByteSize(x.dtype, 1) && IsFloat(x.dtype);
  const size_t scratch = forest.ScratchDoubles(args.tile) * sizeof(double) +
                         (same ? 0 : static_cast<size_t>(args.tile * args.columns) * sizeof(T));
  constexpr int64_t kStepsWorthAThread = 8192;
  const int64_t grain = GrainFor(static_cast<int64_t>(forest.WorkPerRow()), kStepsWorthAThread);
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<Args<T>>>(
      std::move(args), Rows<T, Out>, problem.outputs[0].dims[0], grain, problem.threads, scratch));
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache& cache) {
  if (problem.input(0).dtype == DType::kFloat32) return PrepareIn<float, float>(problem, cache);
  if (problem.outputs[0].dtype == DType::kFloat64) return PrepareIn<double, double>(problem, cache);
  return PrepareIn<double, float>(problem, cache);
}

double Cost(const Problem& problem) {
  const double nodes = static_cast<double>(problem.node->Ints("nodes_featureids").size());
  return PredictSeconds(problem, Isa::kX86_64, 16.0 * nodes + static_cast<double>(Elements(problem.outputs[0])));
}

}  // namespace

extern const KernelDef kernel_tree_ensemble = {
    .name = "tree_ensemble",
    .family = "trees",
    .ops = {"TreeEnsemble", "TreeEnsembleRegressor"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
};

}  // namespace tamis

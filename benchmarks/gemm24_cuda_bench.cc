// Times the 2:4 products of NVIDIA GPUs against the best dense product that cuBLASLt finds.
//
//   tamis_gemm24_cuda_bench [--json FILE] [--bf16] [--gelu] [--verbose] [SHAPE...]
//
// SHAPE is outputs,rows,depth, or conv:batch,height,width,channels,outputs,kernel,stride,padding. Of convolutions both
// sides are ours: benchmarks/conv_cudnn.py times cuDNN's best in the same way. With --gelu, products of both sides add
// a bias and apply GELU (tanh form) in their epilogues.
//
// Both sides run as CUDA graphs of many products in a row whose weights rotate among copies of more than twice the
// level-2 cache, so that they come from device memory; activations stay where they are. Every algorithm that cuBLASLt's
// heuristic names and every tactic of ours is timed; then the best of each is timed again, taking turns, and the median
// is reported. "overlap" launches ours by programmatic dependent launch. Answers are compared once for each shape.
#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/base/float16.h"
#include "src/kernels/gemm/cuda/gemm24_launch.h"
#include "src/kernels/gemm/dense_tiles.h"
#include "src/kernels/gemm/sparse_tiles.h"

namespace tamis::cuda {
namespace {

#define CHECK_CUDA(call)                                                                             \
  do {                                                                                               \
    const cudaError_t error = (call);                                                                \
    if (error != cudaSuccess) {                                                                      \
      std::fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, cudaGetErrorString(error)); \
      std::exit(1);                                                                                  \
    }                                                                                                \
  } while (false)

#define CHECK_CUBLAS(call)                                                                                        \
  do {                                                                                                            \
    const cublasStatus_t status = (call);                                                                         \
    if (status != CUBLAS_STATUS_SUCCESS) {                                                                        \
      std::fprintf(stderr, "%s:%d: %s: cuBLAS status %d\n", __FILE__, __LINE__, #call, static_cast<int>(status)); \
      std::exit(1);                                                                                               \
    }                                                                                                             \
  } while (false)

struct Shape {
  int64_t outputs, rows, depth;
};

// The shapes of the networks that the project is measured by, and of a decoder.
const std::vector<Shape> kShapes = {{2304, 128, 768},   {768, 128, 768},    {3072, 128, 768},   {768, 128, 3072},
                                    {3072, 1024, 768},  {2304, 4096, 768},  {3072, 4096, 768},  {768, 4096, 3072},
                                    {768, 4096, 768},   {4096, 4096, 1024}, {1024, 4096, 4096}, {1024, 4096, 1024},
                                    {3072, 4096, 1024}, {4096, 2048, 4096}, {8192, 8192, 8192}, {256, 6272, 1024},
                                    {2048, 1568, 512},  {512, 25088, 128},  {4096, 1, 4096},    {4096, 4, 4096},
                                    {4096, 8, 4096},    {4096, 16, 4096},   {4096, 32, 4096},   {11008, 1, 4096},
                                    {11008, 4, 4096},   {11008, 8, 4096},   {11008, 16, 4096},  {11008, 32, 4096}};

constexpr size_t kColdBytes = 160u << 20;
constexpr int kTurns = 9;

// A recorded series of products.
class Series {
 public:
  Series(cudaStream_t stream, int launches, const std::function<bool(int)>& launch)
      : stream_(stream), launches_(launches) {
    CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    bool launched = true;
    for (int i = 0; launched && i < launches; ++i) launched = launch(i);
    cudaGraph_t graph = nullptr;
    const cudaError_t ended = cudaStreamEndCapture(stream, &graph);
    if (launched && ended == cudaSuccess) CHECK_CUDA(cudaGraphInstantiate(&graph_, graph, 0));
    if (graph != nullptr) cudaGraphDestroy(graph);
    cudaGetLastError();
    CHECK_CUDA(cudaEventCreate(&begin_));
    CHECK_CUDA(cudaEventCreate(&end_));
  }
  ~Series() {
    if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  Series(const Series&) = delete;
  Series& operator=(const Series&) = delete;
  bool valid() const { return graph_ != nullptr; }
  // Microseconds a product.
  double Time() {
    CHECK_CUDA(cudaEventRecord(begin_, stream_));
    CHECK_CUDA(cudaGraphLaunch(graph_, stream_));
    CHECK_CUDA(cudaEventRecord(end_, stream_));
    CHECK_CUDA(cudaEventSynchronize(end_));
    float milliseconds = 0;
    CHECK_CUDA(cudaEventElapsedTime(&milliseconds, begin_, end_));
    return 1e3 * milliseconds / launches_;
  }
  double Best(int times) {
    Time();
    double best = Time();
    for (int i = 1; i < times; ++i) best = std::min(best, Time());
    return best;
  }

 private:
  cudaStream_t stream_;
  int launches_;
  cudaGraphExec_t graph_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

struct Entry {
  Shape shape = {};
  double dense = 0, sparse = 0, overlapped = 0, difference = 0;
  std::string sparse_name, overlapped_name;
};

// Of one packing of a convolution's weight.
struct ConvSide {
  double plain = 0, overlapped = 0;
  std::string plain_name, overlapped_name;
};

struct ConvEntry {
  ImageSource image;
  int outputs = 0;
  ConvSide sparse, dense;
};

struct Candidate {
  bool wgmma;
  Gemm24Tactic tactic;
  bool overlap;
  double microseconds;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

class Bench {
 public:
  Bench(bool bf16, bool gelu) : bf16_(bf16), gelu_(gelu) {
    CHECK_CUDA(cudaStreamCreate(&stream_));
    CHECK_CUBLAS(cublasLtCreate(&lt_));
    CHECK_CUDA(cudaMalloc(&workspace_, kWorkspace));
    cudaDeviceProp properties;
    CHECK_CUDA(cudaGetDeviceProperties(&properties, 0));
    multiprocessors_ = properties.multiProcessorCount;
    hopper_ = properties.major == 9;
    std::printf("%s, %d multiprocessors, cuBLASLt %zu, %s\n", properties.name, multiprocessors_, cublasLtGetVersion(),
                bf16 ? "bf16" : "f16");
  }

  Entry Run(const Shape& shape, bool verbose) {
    const size_t elements = static_cast<size_t>(shape.outputs * shape.depth);
    const std::vector<uint16_t> values = RandomValues(1 << 16);
    const Tensor weight = RandomWeight({shape.outputs, shape.depth}, values);
    const size_t packed_bytes = SparseTilesBytes(shape.outputs, 1, shape.depth);
    std::vector<std::byte> packed(packed_bytes);
    const int dense_copies = Copies(elements * 2), sparse_copies = Copies(packed_bytes);
    void* dense = Rotating(weight.raw(), elements * 2, dense_copies);
    void* tiles[2];
    for (const auto order : {SparseTileOrder::kWarpgroup, SparseTileOrder::kWarp}) {
      if (!PackSparseTiles(weight, weight.dtype(), order, packed.data()).ok()) std::exit(1);
      tiles[static_cast<int>(order)] = Rotating(packed.data(), packed_bytes, sparse_copies);
    }
    std::vector<uint16_t> x_host(static_cast<size_t>(shape.rows * shape.depth));
    for (uint16_t& v : x_host) v = values[Random() >> 13 & 0xffff];
    void* x = Rotating(x_host.data(), x_host.size() * 2, 1);
    const size_t y_bytes = static_cast<size_t>(shape.rows * shape.outputs) * 2;
    void *y = nullptr, *y_dense = nullptr;
    CHECK_CUDA(cudaMalloc(&y, y_bytes));
    CHECK_CUDA(cudaMalloc(&y_dense, y_bytes));

    std::vector<float> bias_host(static_cast<size_t>(shape.outputs), 0.25f);
    void* bias = Rotating(bias_host.data(), bias_host.size() * 4, 1);
    std::vector<uint16_t> short_bias_host(bias_host.size(), bf16_ ? FloatToBf16(0.25f) : FloatToHalf(0.25f));
    void* short_bias = Rotating(short_bias_host.data(), short_bias_host.size() * 2, 1);

    // Dense: all that the heuristic names.
    Dense product(*this, shape, short_bias);
    int best_algorithm = -1;
    double best_dense = 1e30;
    const auto dense_series = [&](int algorithm) {
      return std::make_unique<Series>(stream_, Launches(shape, dense_copies), [&, algorithm](int i) {
        const char* w = static_cast<const char*>(dense) + static_cast<size_t>(i % dense_copies) * elements * 2;
        return product.Launch(algorithm, w, x, y_dense);
      });
    };
    for (int a = 0; a < product.algorithms(); ++a) {
      auto series = dense_series(a);
      if (!series->valid()) continue;
      const double time = series->Best(2);
      if (time < best_dense) best_dense = time, best_algorithm = a;
    }
    // 2:4: all tactics.
    Gemm24Problem problem{
        shape.rows, shape.outputs, shape.depth, bf16_, {gelu_ ? Activation::kGeluTanh : Activation::kNone}, {}};
    std::vector<Candidate> candidates;
    for (const bool overlap : {false, true}) {
      if (hopper_) {
        for (const Gemm24Tactic& t : Gemm24WgmmaTactics(problem, multiprocessors_)) {
          candidates.push_back({true, t, overlap, 1e30});
        }
        for (const Gemm24Tactic& t : Gemm24MmaTactics(problem, multiprocessors_)) {
          candidates.push_back({false, t, overlap, 1e30});
        }
      } else if (!overlap) {
        for (const Gemm24Tactic& t : Gemm24MmaTactics(problem, multiprocessors_)) {
          candidates.push_back({false, t, overlap, 1e30});
        }
      }
    }
    const auto sparse_series = [&](const Candidate& c) {
      CHECK_CUDA((c.wgmma ? AllowGemm24Wgmma : AllowGemm24Mma)(problem, c.tactic));
      return std::make_unique<Series>(stream_, Launches(shape, sparse_copies), [&, c](int i) {
        const char* w =
            static_cast<const char*>(tiles[c.wgmma ? 0 : 1]) + static_cast<size_t>(i % sparse_copies) * packed_bytes;
        const Gemm24Operands operands{x, w, gelu_ ? static_cast<const float*>(bias) : nullptr, nullptr, y};
        return (c.wgmma ? Gemm24Wgmma : Gemm24Mma)(problem, c.tactic, operands, c.overlap, stream_) == cudaSuccess;
      });
    };
    for (Candidate& c : candidates) {
      auto series = sparse_series(c);
      if (!series->valid()) {
        std::printf("  %s did not launch\n", NameOf(c).c_str());
        continue;
      }
      c.microseconds = series->Best(2);
      if (verbose) std::printf("  %-34s %8.2f us\n", NameOf(c).c_str(), c.microseconds);
    }
    Entry entry;
    entry.shape = shape;
    std::unique_ptr<Series> runs[3];
    runs[0] = dense_series(best_algorithm);
    for (const bool overlap : {false, true}) {
      const Candidate* best = nullptr;
      for (const Candidate& c : candidates) {
        if (c.overlap == overlap && (best == nullptr || c.microseconds < best->microseconds)) best = &c;
      }
      if (best == nullptr) continue;
      runs[overlap ? 2 : 1] = sparse_series(*best);
      (overlap ? entry.overlapped_name : entry.sparse_name) = NameOf(*best);
    }
    std::vector<double> times[3];
    for (int turn = 0; turn < kTurns + 1; ++turn) {
      for (int side = 0; side < 3; ++side) {
        if (runs[side] == nullptr || !runs[side]->valid()) continue;
        const double time = runs[side]->Time();
        if (turn > 0) times[side].push_back(time);
      }
    }
    entry.dense = Median(times[0]);
    entry.sparse = times[1].empty() ? NAN : Median(times[1]);
    entry.overlapped = times[2].empty() ? NAN : Median(times[2]);
    entry.difference = Compare(y, y_dense, y_bytes / 2);
    for (auto& run : runs) run.reset();
    CHECK_CUDA(cudaDeviceSynchronize());
    for (void* pointer : {dense, tiles[0], tiles[1], x, y, y_dense, bias, short_bias}) CHECK_CUDA(cudaFree(pointer));
    return entry;
  }

  ConvEntry RunConv(const ImageSource& image, int outputs, bool verbose) {
    const int64_t taps = int64_t{image.kernel_h} * image.kernel_w;
    const std::vector<uint16_t> values = RandomValues(1 << 16);
    const Tensor weight = RandomWeight({outputs, taps, image.channels}, values);
    std::vector<uint16_t> x_host(static_cast<size_t>(image.batch) * image.in_h * image.in_w * image.channels);
    for (uint16_t& v : x_host) v = values[Random() >> 13 & 0xffff];
    void* x = Rotating(x_host.data(), x_host.size() * 2, 1);
    const int64_t rows = int64_t{image.batch} * image.out_h * image.out_w;
    void* y = nullptr;
    CHECK_CUDA(cudaMalloc(&y, static_cast<size_t>(rows * outputs) * 2));
    const bool pointwise = taps == 1 && image.stride_h == 1 && image.pad_h == 0;
    Gemm24Problem problem{rows, outputs, image.channels, bf16_, {}, pointwise ? ImageSource{} : image};
    ConvEntry entry;
    entry.image = image;
    entry.outputs = outputs;
    std::vector<std::byte> packed(SparseTilesBytes(outputs, taps, image.channels));
    if (!PackSparseTiles(weight, weight.dtype(), SparseTileOrder::kWarpgroup, packed.data()).ok()) std::exit(1);
    entry.sparse = TimeConv(problem, packed, x, y, verbose);
    if (!bf16_) {
      problem.dense = true;
      packed.resize(DenseTilesBytes(outputs, taps, image.channels));
      PackDenseTiles(weight.Data<uint16_t>(), outputs, taps, image.channels, packed.data());
      entry.dense = TimeConv(problem, packed, x, y, verbose);
    }
    for (void* pointer : {x, y}) CHECK_CUDA(cudaFree(pointer));
    return entry;
  }

 private:
  static constexpr size_t kWorkspace = 64u << 20;

  // The best tactic's time with and without overlap.
  ConvSide TimeConv(const Gemm24Problem& problem, const std::vector<std::byte>& packed, const void* x, void* y,
                    bool verbose) {
    const int copies = Copies(packed.size());
    void* tiles = Rotating(packed.data(), packed.size(), copies);
    ConvSide side;
    for (const bool overlap : {false, true}) {
      double best = 1e30;
      std::unique_ptr<Series> best_series;
      std::string best_name;
      for (const Gemm24Tactic& tactic : Gemm24WgmmaTactics(problem, multiprocessors_)) {
        CHECK_CUDA(AllowGemm24Wgmma(problem, tactic));
        const Shape as_product{problem.outputs, problem.rows, problem.depth * problem.Runs()};
        auto series = std::make_unique<Series>(stream_, Launches(as_product, copies), [&](int i) {
          const char* w = static_cast<const char*>(tiles) + static_cast<size_t>(i % copies) * packed.size();
          return Gemm24Wgmma(problem, tactic, {x, w, nullptr, nullptr, y}, overlap, stream_) == cudaSuccess;
        });
        if (!series->valid()) continue;
        const double time = series->Best(2);
        const std::string name =
            (problem.dense ? "dense " : "") + Gemm24WgmmaName(problem, tactic) + (overlap ? " overlap" : "");
        if (verbose) std::printf("  %-34s %8.2f us\n", name.c_str(), time);
        if (time < best) best = time, best_series = std::move(series), best_name = name;
      }
      std::vector<double> times;
      for (int turn = 0; best_series != nullptr && turn < kTurns; ++turn) times.push_back(best_series->Time());
      (overlap ? side.overlapped : side.plain) = times.empty() ? NAN : Median(times);
      (overlap ? side.overlapped_name : side.plain_name) = best_name;
    }
    CHECK_CUDA(cudaDeviceSynchronize());
    CHECK_CUDA(cudaFree(tiles));
    return side;
  }

  class Dense {
   public:
    Dense(Bench& bench, const Shape& shape, const void* bias) : bench_(bench) {
      const cudaDataType_t type = bench.bf16_ ? CUDA_R_16BF : CUDA_R_16F;
      CHECK_CUBLAS(cublasLtMatmulDescCreate(&operation_, CUBLAS_COMPUTE_32F, CUDA_R_32F));
      const cublasOperation_t transposed = CUBLAS_OP_T;
      CHECK_CUBLAS(
          cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof(transposed)));
      if (bench.gelu_) {
        const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_GELU_BIAS;
        CHECK_CUBLAS(
            cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof(epilogue)));
        CHECK_CUBLAS(
            cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof(bias)));
      }
      const auto outputs = static_cast<uint64_t>(shape.outputs), rows = static_cast<uint64_t>(shape.rows),
                 depth = static_cast<uint64_t>(shape.depth);
      CHECK_CUBLAS(cublasLtMatrixLayoutCreate(&a_, type, depth, outputs, shape.depth));
      CHECK_CUBLAS(cublasLtMatrixLayoutCreate(&b_, type, depth, rows, shape.depth));
      CHECK_CUBLAS(cublasLtMatrixLayoutCreate(&d_, type, outputs, rows, shape.outputs));
      cublasLtMatmulPreference_t preference;
      CHECK_CUBLAS(cublasLtMatmulPreferenceCreate(&preference));
      const size_t workspace = kWorkspace;
      CHECK_CUBLAS(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                        &workspace, sizeof(workspace)));
      algorithms_.resize(32);
      int found = 0;
      CHECK_CUBLAS(cublasLtMatmulAlgoGetHeuristic(bench.lt_, operation_, a_, b_, d_, d_, preference,
                                                  static_cast<int>(algorithms_.size()), algorithms_.data(), &found));
      algorithms_.resize(static_cast<size_t>(found));
      cublasLtMatmulPreferenceDestroy(preference);
    }
    ~Dense() {
      cublasLtMatmulDescDestroy(operation_);
      for (auto layout : {a_, b_, d_}) cublasLtMatrixLayoutDestroy(layout);
    }
    Dense(const Dense&) = delete;
    Dense& operator=(const Dense&) = delete;
    int algorithms() const { return static_cast<int>(algorithms_.size()); }
    bool Launch(int algorithm, const void* w, const void* x, void* y) const {
      const float one = 1, zero = 0;
      return cublasLtMatmul(bench_.lt_, operation_, &one, w, a_, x, b_, &zero, y, d_, y, d_,
                            &algorithms_[static_cast<size_t>(algorithm)].algo, bench_.workspace_, kWorkspace,
                            bench_.stream_) == CUBLAS_STATUS_SUCCESS;
    }

   private:
    Bench& bench_;
    cublasLtMatmulDesc_t operation_ = nullptr;
    cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, d_ = nullptr;
    std::vector<cublasLtMatmulHeuristicResult_t> algorithms_;
  };

  static int Copies(size_t bytes) {
    return static_cast<int>(std::clamp<size_t>((kColdBytes + bytes - 1) / bytes, 2, 256));
  }
  // About half a millisecond, every copy at least once.
  static int Launches(const Shape& shape, int copies) {
    const double seconds = std::max(4e-6, 2e-12 * static_cast<double>(shape.outputs * shape.rows * shape.depth) / 500);
    return std::max(copies, static_cast<int>(5e-4 / seconds));
  }
  static std::string NameOf(const Candidate& c) {
    return (c.wgmma ? Gemm24WgmmaName({}, c.tactic) : Gemm24MmaName(c.tactic)) + (c.overlap ? " overlap" : "");
  }
  uint64_t Random() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  // Roughly normal: sums of four uniforms.
  std::vector<uint16_t> RandomValues(size_t count) {
    std::vector<uint16_t> values(count);
    for (uint16_t& v : values) {
      float sum = 0;
      for (int i = 0; i < 4; ++i) sum += static_cast<float>(Random() >> 40) * 0x1p-24f - 0.5f;
      v = bf16_ ? FloatToBf16(sum) : FloatToHalf(sum);
    }
    return values;
  }
  void* Rotating(const void* host, size_t bytes, int copies) {
    void* memory = nullptr;
    CHECK_CUDA(cudaMalloc(&memory, bytes * static_cast<size_t>(copies)));
    char* device = static_cast<char*>(memory);
    CHECK_CUDA(cudaMemcpy(device, host, bytes, cudaMemcpyHostToDevice));
    for (int i = 1; i < copies; ++i) {
      CHECK_CUDA(cudaMemcpy(device + bytes * static_cast<size_t>(i), device, bytes, cudaMemcpyDeviceToDevice));
    }
    return memory;
  }
  Tensor RandomWeight(Dims dims, const std::vector<uint16_t>& values) {
    static constexpr int kPairs[6][2] = {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}};
    Tensor weight(bf16_ ? DType::kBFloat16 : DType::kFloat16, std::move(dims));
    for (int64_t group = 0; group < weight.NumElements() / 4; ++group) {
      const uint64_t random = Random();
      const int* pair = kPairs[random % 6];
      weight.Data<uint16_t>()[group * 4 + pair[0]] = values[random >> 8 & 0xffff];
      weight.Data<uint16_t>()[group * 4 + pair[1]] = values[random >> 24 & 0xffff];
    }
    return weight;
  }
  // |a - b| / |b|
  double Compare(const void* a, const void* b, size_t count) const {
    std::vector<uint16_t> left(count), right(count);
    CHECK_CUDA(cudaMemcpy(left.data(), a, count * 2, cudaMemcpyDeviceToHost));
    CHECK_CUDA(cudaMemcpy(right.data(), b, count * 2, cudaMemcpyDeviceToHost));
    double difference = 0, norm = 0;
    for (size_t i = 0; i < count; i += 1 + count / 1000003) {
      const double l = bf16_ ? Bf16ToFloat(left[i]) : HalfToFloat(left[i]);
      const double r = bf16_ ? Bf16ToFloat(right[i]) : HalfToFloat(right[i]);
      difference += (l - r) * (l - r);
      norm += r * r;
    }
    return std::sqrt(difference / norm);
  }

  bool bf16_, gelu_;
  bool hopper_ = false;
  int multiprocessors_ = 0;
  uint64_t state_ = 0x9e3779b97f4a7c15;
  cudaStream_t stream_ = nullptr;
  cublasLtHandle_t lt_ = nullptr;
  void* workspace_ = nullptr;
};

int WriteJson(const std::string& path, const char* type, const std::vector<Entry>& entries,
              const std::vector<ConvEntry>& convolutions) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) {
    std::fprintf(stderr, "can't write '%s': %s\n", path.c_str(), std::strerror(errno));
    return 2;
  }
  const char* separator = "";
  std::fprintf(file, "[");
  for (const Entry& e : entries) {
    std::fprintf(file,
                 "%s\n  {\"outputs\": %lld, \"rows\": %lld, \"depth\": %lld, \"type\": \"%s\", \"dense_us\": %.3f, "
                 "\"sparse_us\": %.3f, \"overlap_us\": %.3f, \"tactic\": \"%s\", \"overlap_tactic\": \"%s\", "
                 "\"difference\": %.3e}",
                 separator, static_cast<long long>(e.shape.outputs), static_cast<long long>(e.shape.rows),
                 static_cast<long long>(e.shape.depth), type, e.dense, e.sparse, e.overlapped, e.sparse_name.c_str(),
                 e.overlapped_name.c_str(), e.difference);
    separator = ",";
  }
  for (const ConvEntry& e : convolutions) {
    std::fprintf(
        file,
        "%s\n  {\"batch\": %d, \"height\": %d, \"width\": %d, \"channels\": %d, \"outputs\": %d, \"kernel\": %d, "
        "\"stride\": %d, \"padding\": %d, \"type\": \"%s\", \"sparse_us\": %.3f, \"overlap_us\": %.3f, "
        "\"tactic\": \"%s\", \"overlap_tactic\": \"%s\", \"dense_us\": %.3f, \"dense_overlap_us\": %.3f, "
        "\"dense_overlap_tactic\": \"%s\"}",
        separator, e.image.batch, e.image.in_h, e.image.in_w, e.image.channels, e.outputs, e.image.kernel_h,
        e.image.stride_h, e.image.pad_h, type, e.sparse.plain, e.sparse.overlapped, e.sparse.plain_name.c_str(),
        e.sparse.overlapped_name.c_str(), e.dense.plain, e.dense.overlapped, e.dense.overlapped_name.c_str());
    separator = ",";
  }
  std::fprintf(file, "\n]\n");
  return std::fclose(file) == 0 ? 0 : 2;
}

int Main(int argc, char** argv) {
  bool bf16 = false, gelu = false, verbose = false;
  std::string json;
  std::vector<Shape> shapes;
  std::vector<std::pair<ImageSource, int>> convolutions;
  for (int i = 1; i < argc; ++i) {
    Shape shape{};
    if (std::strcmp(argv[i], "--bf16") == 0) {
      bf16 = true;
    } else if (std::strcmp(argv[i], "--gelu") == 0) {
      gelu = true;
    } else if (std::strcmp(argv[i], "--verbose") == 0) {
      verbose = true;
    } else if (std::strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
      json = argv[++i];
    } else if (int v[8]; std::sscanf(argv[i], "conv:%d,%d,%d,%d,%d,%d,%d,%d", v, v + 1, v + 2, v + 3, v + 4, v + 5,
                                     v + 6, v + 7) == 8 &&
                         *std::min_element(v, v + 7) > 0 && v[7] >= 0 && v[3] % 8 == 0 && v[4] % 8 == 0 &&
                         std::min(v[1], v[2]) + 2 * v[7] >= v[5]) {
      ImageSource image;
      image.batch = v[0], image.in_h = v[1], image.in_w = v[2], image.channels = v[3];
      image.kernel_h = image.kernel_w = v[5];
      image.stride_h = image.stride_w = v[6];
      image.pad_h = image.pad_w = v[7];
      image.out_h = (v[1] + 2 * v[7] - v[5]) / v[6] + 1;
      image.out_w = (v[2] + 2 * v[7] - v[5]) / v[6] + 1;
      convolutions.push_back({image, v[4]});
    } else if (long long o = 0, r = 0, k = 0; std::sscanf(argv[i], "%lld,%lld,%lld", &o, &r, &k) == 3 && o > 0 &&
                                              r > 0 && k > 0 && o % 8 == 0 && k % 8 == 0) {
      shape = {o, r, k};
      shapes.push_back(shape);
    } else {
      std::fprintf(stderr,
                   "usage: %s [--json FILE] [--bf16] [--gelu] [--verbose] [outputs,rows,depth ...]\n"
                   "          [conv:batch,height,width,channels,outputs,kernel,stride,padding ...]\n"
                   "outputs, depth and channels are multiples of 8; '%s' is not understood\n",
                   argv[0], argv[i]);
      return 1;
    }
  }
  if (shapes.empty() && convolutions.empty()) shapes = kShapes;
  Bench bench(bf16, gelu);
  std::vector<Entry> entries;
  std::printf(
      "| outputs, rows, depth | dense us | 2:4 us | ratio | overlap us | ratio | best 2:4 | best with overlap | "
      "difference |\n");
  std::printf("|---|---|---|---|---|---|---|---|---|\n");
  for (const Shape& shape : shapes) {
    entries.push_back(bench.Run(shape, verbose));
    const Entry& e = entries.back();
    std::printf("| %lld, %lld, %lld | %.2f | %.2f | %.2f | %.2f | %.2f | %s | %s | %.1e |\n",
                static_cast<long long>(shape.outputs), static_cast<long long>(shape.rows),
                static_cast<long long>(shape.depth), e.dense, e.sparse, e.dense / e.sparse, e.overlapped,
                e.dense / e.overlapped, e.sparse_name.c_str(), e.overlapped_name.c_str(), e.difference);
    std::fflush(stdout);
  }
  std::vector<ConvEntry> conv_entries;
  if (!convolutions.empty()) {
    std::printf(
        "| batch, height, width, channels, outputs, kernel, stride | 2:4 us | overlap us | dense us | overlap us | "
        "best "
        "with overlap |\n");
    std::printf("|---|---|---|---|---|---|\n");
  }
  for (const auto& [image, outputs] : convolutions) {
    conv_entries.push_back(bench.RunConv(image, outputs, verbose));
    const ConvEntry& e = conv_entries.back();
    std::printf("| %d, %d, %d, %d, %d, %d, %d | %.2f | %.2f | %.2f | %.2f | %s, %s |\n", image.batch, image.in_h,
                image.in_w, image.channels, outputs, image.kernel_h, image.stride_h, e.sparse.plain,
                e.sparse.overlapped, e.dense.plain, e.dense.overlapped, e.sparse.overlapped_name.c_str(),
                e.dense.overlapped_name.c_str());
    std::fflush(stdout);
  }
  return json.empty() ? 0 : WriteJson(json, bf16 ? "bf16" : "f16", entries, conv_entries);
}

}  // namespace
}  // namespace tamis::cuda

int main(int argc, char** argv) {
  return tamis::cuda::Main(argc, argv);
}

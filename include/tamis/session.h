// A loaded engine that answers requests.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

struct Engine;  // src/engine/engine.h

// One input or output as the network declares it. A dimension of -1 is dynamic; `dim_names` then holds its symbol.
struct TensorSpec {
  std::string name;
  DType dtype = DType::kUndefined;
  Dims dims;
  std::vector<std::string> dim_names;
};

struct SessionOptions {
  int threads = 0;       // 0: one for every usable core
  bool map_file = true;  // false: read into memory, safe against a file that is overwritten while served
};

using NamedTensors = std::map<std::string, Tensor>;

// Thread-safe: several threads may call Run at once; they share weights and the thread pool.
class Session {
 public:
  virtual ~Session() = default;
  static Result<std::shared_ptr<Session>> Load(const std::string& engine_path, const SessionOptions& options = {});
  static Result<std::shared_ptr<Session>> Create(std::shared_ptr<const Engine> engine,
                                                 const SessionOptions& options = {});

  virtual const std::string& name() const = 0;
  virtual const std::vector<TensorSpec>& inputs() const = 0;
  virtual const std::vector<TensorSpec>& outputs() const = 0;
  // Checks every input's name, dtype and shape and reports all problems at once (kUser). Outputs are owned by the
  // caller. Dimensions that share a symbol must agree.
  virtual Result<NamedTensors> Run(const NamedTensors& inputs) = 0;
  // Time per node of the last shape-equal runs, in execution order; for `bench --layers` and `inspect`.
  struct NodeTime {
    std::string name, op, tactic;
    double seconds = 0;
    Dims output_dims;
  };
  virtual Result<std::vector<NodeTime>> Profile(const NamedTensors& inputs, int repeats) = 0;
  // What the user should know: a plan of another machine, bf16 computed in f32, ... One sentence each.
  virtual const std::vector<std::string>& notices() const = 0;
};

}  // namespace tamis

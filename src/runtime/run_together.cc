#include "src/runtime/run_together.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "src/runtime/arrange_inputs.h"
#include "src/runtime/buffer_pool.h"
#include "src/runtime/engine_session.h"

namespace tamis {
namespace {

using Requests = std::span<const NamedTensors* const>;

// The rows of each request; kUser where their tensors don't fit together.
Result<std::vector<int64_t>> RowsOf(const std::vector<TensorSpec>& inputs, Requests requests) {
  std::vector<int64_t> rows;
  for (const NamedTensors* request : requests) {
    rows.push_back(-1);
    for (const TensorSpec& spec : inputs) {
      const auto found = request->find(spec.name);
      if (found == request->end() || found->second.rank() < 1)
        return UserError("a request has no rows of '{}'", spec.name);
      const Tensor& tensor = found->second;
      const Tensor& first = requests[0]->at(spec.name);
      if (tensor.dtype() != first.dtype() ||
          !std::equal(tensor.dims().begin() + 1, tensor.dims().end(), first.dims().begin() + 1, first.dims().end())) {
        return UserError("requests differ in more than the rows of '{}'", spec.name);
      }
      if (rows.back() >= 0 && rows.back() != tensor.dim(0)) {
        return UserError("a request has {} rows of one input and {} of '{}'", rows.back(), tensor.dim(0), spec.name);
      }
      rows.back() = tensor.dim(0);
    }
  }
  return rows;
}

Dims WithRows(Dims dims, int64_t rows) {
  dims[0] = rows;
  return dims;
}

Result<std::vector<NamedTensors>> Split(NamedTensors outputs, const std::vector<int64_t>& rows) {
  const int64_t all = std::accumulate(rows.begin(), rows.end(), int64_t{0});
  for (const auto& [name, tensor] : outputs) {
    if (tensor.rank() < 1 || tensor.dim(0) != all) return InternalError("output '{}' has other rows", name);
  }
  const auto whole = std::make_shared<const NamedTensors>(std::move(outputs));
  std::vector<NamedTensors> parts(rows.size());
  for (const auto& [name, tensor] : *whole) {
    const size_t row_bytes = all == 0 ? 0 : tensor.NumBytes() / static_cast<size_t>(all);
    const std::byte* at = tensor.raw();
    for (size_t i = 0; i < rows.size(); ++i) {
      parts[i].emplace(name, Tensor::View(tensor.dtype(), WithRows(tensor.dims(), rows[i]), at, whole));
      at += row_bytes * static_cast<size_t>(rows[i]);
    }
  }
  return parts;
}

}  // namespace

Result<std::optional<std::vector<NamedTensors>>> EngineSession::RunTogether(Requests requests) {
  if (cuda_ == nullptr) return std::optional<std::vector<NamedTensors>>();
  TAMIS_ASSIGN_OR_RETURN(const std::vector<int64_t> rows, RowsOf(inputs_, requests));
  const int64_t all = std::accumulate(rows.begin(), rows.end(), int64_t{0});
  NamedData facts;  // names, types and dimensions; nobody looks at the elements
  std::vector<CudaProgram::Pieces> pieces;
  for (const TensorSpec& spec : inputs_) {
    const Tensor& first = requests[0]->at(spec.name);
    facts[spec.name] = Tensor::View(first.dtype(), WithRows(first.dims(), all), nullptr, nullptr);
    CudaProgram::Pieces& of_input = pieces.emplace_back();
    for (const NamedTensors* request : requests) of_input.push_back(&request->at(spec.name));
  }
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Datum> arranged, ArrangeInputs(*graph_, inputs_, profiles_, facts));
  std::vector<Dims> dims;
  for (const Datum& datum : arranged) dims.push_back(datum.tensor().dims());
  TAMIS_ASSIGN_OR_RETURN(const Runnable program, ProgramFor(std::move(dims)));
  if (program.cuda == nullptr) return std::optional<std::vector<NamedTensors>>();
  TAMIS_ASSIGN_OR_RETURN(std::vector<Tensor> results, program.cuda->Run(pieces, *pool_));
  NamedTensors outputs;
  for (size_t i = 0; i < results.size(); ++i) outputs[outputs_[i].name] = std::move(results[i]);
  TAMIS_ASSIGN_OR_RETURN(std::vector<NamedTensors> parts, Split(std::move(outputs), rows));
  return std::optional(std::move(parts));
}

Result<std::vector<NamedTensors>> RunTogether(Session& session, Requests requests) {
  if (auto* const engine = dynamic_cast<EngineSession*>(&session)) {
    TAMIS_ASSIGN_OR_RETURN(auto results, engine->RunTogether(requests));
    if (results) return std::move(*results);
  }
  static const std::shared_ptr<BufferPool> kGathered = BufferPool::Make();
  TAMIS_ASSIGN_OR_RETURN(const std::vector<int64_t> rows, RowsOf(session.inputs(), requests));
  const int64_t all = std::accumulate(rows.begin(), rows.end(), int64_t{0});
  NamedTensors gathered;
  for (const TensorSpec& spec : session.inputs()) {
    const Tensor& first = requests[0]->at(spec.name);
    Tensor whole = kGathered->NewTensor(first.dtype(), WithRows(first.dims(), all));
    std::byte* to = whole.raw();
    for (const NamedTensors* request : requests) {
      const Tensor& part = request->at(spec.name);
      if (part.NumBytes() > 0) std::memcpy(to, part.raw(), part.NumBytes());
      to += part.NumBytes();
    }
    gathered.emplace(spec.name, std::move(whole));
  }
  TAMIS_ASSIGN_OR_RETURN(NamedTensors outputs, session.Run(gathered));
  return Split(std::move(outputs), rows);
}

}  // namespace tamis

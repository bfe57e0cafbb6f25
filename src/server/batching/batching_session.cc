#include "src/server/batching/batching_session.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <exception>

namespace tamis {
namespace {

// The rows that the request has in all inputs; 0 if they don't agree or an input is not as declared.
int64_t RowsOf(const Session& session, const NamedTensors& inputs) {
  int64_t rows = 0;
  if (inputs.size() != session.inputs().size()) return 0;
  for (const TensorSpec& spec : session.inputs()) {
    const auto found = inputs.find(spec.name);
    if (found == inputs.end()) return 0;
    const Tensor& tensor = found->second;
    if (tensor.dtype() != spec.dtype || tensor.rank() != static_cast<int64_t>(spec.dims.size())) return 0;
    if (rows != 0 && tensor.dim(0) != rows) return 0;
    rows = tensor.dim(0);
  }
  return rows;
}

size_t BytesPerRow(const Tensor& tensor) {
  return tensor.NumBytes() / static_cast<size_t>(tensor.dim(0));
}

}  // namespace

Status CanBatch(const Session& session) {
  std::string symbol;
  for (const auto* specs : {&session.inputs(), &session.outputs()}) {
    for (const TensorSpec& spec : *specs) {
      if (!spec.IsTensor() || spec.dtype == DType::kString) return UserError("'{}' is no tensor of numbers", spec.name);
      if (!spec.has_rank || spec.dims.empty() || spec.dims[0] != -1 || spec.dim_names[0].empty()) {
        return UserError("the first dimension of '{}' is not free", spec.name);
      }
      if (symbol.empty()) symbol = spec.dim_names[0];
      if (spec.dim_names[0] != symbol) {
        return UserError("'{}' has {} rows, others {}", spec.name, spec.dim_names[0], symbol);
      }
      if (std::count(spec.dim_names.begin(), spec.dim_names.end(), symbol) != 1) {
        return UserError("the rows of '{}' are also another of its dimensions", spec.name);
      }
    }
  }
  return symbol.empty() ? UserError("it has no inputs") : Status();
}

BatchingSession::BatchingSession(std::shared_ptr<Session> inner, const BatchingOptions& options)
    : inner_(std::move(inner)), options_(options), max_rows_(options.max_rows) {}

Result<NamedTensors> BatchingSession::Run(const NamedTensors& inputs) {
  Request request;
  request.inputs = &inputs;
  request.rows = RowsOf(*inner_, inputs);
  std::unique_lock lock(mutex_);
  waiting_.push_back(&request);
  request.turn.wait(lock, [&] {
    return request.done || (running_ < options_.concurrent && !waiting_.empty() && waiting_.front() == &request);
  });
  if (!request.done) {
    Batch batch;
    try {
      batch = TakeBatch();
    } catch (...) {  // no memory for it: the others must not find this request
      waiting_.pop_front();
      if (!waiting_.empty()) waiting_.front()->turn.notify_one();
      throw;
    }
    ++running_;
    // Others may begin beside this run.
    if (running_ < options_.concurrent && !waiting_.empty()) waiting_.front()->turn.notify_one();
    lock.unlock();
    Compute(batch);
    lock.lock();
    --running_;
    for (Request* member : batch) {
      member->done = true;
      if (member != &request) member->turn.notify_one();
    }
    if (!waiting_.empty()) waiting_.front()->turn.notify_one();
  }
  return std::move(request.result);
}

size_t BatchingSession::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

bool BatchingSession::Alike(const Request& a, const Request& b) const {
  return std::all_of(a.inputs->begin(), a.inputs->end(), [&](const auto& entry) {
    const Dims &x = entry.second.dims(), &y = b.inputs->at(entry.first).dims();
    return std::equal(x.begin() + 1, x.end(), y.begin() + 1, y.end());
  });
}

// The first request with as many of those behind it as make a power of two: every number of rows costs the session
// memory and the making of a program, once.
BatchingSession::Batch BatchingSession::TakeBatch() {
  const Request& first = *waiting_.front();
  size_t taken = 1;
  int64_t rows = first.rows;
  for (size_t i = 1; i < waiting_.size() && first.rows > 0; ++i) {
    const Request& next = *waiting_[i];
    if (next.rows == 0 || !Alike(first, next)) break;
    rows += next.rows;
    if (rows > max_rows_) break;
    if (std::has_single_bit(static_cast<uint64_t>(rows))) taken = i + 1;
  }
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(taken);
  Batch batch(waiting_.begin(), end);
  waiting_.erase(waiting_.begin(), end);
  return batch;
}

void BatchingSession::Compute(const Batch& batch) {
  int64_t rows = 0;
  for (const Request* member : batch) rows += member->rows;
  try {
    if (batch.size() > 1) {
      if (ComputeTogether(batch, rows).ok()) return;
    }
    bool fine = true;
    for (Request* member : batch) {
      ++runs_;
      member->result = inner_->Run(*member->inputs);
      fine = fine && member->result.ok();
    }
    if (batch.size() == 1 || !fine) return;
    // One by one they can be computed, so they were too many.
    const std::lock_guard lock(mutex_);
    max_rows_ = std::min(max_rows_, rows / 2);
  } catch (const std::exception& error) {
    for (Request* member : batch) member->result = RuntimeError("{}", error.what());
  }
}

Status BatchingSession::ComputeTogether(const Batch& batch, int64_t rows) {
  NamedTensors inputs;
  for (const auto& [name, first] : *batch[0]->inputs) {
    Dims dims = first.dims();
    dims[0] = rows;
    Tensor all = buffers_->NewTensor(first.dtype(), dims);
    size_t at = 0;
    for (const Request* member : batch) {
      const Tensor& part = member->inputs->at(name);
      if (part.NumBytes() > 0) std::memcpy(all.raw() + at, part.raw(), part.NumBytes());
      at += part.NumBytes();
    }
    inputs.emplace(name, std::move(all));
  }
  ++runs_;
  TAMIS_ASSIGN_OR_RETURN(NamedTensors outputs, inner_->Run(inputs));
  for (const auto& [name, tensor] : outputs) {
    if (tensor.rank() < 1 || tensor.dim(0) != rows) return InternalError("output '{}' has other rows", name);
  }
  const auto all = std::make_shared<const NamedTensors>(std::move(outputs));
  int64_t first = 0;
  for (Request* member : batch) {
    NamedTensors own;
    for (const auto& [name, tensor] : *all) {
      Dims dims = tensor.dims();
      dims[0] = member->rows;
      const size_t bytes = BytesPerRow(tensor);
      own.emplace(
          name, Tensor::View(tensor.dtype(), std::move(dims), tensor.raw() + bytes * static_cast<size_t>(first), all));
    }
    member->result = std::move(own);
    first += member->rows;
  }
  return {};
}

}  // namespace tamis

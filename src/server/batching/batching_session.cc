#include "src/server/batching/batching_session.h"

#include <algorithm>
#include <barrier>
#include <bit>
#include <cstring>
#include <exception>
#include <thread>

#include "src/runtime/engine_session.h"
#include "src/runtime/run_together.h"

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

int64_t DefaultRows(const Session& session, bool on_gpu) {
  if (!on_gpu || !CanBatch(session).ok()) return 1;
  int64_t most = 1;
  for (const Profile& profile : ProfilesOf(session)) {
    const auto rows = profile.find(session.inputs()[0].dim_names[0]);
    if (rows != profile.end()) most = std::max(most, rows->second.max);
  }
  return std::min(most, kMostRowsByDefault);
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
      if (ComputeTogether(batch).ok()) return;
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

Status BatchingSession::ComputeTogether(const Batch& batch) {
  std::vector<const NamedTensors*> requests;
  for (const Request* member : batch) requests.push_back(member->inputs);
  ++runs_;
  TAMIS_ASSIGN_OR_RETURN(std::vector<NamedTensors> results, RunTogether(*inner_, requests));
  for (size_t i = 0; i < batch.size(); ++i) batch[i]->result = std::move(results[i]);
  return {};
}

void BatchingSession::WarmUp() {
  for (int64_t rows = 1; rows <= max_rows_; rows *= 2) {
    NamedTensors zeros;
    for (const TensorSpec& spec : inner_->inputs()) {
      Dims dims = spec.dims;
      dims[0] = rows;
      if (std::count(dims.begin(), dims.end(), -1) != 0) return;
      Tensor& tensor = zeros[spec.name] = Tensor(spec.dtype, dims);
      if (tensor.NumBytes() > 0) std::memset(tensor.raw(), 0, tensor.NumBytes());
    }
    std::atomic<bool> refused = false;
    std::barrier begin(options_.concurrent);
    const auto run = [&] {
      begin.arrive_and_wait();
      if (!inner_->Run(zeros).ok()) refused = true;
    };
    std::vector<std::thread> others;
    for (int i = 1; i < options_.concurrent; ++i) others.emplace_back(run);
    run();
    for (std::thread& other : others) other.join();
    if (refused) {
      const std::lock_guard lock(mutex_);
      max_rows_ = std::max<int64_t>(1, rows / 2);
      return;
    }
  }
}

}  // namespace tamis

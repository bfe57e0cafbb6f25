// A session that computes requests together: those of equal shapes, but for their number of rows, that arrive while
// others are being computed become one run.
//
// Nobody waits for company: a request that finds the session idle is computed at once and alone. The longer runs take
// beside the time between requests, the larger the batches become by themselves.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "src/runtime/buffer_pool.h"
#include "tamis/session.h"

namespace tamis {

struct BatchingOptions {
  int64_t max_rows = 32;  // of one run, along the first dimension
  int concurrent = 2;     // runs at once: on a GPU one copies while another computes
};

// Whether requests to the session can be put together: all inputs and outputs are tensors of numbers whose first
// dimension is the same free symbol, which stands nowhere else. Otherwise what is in the way.
Status CanBatch(const Session& session);

// Thread-safe. Run blocks until the request's own results are there. Results are views of the run's, which live as long
// as one of them.
class BatchingSession : public Session {
 public:
  // `inner` passes CanBatch.
  BatchingSession(std::shared_ptr<Session> inner, const BatchingOptions& options);

  const std::string& name() const override { return inner_->name(); }
  const std::vector<TensorSpec>& inputs() const override { return inner_->inputs(); }
  const std::vector<TensorSpec>& outputs() const override { return inner_->outputs(); }
  Result<NamedTensors> Run(const NamedTensors& inputs) override;
  Result<std::vector<NodeTime>> Profile(const NamedTensors& inputs, int repeats) override {
    return inner_->Profile(inputs, repeats);
  }
  Result<DeviceMeasure> MeasureOnDevice(const NamedTensors& inputs, int repeats) override {
    return inner_->MeasureOnDevice(inputs, repeats);
  }
  const std::vector<std::string>& notices() const override { return inner_->notices(); }
  RetuneState retune_state(std::string* why) const override { return inner_->retune_state(why); }
  // Requests that nobody computes yet.
  size_t waiting() const;
  // Of the inner session, so far.
  uint64_t runs() const { return runs_; }

 private:
  struct Request {
    const NamedTensors* inputs = nullptr;
    int64_t rows = 0;  // 0: alone, its inputs are not as declared or differ in their rows
    std::condition_variable turn;
    bool done = false;
    Result<NamedTensors> result = InternalError("not computed");
  };
  using Batch = std::vector<Request*>;

  Batch TakeBatch();  // with the lock
  void Compute(const Batch& batch);
  Status ComputeTogether(const Batch& batch, int64_t rows);
  bool Alike(const Request& a, const Request& b) const;

  const std::shared_ptr<Session> inner_;
  const BatchingOptions options_;
  const std::shared_ptr<BufferPool> buffers_ = BufferPool::Make();
  mutable std::mutex mutex_;  // guards what follows
  std::deque<Request*> waiting_;
  int running_ = 0;
  std::atomic<uint64_t> runs_{0};
  int64_t max_rows_;  // falls where the session refuses as many
};

}  // namespace tamis

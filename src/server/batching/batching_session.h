// A session that computes requests together: those of equal shapes, but for their number of rows, that arrive while
// others are being computed become one run.
//
// Nobody waits for company: a request that finds fewer runs than may go on at once is computed alone and now. The
// longer runs take beside the time between requests, the larger the batches become by themselves.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tamis/session.h"

namespace tamis {

struct BatchingOptions {
  int64_t max_rows = 32;  // of one run, along the first dimension; 0: as DefaultRows says
  int concurrent = 2;     // runs at once
  // Fewer would compute larger batches, with more requests a second where there are many clients; with more, a request
  // is computed alone for longer as load grows. ResNet-50 behind HTTP on an H100, batches of up to 8, 16 clients, 2, 3,
  // 4 and 8 runs at once: 11,500, 11,600, 11,350 and 9,950 requests a second, multiprocessors active 76, 85, 90 and
  // 97 % of the time; at 6,560 a second p50 is 0.88 ms with 2 and 0.75 with 4, as it is alone.
  static constexpr int kRunsOnGpu = 4;
};

// Whether requests to the session can be put together: all inputs and outputs are tensors of numbers whose first
// dimension is the same free symbol, which stands nowhere else. Otherwise what is in the way.
Status CanBatch(const Session& session);

// The most rows of one run where nobody says: 1 on the CPU, where a batch takes nearly as long as its rows one after
// another; on a GPU as many as the engine was measured for, kMostRowsByDefault at most. 1 for what CanBatch refuses.
int64_t DefaultRows(const Session& session, bool on_gpu);
inline constexpr int64_t kMostRowsByDefault = 16;

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
  // Runs of zeros with every number of rows that batches have, as many at once as requests will: on a GPU a program is
  // made for each, which would hold up the first requests. What the session refuses is learned. Nothing is done where
  // other dimensions are open.
  void WarmUp();
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
  Status ComputeTogether(const Batch& batch);
  bool Alike(const Request& a, const Request& b) const;

  const std::shared_ptr<Session> inner_;
  const BatchingOptions options_;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<Request*> waiting_;
  int running_ = 0;
  std::atomic<uint64_t> runs_{0};
  int64_t max_rows_;  // falls where the session refuses as many
};

}  // namespace tamis

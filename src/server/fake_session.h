// A session for the tests: each input x comes back as output y_x.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "tamis/session.h"

namespace tamis::testing {

class FakeSession : public Session {
 public:
  explicit FakeSession(std::vector<TensorSpec> inputs) : inputs_(std::move(inputs)) {
    for (TensorSpec spec : inputs_) {
      spec.name = "y_" + spec.name;
      outputs_.push_back(spec);
    }
  }

  const std::string& name() const override { return name_; }
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  Result<NamedTensors> Run(const NamedTensors& inputs) override {
    ++runs;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !blocked_; });
    }
    if (!failure.ok()) return failure;
    NamedTensors outputs;
    for (const auto& [name, tensor] : inputs) outputs["y_" + name] = tensor;
    return outputs;
  }
  Result<std::vector<NodeTime>> Profile(const NamedTensors&, int) override { return std::vector<NodeTime>(); }
  const std::vector<std::string>& notices() const override { return notices_; }

  // Run waits while blocked.
  void Block(bool blocked) {
    const std::lock_guard lock(mutex_);
    blocked_ = blocked;
    changed_.notify_all();
  }

  std::atomic<int> runs{0};
  Status failure;

 private:
  std::string name_ = "fake";
  std::vector<TensorSpec> inputs_, outputs_;
  std::vector<std::string> notices_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool blocked_ = false;
};

inline std::shared_ptr<FakeSession> MakeFakeSession() {
  return std::make_shared<FakeSession>(
      std::vector<TensorSpec>{{"a", DType::kFloat32, {-1, 2}, {"n", ""}}, {"b", DType::kInt64, {-1}, {"n"}}});
}

}  // namespace tamis::testing
